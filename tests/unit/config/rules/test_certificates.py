"""What may be named as an authority."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.config_projects import mistakes, write

from reconix.config.load import load

NAMED = '[certificates]\nauthorities = ["../../../ca.pem"]\n'
KEY = Ed25519PrivateKey.generate()


def certificate(*, ca: bool | None) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Ä")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 1, day, day)
    if ca is not None:
        said = x509.BasicConstraints(ca=ca, path_length=None)
        builder = builder.add_extension(said, critical=True)
    return builder.sign(KEY, None).public_bytes(Encoding.PEM)


@pytest.mark.parametrize("ca", [True, None])
def test_a_certificate_of_an_authority_is_taken(tmp_path: Path, ca: bool | None) -> None:
    write(tmp_path, default=NAMED)
    (tmp_path / "ca.pem").write_bytes(certificate(ca=ca))
    system = load(tmp_path).hosts["gw"].systems["default"]
    assert [path.name for path in system.certificates.authorities] == ["ca.pem"]


SECRET = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
CUT = certificate(ca=True).replace(b"A", b"", 1)


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (certificate(ca=True) + SECRET, "holds a private key"),
        (certificate(ca=False), "is not of an authority"),
        (CUT, "no certificate that can be read"),
        (b"", "no certificate that can be read"),
        (b"\x30\x82\xff", "no certificate that can be read"),
    ],
)
def test_what_is_none_is_told_where_it_is_named(tmp_path: Path, content: bytes, fact: str) -> None:
    write(tmp_path, default=NAMED)
    (tmp_path / "ca.pem").write_bytes(content)
    (problem,) = mistakes(tmp_path)
    assert (problem.key, problem.place.line) == ("certificates.authorities", 2)
    assert f"ca.pem {fact}" in problem.fact or fact in problem.fact
    assert problem.hint


def test_one_that_is_missing_is_told(tmp_path: Path) -> None:
    write(tmp_path, default=NAMED)
    (problem,) = mistakes(tmp_path)
    assert "no such file" in problem.fact
