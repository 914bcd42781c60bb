"""The authorities that programs trust: those of ``ca-certificates``, and the project's own.

Debian's ``update-ca-certificates`` makes two things of certificates, and programs read one or the
other: a file with all of them, and a folder in which each is found by a number that follows from
its subject. It runs when a root is made and not on a device; what it would add for the project's
own is added here.

    ssl/certs/ca-certificates.crt    all of the root, then ours
    ssl/certs/NAME.pem               each of ours, by the name of its file
    ssl/certs/HASH.N                 → NAME.pem

The number is the beginning of a SHA-1 over the subject in a form in which names that are to be
equal are: in UTF-8, in small letters, without needless spaces.

Source: update-ca-certificates(8); openssl-rehash(1); OpenSSL, ``x509_name_canon`` in
``crypto/x509/x_name.c`` and ``X509_NAME_hash_ex``.
Tested by ``tests/unit/build/etc/test_authorities.py``, with the links that OpenSSL has made on this
machine.
"""

import hashlib
import itertools
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from reconix.base.files import read_bounded
from reconix.config import authorities
from reconix.store.tree import File, Symlink

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, Name
    from cryptography.x509.name import NameAttribute

_FOLDER = "ssl/certs"
_ALL = f"{_FOLDER}/ca-certificates.crt"
_MAX_BYTES = 1 << 24
_SEQUENCE, _SET, _OBJECT, _UTF8 = 0x30, 0x31, 0x06, 0x0C
_SPACES = " \t\n\v\f\r"


def files(paths: Iterable[Path], root: Path) -> dict[str, File | Symlink]:
    """What programs find below ``/etc``, by path.

    Args:
        paths: files with certificates, of the project.
        root: the Debian root.
    """
    found = [(path.stem, each) for path in paths for each in authorities.read(path)]
    if not found:
        return {}
    made: dict[str, File | Symlink] = {}
    there = {path.name for path in (root / "etc" / _FOLDER).glob("*")}
    whole = root / "etc" / _ALL
    everything = read_bounded(whole, _MAX_BYTES) if whole.is_file() else b""
    for stem, certificate in found:
        name, link = _name(stem, there), _link(certificate, there)
        there |= {name, link}
        text = _pem(certificate)
        everything += text
        made |= {f"{_FOLDER}/{name}": File(text), f"{_FOLDER}/{link}": Symlink(name)}
    return {**made, _ALL: File(everything)}


def _name(stem: str, there: Collection[str]) -> str:
    """The name of a file with one certificate: no other has it, also if a file has several."""
    names = (f"{stem}{f'-{number}' if number > 1 else ''}.pem" for number in itertools.count(1))
    return next(name for name in names if name not in there)


def _link(certificate: "Certificate", there: Collection[str]) -> str:
    links = (f"{subject_hash(certificate.subject)}.{number}" for number in itertools.count())
    return next(link for link in links if link not in there)


def _pem(certificate: "Certificate") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def subject_hash(name: "Name") -> str:
    """The number under which OpenSSL looks for the certificate of a subject."""
    digest = hashlib.sha1(b"".join(map(_part, name.rdns)), usedforsecurity=False).digest()
    return digest[3::-1].hex()


def _part(attributes: "Iterable[NameAttribute[str | bytes]]") -> bytes:
    return _der(_SET, b"".join(sorted(map(_attribute, attributes))))


def _attribute(attribute: "NameAttribute[str | bytes]") -> bytes:
    value = attribute.value
    text = value if isinstance(value, str) else value.decode("latin-1")
    words = " ".join(filter(None, text.translate(dict.fromkeys(map(ord, _SPACES), " ")).split(" ")))
    plain = "".join(letter.lower() if letter.isascii() else letter for letter in words)
    kind = _der(_OBJECT, _object(attribute.oid.dotted_string))
    return _der(_SEQUENCE, kind + _der(_UTF8, plain.encode()))


def _object(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    return b"".join(map(_base_128, (40 * first + second, *rest)))


def _base_128(number: int) -> bytes:
    septets = [number & 0x7F]
    while number := number >> 7:
        septets.insert(0, number & 0x7F | 0x80)
    return bytes(septets)


def _der(tag: int, content: bytes) -> bytes:
    """One element: tag, length, content (ITU-T X.690, section 8.1)."""
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + content
