"""Reading an image without the kernel: from the bytes of an image back to trees.

The agent must know what stands in the images of its device: the settings of a system that does not
run, the old tree that a new one is a difference to, the contents that are still needed. It reads
the images that it has made itself, so only what ``erofs.py`` writes is understood. But a disk may
have changed them. So each number is checked before it leads anywhere, and a folder is never read
within itself.

Tested by ``tests/unit/store/images/test_image.py``.
"""

import stat
import struct
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from reconix.base.errors import ReconixError
from reconix.store.images.erofs import (
    ATTRIBUTE,
    ATTRIBUTES_BYTES,
    BEFORE_DIGEST,
    BLOCK_BYTES,
    CHUNKED,
    ENTRY,
    EROFS_MAGIC,
    EXTENDED,
    INLINE,
    INODE,
    MAX_NODES,
    METACOPY,
    METACOPY_VALUE,
    NEEDED,
    PLAIN,
    POOLED_BYTES,
    PREFIXES,
    REDIRECT,
    SLOT_BYTES,
    SUPER_AT,
    SUPERBLOCK,
    print_pooled,
    redirect,
)
from reconix.store.images.nodes import (
    MAX_DEPTH,
    MAX_INLINE_BYTES,
    MAX_NAME_BYTES,
    MAX_SIZE,
    Attributes,
    ImageFile,
    ImageFolder,
    ImageLink,
    Metadata,
    Node,
)
from reconix.store.images.verity import DIGEST_BYTES

MAX_IMAGE_BYTES = 1 << 28
_SPELLED = {number: prefix for prefix, number in PREFIXES.items()}
_DIGEST_AT = len(BEFORE_DIGEST)
_FIRST_NAME = struct.Struct("<8xH")


class BadImage(ReconixError):
    """The bytes of an image are not such as we write."""

    exit_code = 27

    def __init__(self, message: str) -> None:
        super().__init__(
            f"a damaged image: {message}",
            hint="repair it: `reconix repair --to DEVICE` on the build host",
        )


class _Inode(NamedTuple):
    """A node as it stands in the image."""

    kind: int
    metadata: Metadata
    size_bytes: int
    content: memoryview  # of what is in the image
    pooled: bytes  # digest of a content in the pool


