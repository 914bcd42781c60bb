"""Names of store objects: what they look like and how content decides them.

An object is named ``/nix/store/<hash>-<name>``. The hash has 160 bits in an alphabet of 32 letters
without ``e o t u``; it is folded from a SHA-256 over a short text that says what the object is,
what it contains, what it refers to and where it lies::

    source[:<reference>...][:self]:sha256:<digest, hex>:/nix/store:<name>    a tree, by its archive
    text[:<reference>...]:sha256:<digest, hex>:/nix/store:<name>             a file that Nix wrote
    output:out:sha256:<digest of "fixed:out:..." >:/nix/store:<name>         a download, by its hash

So equal content with equal references has an equal name, whoever made it and wherever.

Source: Nix manual, *Complete Store Path Calculation*; ``libstore/store-api.cc`` of Nix 2.8.
Tested by ``tests/compat/test_nix_paths.py`` against ``nix store add-path``, ``nix-store
--add-fixed`` and the instantiation of local expressions.
"""

import re
from collections.abc import Iterable

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.records import dataclass

STORE_DIR = "/nix/store"

_ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"
_VALUE = {letter: value for value, letter in enumerate(_ALPHABET)}
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]
_HASH = re.compile(rf"[{_ALPHABET}]{{32}}")
_NAME = re.compile(r"[0-9A-Za-z+\-_?=][0-9A-Za-z+\-._?=]{0,210}")
_FOLDED_BYTES = 20


class BadStorePath(ReconixError):
    """A text that should name a store object does not."""

    exit_code = 21

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text[:300]!r} is not a store path",
            hint=f"expected {STORE_DIR}/<32 characters>-<name>",
        )


@dataclass(frozen=True, slots=True, order=True)
class StorePath:
    """The name of one store object; valid by construction."""

    hash: str  # 32 characters of Nix base 32
    name: str

    def __post_init__(self) -> None:
        if not _HASH.fullmatch(self.hash) or not _NAME.fullmatch(self.name):
            raise BadStorePath(self.basename)

    @classmethod
    def parse(cls, text: str) -> "StorePath":
        """Read ``/nix/store/<hash>-<name>``.

        Raises:
            BadStorePath: it is something else, also when it is a path *inside* an object.
        """
        folder, _, basename = text.rpartition("/")
        if folder != STORE_DIR:
            raise BadStorePath(text)
        return cls.of_basename(basename)

    @classmethod
    def of_basename(cls, text: str) -> "StorePath":
        """Read ``<hash>-<name>``.

        Raises:
            BadStorePath: it is something else.
        """
        if text[32:33] != "-":
            raise BadStorePath(text)
        return cls(text[:32], text[33:])

    @classmethod
    def containing(cls, text: str) -> "StorePath":
        """The object in which an absolute path lies: ``/nix/store/<hash>-<name>[/...]``.

        Raises:
            BadStorePath: the path lies outside the store.
        """
        if not text.startswith(f"{STORE_DIR}/"):
            raise BadStorePath(text)
        return cls.of_basename(text.removeprefix(f"{STORE_DIR}/").split("/", 1)[0])

    @property
    def basename(self) -> str:
        """``<hash>-<name>``, the name within the store folder."""
        return f"{self.hash}-{self.name}"

    def __str__(self) -> str:
        return f"{STORE_DIR}/{self.basename}"


def base32_encode(value: bytes) -> str:
    """Spell bytes as Nix does: least significant five bits first, written from the end."""
    number = int.from_bytes(value, "little")
    length = (len(value) * 8 + 4) // 5
    pairs = [_PAIRS[number >> shift & 1023] for shift in range((length - 1) // 2 * 10, -1, -10)]
    return "".join(pairs)[length % 2 :]


def base32_decode(text: str, size_bytes: int) -> bytes:
    """The inverse of ``base32_encode`` for a value of known size.

    Raises:
        BadStorePath: a wrong letter, a wrong length, or bits beyond the value.
    """
    number = 0
    for letter in text:
        if letter not in _VALUE:
            raise BadStorePath(text)
        number = number << 5 | _VALUE[letter]
    if len(text) != (size_bytes * 8 + 4) // 5 or number >> size_bytes * 8:
        raise BadStorePath(text)
    return number.to_bytes(size_bytes, "little")


def content_address(
    nar_sha256: Digest,
    name: str,
    references: Iterable[StorePath] = (),
    *,
    refers_to_itself: bool = False,
) -> StorePath:
    """The path of a tree that is named by its content: the ``source`` rule.

    Args:
        nar_sha256: digest of the tree's archive; for a tree that refers to itself, the digest
            modulo its own hash (``references.SelfBlindDigest``).
        name: the part after the hash.
        references: the *other* objects that the tree refers to.
        refers_to_itself: whether the tree contains its own hash.
    """
    kind = ["source", *_sorted_texts(references)]
    if refers_to_itself:
        kind.append("self")
    return _named(":".join(kind), nar_sha256, name)


def text_address(
    content_sha256: Digest, name: str, references: Iterable[StorePath] = ()
) -> StorePath:
    """The path of a file made by ``builtins.toFile`` or of a derivation: the ``text`` rule."""
    return _named(":".join(["text", *_sorted_texts(references)]), content_sha256, name)


def fixed_address(algorithm: str, digest: bytes, name: str, *, recursive: bool) -> StorePath:
    """The path of a fixed output: content whose hash was known before it was fetched.

    Args:
        algorithm: as Nix spells it: ``md5``, ``sha1``, ``sha256`` or ``sha512``.
        digest: of the file (flat) or of the archive of the tree (recursive).
        name: the part after the hash.
        recursive: the digest is that of the archive.
    """
    if recursive and algorithm == "sha256":
        return content_address(Digest(digest), name)
    method = "r:" if recursive else ""
    inner = f"fixed:out:{method}{algorithm}:{digest.hex()}:"
    return _named("output:out", Digest.of(inner.encode()), name)


def _sorted_texts(references: Iterable[StorePath]) -> list[str]:
    return [str(path) for path in sorted(set(references))]


def _named(kind: str, digest: Digest, name: str) -> StorePath:
    text = f"{kind}:sha256:{digest.hex()}:{STORE_DIR}:{name}"
    return StorePath(base32_encode(_fold(Digest.of(text.encode()).value)), name)


def _fold(digest: bytes) -> bytes:
    folded = bytearray(_FOLDED_BYTES)
    for index, byte in enumerate(digest):
        folded[index % _FOLDED_BYTES] ^= byte
    return bytes(folded)
