"""ext4, read only: names, inodes and contents, from blocks.

Only what a device's system partition has: extents, folders (an index is a folder too, if it is
read from its leaves), short and long symbolic links. Checksums are left to e2fsck, which sees the
same blocks.

Source: Linux, Documentation/filesystems/ext4. Tested by ``tests/unit/prove/test_ext4.py`` against
debugfs and the kernel's own ext4.
"""

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from reconix.base.errors import ReconixError
from reconix.prove.blocks import View, read

SUPER_OFFSET = 1024
SUPER_BYTES = 1024
ROOT_INODE = 2
_MAGIC = 0xEF53
_EXTENTS_MAGIC = 0xF30A
_EXTENTS_FLAG, _INLINE_FLAG = 0x80000, 0x10000000
_64BIT = 0x80
_FAST_LINK_BYTES = 60
_MAX_DEPTH = 5
_MAX_LOG_SIZE = 6
_UNWRITTEN = 1 << 15


class BadFileSystem(ReconixError):
    """Not an ext4 file system, or a damaged one."""

    exit_code = 36


@dataclass(frozen=True, slots=True)
class Super:
    """The facts of a file system that are needed to find anything."""

    block_bytes: int
    inodes_per_group: int
    inode_bytes: int
    descriptor_bytes: int
    first_block: int
    journal_inode: int
    groups: int

    @classmethod
    def parse(cls, block: bytes) -> "Super":
        """Read a superblock of 1024 bytes.

        Raises:
            BadFileSystem: it is not one.
        """
        (magic,) = struct.unpack_from("<H", block, 0x38)
        if magic != _MAGIC:
            raise BadFileSystem("there is no ext4 superblock")
        (first, log_size) = struct.unpack_from("<II", block, 0x14)
        inodes, _ = struct.unpack_from("<II", block, 0)
        (per_group,) = struct.unpack_from("<I", block, 0x28)
        (inode_bytes,) = struct.unpack_from("<H", block, 0x58)
        (incompatible,) = struct.unpack_from("<I", block, 0x60)
        (journal,) = struct.unpack_from("<I", block, 0xE0)
        (descriptor,) = struct.unpack_from("<H", block, 0xFE)
        if not incompatible & _64BIT:
            descriptor = 32
        if log_size > _MAX_LOG_SIZE or not per_group or inode_bytes < 128:
            raise BadFileSystem("the ext4 superblock makes no sense")
        return cls(
            1024 << log_size,
            per_group,
            inode_bytes,
            descriptor,
            first,
            journal,
            inodes // per_group,
        )


