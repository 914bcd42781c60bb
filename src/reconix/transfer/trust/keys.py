"""Key sets: the root of trust of a device.

A device trusts a *key set*: the authorised public keys, the threshold of how many of them must
sign, and the keys that were revoked. TUF calls it the root role. Nothing in it has a date, because
a device may have no clock. Instead it has a version, and a set is replaced only by the next
version, signed by as many keys *of the set before* as that one demands. So a device that slept
through three sets follows them one after the other, and a key that was stolen after it had been
revoked is of no use.

    {"keys": ["release:<base 64>", …], "revoked": ["<base 64>", …], "threshold": 2, "version": 3}

A key that a set revokes stays revoked in all sets that follow.

Format: ``docs/spec/stream.md``, *Seal*. Tested by ``tests/unit/transfer/trust/test_trust.py``.
"""

import base64
import binascii
import re
from collections.abc import Iterable

from reconix.base.documents import BadDocument, Fields, JsonInput, print_json
from reconix.base.errors import ReconixError
from reconix.base.records import dataclass, replace
from reconix.base.small_order import is_small_order
from reconix.transfer.trust.ed25519 import KEY_BYTES

MAX_KEYS = 16
MAX_REVOKED = 64
MAX_SET_BYTES = 1 << 13
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class BadKey(ReconixError):
    """Malformed key or inconsistent key set."""

    exit_code = 80

    def __init__(self, what: str) -> None:
        super().__init__(what, hint="make a key: reconix keys generate NAME")


@dataclass(frozen=True, slots=True, order=True)
class PublicKey:
    """A key that may sign updates; spelled ``<name>:<base 64 of 32 bytes>``, as Nix spells keys."""

    name: str
    value: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.value) != KEY_BYTES:
            raise BadKey(f"{self.name[:80]!r} with {len(self.value)} bytes is not a public key")
        if is_small_order(self.value):
            raise BadKey(f"{self.name} is a point of small order: anybody can sign with it")

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """Read a key.

        Raises:
            BadKey: it is something else.
        """
        name, _, digits = text.strip().partition(":")
        return cls(name, parse_value(digits))

    def __str__(self) -> str:
        return f"{self.name}:{print_value(self.value)}"


def parse_value(digits: str) -> bytes:
    """The bytes of a key without its name.

    Raises:
        BadKey: they are not base 64, or too many or too few.
    """
    try:
        value = base64.b64decode(digits, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadKey(f"{digits[:80]!r} is not base 64") from error
    if len(value) != KEY_BYTES:
        raise BadKey(f"a public key has {KEY_BYTES} bytes, not {len(value)}")
    return value


def print_value(value: bytes) -> str:
    """The inverse of ``parse_value``."""
    return base64.b64encode(value).decode()


@dataclass(frozen=True, slots=True)
class KeySet:
    """The authorised keys and their threshold; valid by construction."""

    version: int
    threshold: int
    keys: tuple[PublicKey, ...]  # sorted
    revoked: frozenset[bytes] = frozenset()

    def __post_init__(self) -> None:
        values = self.values
        if self.version < 1 or not 1 <= len(self.keys) <= MAX_KEYS:
            raise BadKey(f"key set {self.version} has {len(self.keys)} keys, not 1 to {MAX_KEYS}")
        if len(values) != len(self.keys) or self.keys != tuple(sorted(self.keys)):
            raise BadKey(f"the keys of set {self.version} are not sorted and unique")
        if not 1 <= self.threshold <= len(self.keys):
            listed = f"{len(self.keys)} keys"
            raise BadKey(f"key set {self.version}: a threshold of {self.threshold} of {listed}")
        if len(self.revoked) > MAX_REVOKED or self.revoked & values:
            raise BadKey(f"key set {self.version} revokes its own keys, or too many")

    @classmethod
    def of(
        cls,
        keys: Iterable[PublicKey],
        *,
        version: int = 1,
        threshold: int = 1,
        revoked: Iterable[bytes] = (),
    ) -> "KeySet":
        """A set of keys in any order."""
        return cls(version, threshold, tuple(sorted(keys)), frozenset(revoked))

    @property
    def values(self) -> frozenset[bytes]:
        """The keys without their names."""
        return frozenset(key.value for key in self.keys)

    @property
    def active(self) -> frozenset[bytes]:
        """The keys whose signatures are accepted."""
        return self.values - self.revoked

    def after(self, before: "KeySet") -> "KeySet":
        """This set, with what an earlier one has revoked as well.

        Raises:
            BadKey: one of its own keys was revoked.
        """
        if before.revoked & self.values:
            raise BadKey(f"key set {self.version} has a key that was revoked before")
        return replace(self, revoked=self.revoked | before.revoked)

    def without(self, revoked: frozenset[bytes]) -> "KeySet | None":
        """This set without revoked keys; None if fewer than the threshold are left."""
        kept = tuple(key for key in self.keys if key.value not in revoked)
        return replace(self, keys=kept) if len(kept) >= self.threshold else None

    def document(self) -> dict[str, JsonInput]:
        """The set as a part of a document."""
        return {
            "version": self.version,
            "threshold": self.threshold,
            "keys": [str(key) for key in self.keys],
            "revoked": [*sorted(map(print_value, self.revoked))],
        }

    def print(self) -> bytes:
        """The set as a document."""
        return print_json(self.document())


def parse_key_set(content: bytes, *, source: str = "key set") -> KeySet:
    """Read a key set.

    Raises:
        BadKey: it is not one.
    """
    if len(content) > MAX_SET_BYTES:
        raise BadKey(f"{source} has {len(content)} bytes, more than {MAX_SET_BYTES}")
    try:
        return key_set_of(Fields.parse(content, source=source))
    except BadDocument as error:
        raise BadKey(str(error)) from error


def key_set_of(fields: Fields) -> KeySet:
    """A key set from the fields of a document.

    Raises:
        BadKey, BadDocument: it is not one.
    """
    return KeySet(
        version=fields.number("version"),
        threshold=fields.number("threshold"),
        keys=tuple(PublicKey.parse(text) for text in fields.texts("keys")),
        revoked=frozenset(map(parse_value, fields.texts("revoked"))),
    )