class Image:
    """The trees in one image.

    Args:
        content: all bytes of the image; they are not copied.

    Raises:
        BadImage: no image begins like this.
    """

    def __init__(self, content: "bytes | memoryview") -> None:
        self._bytes = memoryview(content)
        if len(self._bytes) < SUPER_AT + SUPERBLOCK.size:
            raise BadImage(f"it has {len(self._bytes)} bytes")
        fields = SUPERBLOCK.unpack_from(self._bytes, SUPER_AT)
        if fields[0] != EROFS_MAGIC or fields[3] != BLOCK_BYTES.bit_length() - 1:
            raise BadImage("it does not begin like one")
        if fields[14] != NEEDED or fields[10] != 0:
            raise BadImage("it needs features that we do not use")
        self._root = int(fields[5])

    def names(self) -> tuple[bytes, ...]:
        """What stands in its root, sorted."""
        return tuple(name for name, _ in self._entries(self._inode(self._root)))

    def tree(self, *names: bytes) -> Node | None:
        """All of what stands under a path, or ``None`` if nothing does.

        Raises:
            BadImage: it is damaged there.
        """
        place = self._find(names)
        return None if place is None else _Reader(self).read(place, 0)

    def look(self, *names: bytes) -> ImageFile | ImageLink | None:
        """The file or link under a path; ``None`` if there is none.

        Raises:
            BadImage: it is damaged on the way there.
        """
        place = self._find(names)
        if place is None:
            return None
        inode = self._inode(place)
        return None if inode.kind == stat.S_IFDIR else self._leaf(inode)

    def listing(self, *names: bytes) -> tuple[bytes, ...] | None:
        """The names in a folder, sorted; ``None`` if there is no such folder."""
        place = self._find(names)
        if place is None:
            return None
        inode = self._inode(place)
        return (
            tuple(name for name, _ in self._entries(inode)) if inode.kind == stat.S_IFDIR else None
        )

    def contents(self) -> Iterator[tuple[bytes, int]]:
        """Digest and size of each content in the pool; one that is there twice comes twice.

        Raises:
            BadImage: it is damaged.
        """
        waiting, count = array("Q", [self._root]), 0
        while waiting:
            inode = self._inode(waiting.pop())
            count += 1
            if count + len(waiting) > MAX_NODES:
                raise BadImage("a folder is in itself")
            if inode.kind == stat.S_IFDIR:
                waiting.extend(place for _, place in self._entries(inode))
            elif inode.pooled:
                yield inode.pooled, inode.size_bytes

    def _find(self, names: tuple[bytes, ...]) -> int | None:
        place: int | None = self._root
        for name in names:
            assert place is not None
            inode = self._inode(place)
            if inode.kind != stat.S_IFDIR:
                return None
            place = next((below for found, below in self._entries(inode) if found == name), None)
            if place is None:
                return None
        return place

    def _inode(self, place: int) -> _Inode:
        at = place * SLOT_BYTES
        fields = INODE.unpack(self._take(at, INODE.size))
        layout, count, mode, _, size, block = fields[:6]
        if layout & 1 != EXTENDED or layout >> 1 not in (PLAIN, INLINE, CHUNKED):
            raise BadImage(f"node {place} has another form")
        at += INODE.size
        digest, others, room = self._said(at, count)
        metadata = Metadata(mode & 0o7777, fields[7], fields[8], fields[9], others)
        if layout >> 1 == CHUNKED:
            if not digest or size > MAX_SIZE:
                raise BadImage(f"the content of node {place} has no name")
            return _Inode(stat.S_IFMT(mode), metadata, size, self._bytes[:0], digest)
        content = self._content(layout >> 1, size, block, at + room)
        return _Inode(stat.S_IFMT(mode), metadata, size, content, b"")

    def _take(self, at: int, size_bytes: int) -> memoryview:
        found = self._bytes[at : at + size_bytes]
        if len(found) != size_bytes:
            raise BadImage("it ends too early")
        return found

    def _content(self, layout: int, size_bytes: int, block: int, behind: int) -> memoryview:
        """What an inode says that it has in the image."""
        whole = size_bytes if layout == PLAIN else size_bytes - size_bytes % BLOCK_BYTES
        head = self._take(block * BLOCK_BYTES, whole) if whole else self._bytes[:0]
        rest = self._take(behind, size_bytes - whole)
        if not rest:
            return head
        return memoryview(bytes(head) + bytes(rest)) if whole else rest

    def _said(self, at: int, count: int) -> tuple[bytes, Attributes, int]:
        """What the attributes of a node say: a digest, all others; and how much they take."""
        if not count:
            return b"", (), 0
        size = ATTRIBUTES_BYTES + 4 * (count - 1)
        if size == POOLED_BYTES:  # nearly all of them
            said = bytes(self._bytes[at : at + size])
            digest = said[_DIGEST_AT : _DIGEST_AT + DIGEST_BYTES]
            if said == print_pooled(digest):
                return digest, (), size
        attributes = self._attributes(at, size)
        return *_pooled(attributes), size

    def _attributes(self, at: int, size: int) -> list[tuple[bytes, bytes]]:
        """Names and values."""
        data = self._take(at, size)
        found, at = [], ATTRIBUTES_BYTES
        while at + ATTRIBUTE.size <= size:
            length, prefix, value_bytes = ATTRIBUTE.unpack_from(data, at)
            at += ATTRIBUTE.size
            end = at + length + value_bytes
            if prefix not in _SPELLED or end > size:
                raise BadImage("an attribute is not whole")
            name = _SPELLED[prefix] + bytes(data[at : at + length])
            found.append((name, bytes(data[at + length : end])))
            at = end + (-end % 4)
        return found

    def _entries(self, folder: _Inode) -> Iterator[tuple[bytes, int]]:
        """Names and places of what is in a folder."""
        content, last = folder.content, b""
        for begin in range(0, len(content), BLOCK_BYTES):
            block = bytes(content[begin : begin + BLOCK_BYTES])
            if len(block) < ENTRY.size:
                raise BadImage("a folder ends too early")
            (names_at,) = _FIRST_NAME.unpack_from(block)
            count = names_at // ENTRY.size
            if not count or names_at % ENTRY.size or names_at > len(block):
                raise BadImage("a folder has no entries")
            heads = list(ENTRY.iter_unpack(block[:names_at]))
            ends = [head[1] for head in heads[1:]] + [len(block)]
            for (place, name_at, _), end in zip(heads, ends, strict=True):
                name = block[name_at:end].rstrip(b"\0")
                if name <= last or len(name) > MAX_NAME_BYTES or b"/" in name or b"\0" in name:
                    raise BadImage(f"a folder has an entry {name!r}")
                last = name
                if name not in (b".", b".."):
                    yield name, place

    def _leaf(self, inode: _Inode) -> ImageFile | ImageLink:
        """The node of an inode that is no folder."""
        if inode.kind == stat.S_IFLNK and inode.content:
            return ImageLink(inode.metadata, bytes(inode.content))
        if inode.kind == stat.S_IFREG and inode.pooled:
            return ImageFile(inode.metadata, inode.size_bytes, inode.pooled)
        if inode.kind == stat.S_IFREG and inode.size_bytes <= MAX_INLINE_BYTES:
            return ImageFile(inode.metadata, inode.size_bytes, bytes(inode.content))
        raise BadImage("a node is neither file, folder nor link")


class _Reader:
    """Reads one tree; counts, so that nothing is read for ever."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._count = 0
        self._known: dict[Metadata, Metadata] = {}

    def read(self, place: int, depth: int) -> Node:
        """The node at a place, with all that is below it."""
        self._count += 1
        if self._count > MAX_NODES or depth > MAX_DEPTH:
            raise BadImage("a folder is in itself")
        inode = self._image._inode(place)
        metadata = self._known.setdefault(inode.metadata, inode.metadata)
        if inode.kind == stat.S_IFDIR:
            found = self._image._entries(inode)
            entries = [(name, self.read(below, depth + 1)) for name, below in found]
            return ImageFolder(metadata, tuple(entries))
        if inode.pooled and inode.kind == stat.S_IFREG:
            return ImageFile(metadata, inode.size_bytes, inode.pooled)
        return self._image._leaf(inode)


def _pooled(attributes: list[tuple[bytes, bytes]]) -> tuple[bytes, Attributes]:
    """The digest that attributes name, and the other ones."""
    digest = place = b""
    others = []
    for name, value in attributes:
        if name == METACOPY:
            digest = value.removeprefix(METACOPY_VALUE)
        elif name == REDIRECT:
            place = value
        else:
            others.append((name, value))
    if (digest or place) and (len(digest) != DIGEST_BYTES or place != redirect(digest)):
        raise BadImage("a content with another name")
    return digest, tuple(others)
