"""References that follow an object when it gets a new name.

In a closure of Nix the name of an object depends on what it was built from. So a change at the
bottom gives everything above a new name, and everything that refers to it new bytes, although
nothing else has changed: the reference is the change. If it is known which new object stands for
which old one, references need not be sent. They are replaced in what is *old*, before it is
compared and before it is copied from, by the sender and by the receiver in the same way; whatever
else differs is part of the difference. A reference keeps its size, so nothing moves.

    /nix/store/0c9i…-libc6/lib  →  /nix/store/7fz2…-libc6/lib

Likewise with images: generations and command lines of kernels name them by their digests.

Tested by ``tests/unit/transfer/codecs/test_renames.py``.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from reconix.base.digests import Digest
from reconix.base.records import dataclass, field
from reconix.store.paths import STORE_DIR, StorePath

_HASH_BYTES = 32
_BEFORE = STORE_DIR.encode() + b"/"
_REFERENCE = re.compile(re.escape(_BEFORE) + rb"([0-9a-z]{%d})(?=-)" % _HASH_BYTES)
_REACH = len(_BEFORE) + _HASH_BYTES
_IMAGE_REACH = 63  # of the digits of a digest
"""So far before or behind a byte what decides on it may stand."""


@dataclass(frozen=True, slots=True)
class Renames:
    """Which objects have new names."""

    hashes: Mapping[bytes, bytes] = field(default_factory=dict)  # old to new, as text
    images: Mapping[bytes, bytes] = field(default_factory=dict)  # likewise, digests in hexadecimal

    @classmethod
    def of(
        cls,
        pairs: Iterable[tuple[StorePath, StorePath]],
        images: Iterable[tuple[Digest, Digest]] = (),
    ) -> "Renames":
        """From old and new path of each object, and digests; the first of an old path counts."""
        found: dict[bytes, bytes] = {}
        for old, new in pairs:
            found.setdefault(old.hash.encode(), new.hash.encode())
        digests = {old.hex().encode(): new.hex().encode() for old, new in images}
        return cls({old: new for old, new in found.items() if old != new}, digests)

    def __bool__(self) -> bool:
        return bool(self.hashes or self.images)

    def follow(self, path: StorePath) -> StorePath:
        """The new name of an object, or the one that it keeps."""
        new = self.hashes.get(path.hash.encode())
        return path if new is None else StorePath(new.decode(), path.name)

    def used_in(self, content: Iterable[bytes]) -> "Renames":
        """Those that some content mentions, which comes in pieces."""
        hashes, images = set[bytes](), set[bytes]()
        before = b""
        for piece in content:
            text = before + piece
            hashes.update(match[1] for match in _REFERENCE.finditer(text))
            images.update(image for image in self.images if image in text)
            before = text[-_IMAGE_REACH:]
        return Renames(
            {old: self.hashes[old] for old in sorted(hashes & self.hashes.keys())},
            {old: self.images[old] for old in sorted(images)},
        )

    def apply(self, content: bytes) -> bytes:
        """The content with new references; as long as before."""
        return self._apply_to_images(self._apply_to_paths(content))

    def apply_all(self, content: Iterable[bytes]) -> Iterator[bytes]:
        """The same for content that comes in pieces; the pieces may be others then."""
        paths = _in_pieces(self._apply_to_paths, content, _REACH)
        yield from _in_pieces(self._apply_to_images, paths, _IMAGE_REACH)

    def read(self, read: "Read", offset: int, size_bytes: int) -> bytes:
        """The bytes from there as if ``apply`` had been called on all."""
        if not self:
            return read(offset, size_bytes)
        before = min(offset, _IMAGE_REACH)
        around = self.apply(read(offset - before, before + size_bytes + _IMAGE_REACH))
        return around[before : before + size_bytes]

    def _apply_to_paths(self, content: bytes) -> bytes:
        return _REFERENCE.sub(self._replace, content) if self.hashes else content

    def _apply_to_images(self, content: bytes) -> bytes:
        """Few contents name one, and to look for a fixed text is quick."""
        named = [image for image in self.images if image in content]
        if not named:
            return content
        return re.sub(b"|".join(named), lambda match: self.images[match[0]], content)

    def _replace(self, match: "re.Match[bytes]") -> bytes:
        new = self.hashes.get(match[1])
        return match[0] if new is None else _BEFORE + new


def _in_pieces(
    apply: Callable[[bytes], bytes], content: Iterable[bytes], reach: int
) -> Iterator[bytes]:
    held = b""
    for piece in content:
        held = apply(held + piece)
        yield held[:-reach]
        held = held[-reach:]
    yield held


Read = Callable[[int, int], bytes]
"""Reads that many bytes at an offset; fewer only at the end."""


NO_RENAMES = Renames()