@dataclass(frozen=True, slots=True)
class Inode:
    """One inode, without times and owners."""

    number: int
    mode: int
    size_bytes: int
    flags: int
    map: bytes  # of extents, or a short link

    @property
    def is_folder(self) -> bool:
        """Whether it is one."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular one."""
        return stat.S_ISREG(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic one."""
        return stat.S_ISLNK(self.mode)


@dataclass(frozen=True, slots=True)
class Run:
    """Blocks of a file that lie side by side."""

    logical: int
    physical: int
    count: int


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where everything begins in a file system; the same as long as it exists.

    Attributes:
        offset: where it begins on the disk, in bytes.
        super: the facts of its superblock.
        tables: the first block of each group's inodes.
    """

    offset: int
    super: Super
    tables: tuple[int, ...]

    @classmethod
    def read(cls, view: View, offset: int) -> "Geometry":
        """Find it out from a file system at some place of a disk.

        Raises:
            BadFileSystem: there is none.
        """
        facts = Super.parse(read(view, offset + SUPER_OFFSET, SUPER_BYTES))
        at = offset + (facts.first_block + 1) * facts.block_bytes
        raw = read(view, at, facts.groups * facts.descriptor_bytes)
        size = facts.descriptor_bytes
        pieces = (raw[begin : begin + size] for begin in range(0, len(raw), size))
        return cls(offset, facts, tuple(map(_table, pieces)))


def _table(descriptor: bytes) -> int:
    (low,) = struct.unpack_from("<I", descriptor, 8)
    high = struct.unpack_from("<I", descriptor, 0x28)[0] if len(descriptor) >= 64 else 0
    return int(high << 32 | low)


class Ext4:
    """A file system on a disk.

    Args:
        view: the disk.
        geometry: of the file system.

    Raises:
        BadFileSystem: from everything; it is damaged.
    """

    def __init__(self, view: View, geometry: Geometry) -> None:
        self._view, self._geometry = view, geometry
        self._offset, self.super = geometry.offset, geometry.super

    def inode(self, number: int) -> Inode:
        """The inode of a number."""
        facts = self.super
        group, index = divmod(number - 1, facts.inodes_per_group)
        if not 0 <= group < len(self._geometry.tables):
            raise BadFileSystem(f"there is no inode {number}")
        at = self._geometry.tables[group] * facts.block_bytes + index * facts.inode_bytes
        raw = read(self._view, self._offset + at, 128)
        mode, _, low = struct.unpack_from("<HHI", raw)
        (flags,) = struct.unpack_from("<I", raw, 0x20)
        (high,) = struct.unpack_from("<I", raw, 0x6C)
        return Inode(number, mode, high << 32 | low, flags, raw[0x28:0x64])

    def lookup(self, *names: str) -> Inode | None:
        """The inode at a path from the root, if there is one."""
        inode = self.inode(ROOT_INODE)
        for name in names:
            found = dict(self.names(inode)).get(name.encode()) if inode.is_folder else None
            if found is None:
                return None
            inode = self.inode(found)
        return inode

    def names(self, folder: Inode) -> list[tuple[bytes, int]]:
        """The names in a folder and their inodes, sorted, without ``.`` and ``..``."""
        found: list[tuple[bytes, int]] = []
        for run in self.runs(folder):
            for block in range(run.physical, run.physical + run.count):
                found += _names(self.block(block))
        return sorted(each for each in found if each[0] not in (b".", b".."))

    def content(self, file: Inode) -> Iterator[bytes]:
        """What a file contains, block by block."""
        size, at = self.super.block_bytes, 0
        for run in self.runs(file):
            while at < run.logical * size and at < file.size_bytes:
                yield bytes(size)
                at += size
            for block in range(run.physical, run.physical + run.count):
                yield self.block(block)[: max(0, file.size_bytes - at)]
                at += size
        while at < file.size_bytes:
            yield bytes(min(size, file.size_bytes - at))
            at += size

    def target(self, link: Inode) -> bytes:
        """Where a symbolic link leads."""
        if link.size_bytes < _FAST_LINK_BYTES and not link.flags & _EXTENTS_FLAG:
            return link.map[: link.size_bytes]
        return b"".join(self.content(link))[: link.size_bytes]

    def runs(self, inode: Inode) -> list[Run]:
        """Where a file lies; what is allocated and was never written is left out."""
        if inode.flags & _INLINE_FLAG or not inode.flags & _EXTENTS_FLAG:
            raise BadFileSystem(f"inode {inode.number} is not kept in extents")
        return list(self._runs(inode.map, _MAX_DEPTH))

    def block(self, number: int) -> bytes:
        """One block."""
        size = self.super.block_bytes
        return read(self._view, self._offset + number * size, size)

    def _runs(self, node: bytes, depth: int) -> Iterator[Run]:
        magic, count, _, level = struct.unpack_from("<HHHH", node)
        if magic != _EXTENTS_MAGIC or depth == 0 or 12 * (count + 1) > len(node):
            raise BadFileSystem("a list of extents is damaged")
        for at in range(12, 12 * (count + 1), 12):
            if level:
                _, low, high = struct.unpack_from("<IIH", node, at)
                yield from self._runs(self.block(high << 32 | low), depth - 1)
                continue
            logical, length, high, low = struct.unpack_from("<IHHI", node, at)
            if length <= _UNWRITTEN:
                yield Run(logical, high << 32 | low, length)


def _names(block: bytes) -> Iterator[tuple[bytes, int]]:
    at = 0
    while at + 8 <= len(block):
        inode, length, name_length, _ = struct.unpack_from("<IHBB", block, at)
        if length < 8 or at + length > len(block):
            raise BadFileSystem("a folder is damaged")
        if inode:
            yield block[at + 8 : at + 8 + name_length], inode
        at += length
