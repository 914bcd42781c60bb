"""Writing an image: a pure function from trees to the bytes of an EROFS file system.

An image holds names, metadata, links and small files. The content of any other file is a hole of
its size, with two attributes for overlayfs: where the content lies in the pool, and the fs-verity
digest that it must have. Mounted over the pool, ``lowerdir=IMAGE::POOL``, the kernel joins both.
The conventions are those of composefs, whose tools read such an image.

::

    0       header of composefs
    1,024   superblock of EROFS
    1,152   nodes, the entries of a folder one after the other: an inode of 64 bytes, attributes,
            then the target of a link, a small content, the last names of a folder, or the map of a
            file
    ...     blocks: names of large folders, long targets

A node is called by where it stands, in units of 32 bytes. So a first walk gives each its place, and
a second one writes. Nothing else counts: no clock, no order of reading, no user.

The format, byte by byte: ``docs/spec/image.md``. Source: Linux, fs/erofs/erofs_fs.h; composefs,
libcomposefs/lcfs-erofs.h.
Tested by ``tests/unit/store/images/test_erofs.py``, and by ``tests/compat/test_images.py`` with the
kernel, ``fsck.erofs``, ``dump.erofs``, ``composefs-info`` and ``mkcomposefs``.
"""

import itertools
import stat
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from reconix.base.errors import ReconixError
from reconix.store.images.nodes import (
    EXECUTABLE,
    MAX_ATTRIBUTES_BYTES,
    MAX_DEPTH,
    MAX_ID,
    MAX_MTIME,
    MAX_NAME_BYTES,
    MAX_SIZE,
    MAX_TARGET_BYTES,
    Attributes,
    ImageFile,
    ImageFolder,
    ImageLink,
    Node,
)
from reconix.store.images.verity import DIGEST_BYTES

BLOCK_BYTES = 4096
SLOT_BYTES = 32
"""Nodes are counted in these."""

HEADER = struct.Struct("<IIII16x")
"""Of composefs: magic, version, flags, version of its conventions."""
COMPOSEFS_MAGIC, COMPOSEFS_VERSION, CONVENTIONS = 0xD078629A, 1, 2

SUPER_AT = 1024
SUPERBLOCK = struct.Struct("<III BBH QQI III 16s16s I HHH BBIQ24x")
"""Magic, checksum, compatible features; logarithm of the block size, slots of extension, node of
the root; inodes, time and its nanoseconds; blocks, begin of nodes and of shared attributes; UUID,
name; needed features; compression, devices, their begin; logarithm of the blocks of folders,
prefixes of attributes, their begin, packed node."""
EROFS_MAGIC = 0xE0F5E1E2
COMPATIBLE, NEEDED = 0x2, 0x4
"""Times of change are those of content; there are files in chunks."""
_NODES_AT = SUPER_AT + SUPERBLOCK.size

INODE = struct.Struct("<HHHHQIIIIQII16x")
"""Format, attributes, mode, reserved, size, block or chunk, number, user, group, time, nanoseconds,
links."""
EXTENDED = 1
PLAIN, INLINE, CHUNKED = 0, 2, 4
"""Where the content is: in blocks of its own; the last of it behind the inode; in chunks."""

ATTRIBUTES_BYTES = 12
ATTRIBUTE = struct.Struct("<BBH")
PREFIXES = {
    b"user.": 1,
    b"system.posix_acl_access": 2,
    b"system.posix_acl_default": 3,
    b"trusted.": 4,
    b"security.": 6,
}
"""How names of attributes begin: the number stands for it."""
METACOPY, REDIRECT = b"trusted.overlay.metacopy", b"trusted.overlay.redirect"
OVERLAY = b"trusted.overlay."
METACOPY_VALUE = bytes([0, 36, 0, 1])
"""Version, size, flags, SHA-256; the digest follows."""

ENTRY = struct.Struct("<QHBx")
_TYPES = {ImageFile: 1, ImageFolder: 2, ImageLink: 7}
_KINDS = {ImageFile: stat.S_IFREG, ImageFolder: stat.S_IFDIR, ImageLink: stat.S_IFLNK}
NO_BLOCK = b"\xff\xff\xff\xff"

_GATHERED_BYTES = 1 << 16

MAX_NODES = 100_000
"""Of one image: what a device can hold while it makes one."""

Write = Callable[[bytes], object]


class TooLargeForImage(ReconixError):
    """A tree cannot stand in an image."""

    exit_code = 26


