"""Signatures on store objects, as Nix makes and checks them.

A key is a name and 32 or 64 bytes: ``<name>:<base 64>``. What is signed is one line that says which
content has which path::

    1;/nix/store/<hash>-<name>;sha256:<base 32>;<size of the archive>;<reference>,<reference>,...

Source: ``libstore/crypto.cc`` and ``ValidPathInfo::fingerprint`` of Nix 2.8.
Tested by ``tests/compat/test_nix_cache.py``: Nix accepts what we sign, and we what Nix signs.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field

from reconix.base.errors import ReconixError
from reconix.base.small_order import is_small_order
from reconix.nix.database import PathInfo
from reconix.store.paths import StorePath, base32_encode


class BadKey(ReconixError):
    """A text is not a key for signatures."""

    exit_code = 27

    def __init__(self, what: str) -> None:
        super().__init__(what, hint="make one: nix key generate-secret --key-name <name>")


class NotTrusted(ReconixError):
    """No key that we trust has signed an object."""

    exit_code = 27

    def __init__(self, path: StorePath) -> None:
        super().__init__(
            f"{path} is not signed by a key that we trust",
            hint="name the public key of the cache, <name>:<base 64>",
        )
        self.path = path


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that may sign objects."""

    name: str
    value: bytes  # 32 bytes

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """Read ``<name>:<base 64 of 32 bytes>``.

        Raises:
            BadKey: it is something else.
        """
        key = cls(*_split(text, 32))
        if is_small_order(key.value):
            raise BadKey(f"{key.name} is a point of small order: anybody can sign with it")
        return key

    def __str__(self) -> str:
        return f"{self.name}:{base64.b64encode(self.value).decode()}"


@dataclass(frozen=True, slots=True)
class SecretKey:
    """Signs objects; never shown."""

    name: str
    value: bytes = field(repr=False)  # 32 bytes of seed, then the public key

    @classmethod
    def parse(cls, text: str) -> "SecretKey":
        """Read ``<name>:<base 64 of 64 bytes>``.

        Raises:
            BadKey: it is something else.
        """
        return cls(*_split(text, 64))

    def public(self) -> PublicKey:
        """The key by which others check what this one signed."""
        return PublicKey(self.name, self.value[32:])

    def sign(self, info: PathInfo) -> str:
        """Vouch for an object: ``<name>:<base 64>``."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # late

        private = Ed25519PrivateKey.from_private_bytes(self.value[:32])
        signature = private.sign(fingerprint(info))
        return f"{self.name}:{base64.b64encode(signature).decode()}"


def fingerprint(info: PathInfo) -> bytes:
    """What is signed."""
    item = info.object
    digest = base32_encode(item.nar.value)
    references = ",".join(str(path) for path in item.references)
    return f"1;{item.path};sha256:{digest};{item.nar_size_bytes};{references}".encode()


def check(info: PathInfo, keys: Iterable[PublicKey]) -> None:
    """Demand that one of the keys has signed an object.

    Raises:
        NotTrusted: none of them has.
    """
    trusted = list(keys)
    for signature in info.signatures:
        for key in trusted:
            if _is_by(key, signature, fingerprint(info)):
                return
    raise NotTrusted(info.path)


def _is_by(key: PublicKey, signature: str, content: bytes) -> bool:
    # Late: it loads OpenSSL, and most commands compare no signature.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        name, value = _split(signature, 64)
        if name == key.name and not is_small_order(key.value):
            Ed25519PublicKey.from_public_bytes(key.value).verify(value, content)
            return True
    except (BadKey, InvalidSignature):
        pass
    return False


def _split(text: str, size: int) -> tuple[str, bytes]:
    name, colon, digits = text.strip().partition(":")
    try:
        value = base64.b64decode(digits, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadKey("a key is not valid base 64") from error
    if not name or not colon or len(value) != size:
        raise BadKey(f"a key should be <name>:<base 64 of {size} bytes>")
    return name, value
