"""Certificates of authorities, as files of the project have them.

A file holds one certificate or more, as PEM. It comes onto each device, so a private key that lies
in it, as in files that tools make for servers, is refused; so is a certificate that says itself
that it is nobody's authority, as no program would trust what it has signed.

Source: RFC 7468, RFC 5280 section 4.2.1.9.
Tested by ``tests/unit/config/rules/test_certificates.py``.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from reconix.base.files import read_bounded

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_MAX_BYTES = 1 << 20
_PRIVATE = b"PRIVATE KEY-----"


class NoAuthority(ValueError):
    """What is wrong with a file; its text ends a sentence that begins with the file's name."""


def read(file: Path) -> "tuple[Certificate, ...]":
    """The certificates in a file, in order.

    Raises:
        NoAuthority: there is none, or one that must not be there.
    """
    from cryptography import x509  # few need it, and every command waits for it

    content = read_bounded(file, _MAX_BYTES)
    if _PRIVATE in content:
        raise NoAuthority("holds a private key, which would be on every device")
    try:
        found = tuple(x509.load_pem_x509_certificates(content))
    except ValueError as error:
        raise NoAuthority("holds no certificate that can be read, as PEM") from error
    for certificate in found:
        if _is_nobodys(certificate):
            raise NoAuthority("holds a certificate that is not of an authority")
    return found


def _is_nobodys(certificate: "Certificate") -> bool:
    from cryptography import x509

    try:
        said = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return False
    except ValueError as error:
        raise NoAuthority("holds a certificate whose extensions cannot be read") from error
    return not said.value.ca