class Written(NamedTuple):
    """What an image is."""

    sha256: bytes
    size_bytes: int


def write_image(trees: Iterable[tuple[bytes, Node]], write: Write) -> Written:
    """Write the image of some trees.

    Args:
        trees: what stands in its root, in any order.
        write: takes the bytes, in order.

    Raises:
        TooLargeForImage: a limit of images is broken.
    """
    root = ImageFolder(EXECUTABLE, tuple(sorted(trees)))
    import hashlib  # late: it loads OpenSSL, and the start of a device hashes nothing

    state = hashlib.sha256()
    size_bytes = 0
    for data in _gathered(_Writer(root).pieces()):
        state.update(data)
        size_bytes += len(data)
        write(data)
    return Written(state.digest(), size_bytes)


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in fewer pieces: a node takes less than it costs to hash and to write one."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= _GATHERED_BYTES:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def redirect(digest: bytes) -> bytes:
    """Where a content lies in the pool, as overlayfs is told."""
    name = digest.hex()
    return f"/{name[:2]}/{name[2:]}".encode()


class _Writer:
    """One image on its way: all nodes, a folder's entries one after the other."""

    def __init__(self, root: ImageFolder) -> None:
        self._nodes: list[Node] = [root]
        self._parents = array("I", [0])
        self._first_entries = array("I")  # of each node that is a folder: the number of its first
        self._places = array("Q")  # in bytes
        self._line_up()
        self._end = _NODES_AT
        self._blocks = 0  # besides those of the nodes
        for node in self._nodes:
            self._place(node)

    def pieces(self) -> Iterator[bytes]:
        """The bytes of the image."""
        first_block = -(-self._end // BLOCK_BYTES)
        yield HEADER.pack(COMPOSEFS_MAGIC, COMPOSEFS_VERSION, 0, CONVENTIONS).ljust(SUPER_AT, b"\0")
        yield self._superblock(first_block + self._blocks)
        at, block = _NODES_AT, first_block
        blocks = []
        for number, place in enumerate(self._places):
            inode, outside = self._print(number, block)
            if place != at:
                yield bytes(place - at)
            yield inode
            at = place + len(inode)
            if outside:
                blocks.append(_filled(outside))
                block += len(blocks[-1]) // BLOCK_BYTES
        yield bytes(first_block * BLOCK_BYTES - at)
        yield from blocks

    def _line_up(self) -> None:
        """Number all nodes, those of one depth after those above them."""
        depth, end_of_depth = 0, 1
        for number, node in enumerate(self._nodes):
            if number == end_of_depth:
                depth, end_of_depth = depth + 1, len(self._nodes)
            if depth > MAX_DEPTH:
                raise TooLargeForImage(f"more than {MAX_DEPTH} folders in each other")
            _check(node)
            self._first_entries.append(len(self._nodes))
            if isinstance(node, ImageFolder):
                self._nodes.extend(below for _, below in node.entries)
                self._parents.extend(itertools.repeat(number, len(node.entries)))
            if len(self._nodes) > MAX_NODES:
                raise TooLargeForImage(f"an image has more than {MAX_NODES} files and folders")

    def _place(self, node: Node) -> None:
        """Give the next node its place."""
        size_bytes = _head_bytes(node)
        inside, blocks = _room(node, size_bytes)
        if inside and self._end % BLOCK_BYTES + size_bytes + inside > BLOCK_BYTES:
            self._end = -(-self._end // BLOCK_BYTES) * BLOCK_BYTES
        self._blocks += blocks
        self._places.append(self._end)
        self._end += -(-(size_bytes + inside) // SLOT_BYTES) * SLOT_BYTES

    def _superblock(self, blocks: int) -> bytes:
        root = self._places[0] // SLOT_BYTES
        return SUPERBLOCK.pack(
            *(EROFS_MAGIC, 0, COMPATIBLE, 12, 0, root, len(self._nodes), 1, 0, blocks, 0, 0),
            *(b"", b"", NEEDED, 0, 0, 0, 0, 0, 0, 0),
        )

    def _print(self, number: int, block: int) -> tuple[bytes, bytes]:
        """A node with what stands behind it, and what stands in blocks from ``block`` on."""
        node = self._nodes[number]
        if isinstance(node, ImageFile) and not node.is_inline:
            chunk = max(0, (node.size_bytes - 1).bit_length() - BLOCK_BYTES.bit_length() + 1)
            return self._head(number, CHUNKED, node.size_bytes, chunk) + NO_BLOCK, b""
        content = self._content(number)
        inside, blocks = _room_of(len(content), _head_bytes(node))
        if blocks and not inside and content:
            return self._head(number, PLAIN, len(content), block), content
        whole = len(content) - inside
        head = self._head(number, INLINE, len(content), block if whole else 0)
        return head + content[whole:], content[:whole]

    def _content(self, number: int) -> bytes:
        node = self._nodes[number]
        if isinstance(node, ImageFile):
            return node.content
        return node.target if isinstance(node, ImageLink) else self._names(node, number)

    def _names(self, folder: ImageFolder, number: int) -> bytes:
        """The blocks of a folder, the last one as long as it is."""
        first = self._first_entries[number]
        entries = [(b".", number), (b"..", self._parents[number])]
        entries += ((name, first + place) for place, (name, _) in enumerate(folder.entries))
        entries.sort()
        content = bytearray()
        for begin, end in _groups([name for name, _ in entries]):
            content += bytes(-len(content) % BLOCK_BYTES)
            content += self._block_of_names(entries[begin:end])
        return bytes(content)

    def _block_of_names(self, entries: Sequence[tuple[bytes, int]]) -> bytes:
        """What each name leads to, then the names."""
        at = ENTRY.size * len(entries)
        heads = []
        for name, number in entries:
            place = self._places[number] // SLOT_BYTES
            heads.append(ENTRY.pack(place, at, _TYPES[type(self._nodes[number])]))
            at += len(name)
        return b"".join([*heads, *(name for name, _ in entries)])

    def _head(self, number: int, layout: int, size_bytes: int, block: int) -> bytes:
        """An inode and its attributes."""
        node = self._nodes[number]
        metadata, attributes = node.metadata, _printed_attributes(node)
        inode = INODE.pack(
            *(EXTENDED | layout << 1, _attributes_count(len(attributes))),
            *(_KINDS[type(node)] | metadata.mode, 0, size_bytes, block, number + 1),
            *(metadata.user, metadata.group, metadata.mtime, 0, _links(node)),
        )
        return inode + attributes


def _check(node: Node) -> None:
    """Refuse what an image has no word for, and what would be read back as something else."""
    mode, user, group, mtime, attributes = node.metadata
    if mode >> 12 or not (0 <= user <= MAX_ID and 0 <= group <= MAX_ID and 0 <= mtime <= MAX_MTIME):
        raise TooLargeForImage(f"mode {mode:o}, user {user}, group {group}, time {mtime}")
    if any(name.startswith(OVERLAY) for name, _ in attributes):
        raise TooLargeForImage("an attribute that overlayfs would take for its own")
    if isinstance(node, ImageFolder):
        _check_names([name for name, _ in node.entries])
    elif isinstance(node, ImageLink) and not 0 < len(node.target) <= MAX_TARGET_BYTES:
        raise TooLargeForImage(f"a link to {len(node.target)} bytes")
    elif isinstance(node, ImageFile):
        expected = node.size_bytes if node.is_inline else DIGEST_BYTES
        if len(node.content) != expected or node.size_bytes > MAX_SIZE:
            raise TooLargeForImage(f"a file of {node.size_bytes} bytes")


def _check_names(names: Sequence[bytes]) -> None:
    for name in names:
        if not 0 < len(name) <= MAX_NAME_BYTES or b"/" in name or b"\0" in name:
            raise TooLargeForImage(f"no name of a file: {name!r}")
    if b"." in names or b".." in names or any(a >= b for a, b in itertools.pairwise(names)):
        raise TooLargeForImage("a folder has a name twice")


def _links(node: Node) -> int:
    """How many names a node has; a folder one in each folder that is in it."""
    if not isinstance(node, ImageFolder):
        return 1
    return 2 + sum(isinstance(below, ImageFolder) for _, below in node.entries)


def _filled(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK_BYTES)


def _room(node: Node, head_bytes: int) -> tuple[int, int]:
    """How many bytes of a content stand behind its inode, and how many blocks it takes besides."""
    if isinstance(node, ImageFile) and not node.is_inline:
        return len(NO_BLOCK), 0
    return _room_of(_content_bytes(node), head_bytes)


def _room_of(size_bytes: int, head_bytes: int) -> tuple[int, int]:
    """The same for a content of that size which stands in the image."""
    rest = size_bytes % BLOCK_BYTES
    if head_bytes + rest <= BLOCK_BYTES:
        return rest, size_bytes // BLOCK_BYTES
    return 0, -(-size_bytes // BLOCK_BYTES)


def _content_bytes(node: Node) -> int:
    if isinstance(node, ImageFile):
        return node.size_bytes
    if isinstance(node, ImageLink):
        return len(node.target)
    names = sorted([b".", b"..", *(name for name, _ in node.entries)])
    groups = list(_groups(names))
    begin, end = groups[-1]
    last = sum(ENTRY.size + len(name) for name in names[begin:end])
    return (len(groups) - 1) * BLOCK_BYTES + last


def _groups(names: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Which names of a folder go into a block together: begin and end."""
    begin = used = 0
    for number, name in enumerate(names):
        needed = ENTRY.size + len(name)
        if used + needed > BLOCK_BYTES:
            yield begin, number
            begin, used = number, 0
        used += needed
    yield begin, len(names)


def _attributes(node: Node) -> Attributes:
    """All attributes of a node, with those for overlayfs."""
    own = node.metadata.attributes
    if isinstance(node, ImageFile) and not node.is_inline:
        verity, place = METACOPY_VALUE + node.content, redirect(node.content)
        return (*own, (METACOPY, verity), (REDIRECT, place))
    return own


def _printed_attributes(node: Node) -> bytes:
    if node.metadata.attributes:
        return _print_attributes(_attributes(node))
    if _is_inside(node):
        return b""
    assert isinstance(node, ImageFile)
    return print_pooled(node.content)


def print_pooled(digest: bytes) -> bytes:
    """The attributes of a file in the pool that has no others."""
    return b"".join([BEFORE_DIGEST, digest, BEFORE_PLACE, redirect(digest), _BEHIND_PLACE])


def _head_bytes(node: Node) -> int:
    """The size of an inode with its attributes."""
    if not node.metadata.attributes:
        return _PLAIN_HEAD if _is_inside(node) else _POOLED_HEAD
    return INODE.size + len(_print_attributes(_attributes(node)))


def _is_inside(node: Node) -> bool:
    return not isinstance(node, ImageFile) or node.is_inline


def _print_attributes(attributes: Attributes) -> bytes:
    if not attributes:
        return b""
    printed = bytearray(ATTRIBUTES_BYTES)
    for name, value in attributes:
        number, rest = _shortened(name)
        if len(rest) > MAX_NAME_BYTES or len(value) > MAX_ATTRIBUTES_BYTES:
            raise TooLargeForImage(f"an attribute of {len(name) + len(value)} bytes")
        printed += ATTRIBUTE.pack(len(rest), number, len(value)) + rest + value
        printed += bytes(-len(printed) % 4)
    if len(printed) > MAX_ATTRIBUTES_BYTES:
        raise TooLargeForImage(f"attributes of {len(printed)} bytes")
    return bytes(printed)


def _shortened(name: bytes) -> tuple[int, bytes]:
    """The number of how a name of an attribute begins, and the rest of it."""
    for prefix, number in PREFIXES.items():
        if name.startswith(prefix) and prefix.endswith(b".") == (name != prefix):
            return number, name.removeprefix(prefix)
    raise TooLargeForImage(f"an image has no word for the attribute {name!r}")


def _attributes_count(size_bytes: int) -> int:
    """How an inode says how much its attributes take."""
    return (size_bytes - ATTRIBUTES_BYTES) // 4 + 1 if size_bytes else 0


_PLAIN_HEAD = INODE.size


def _print_pooled() -> tuple[bytes, bytes, bytes]:
    """What stands before, between and behind the digest of a content and its place in the pool."""
    digest = bytes(range(DIGEST_BYTES))
    place = redirect(digest)
    printed = _print_attributes(((METACOPY, METACOPY_VALUE + digest), (REDIRECT, place)))
    before, _, rest = printed.partition(digest)
    between, _, behind = rest.partition(place)
    return before, between, behind


BEFORE_DIGEST, BEFORE_PLACE, _BEHIND_PLACE = _print_pooled()
"""The attributes of nearly all files in the pool are these, with two values."""
_PLACE_BYTES = len(redirect(bytes(DIGEST_BYTES)))
POOLED_BYTES = len(BEFORE_DIGEST + BEFORE_PLACE + _BEHIND_PLACE) + DIGEST_BYTES + _PLACE_BYTES
_POOLED_HEAD = INODE.size + POOLED_BYTES
