"""Certificates for tests: of authorities that sign themselves."""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def authority(*names: tuple[x509.ObjectIdentifier, str]) -> bytes:
    """A certificate for a subject, signed by itself."""
    key = Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(kind, value) for kind, value in names])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, _DAY, _DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, None).public_bytes(Encoding.PEM)
