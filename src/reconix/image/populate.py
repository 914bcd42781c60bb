"""Populating a new ext4 file system: each file written once, in order, in linear time.

``mkfs.ext4 -d`` wants a folder that looks like the file system, down to modes and owners, and for
each new name it searches the folder from its front, twice: 35,851 names made it read 82 GB. So mkfs
makes an empty file system, and this module puts there what is described (``new_files.py``), by the
little of ext4 that this takes:

    superblock           how many blocks and inodes are free
    group descriptors    where bitmaps and inodes of a group are, what is free in it
    bitmaps              a bit for each block, each inode
    inodes               mode, size, links, and the extents: which blocks, in order
    folders              records of inode, length, kind and name; none goes over a block

A file that the kernel shall compare with its hashes has these behind its content, where nobody
reads (``verity_blocks.py``), and a flag in its inode.

Blocks and inodes are given out in the order of their numbers, to files in the order of their names,
parents first. Owner is root, all times are one second after 1970. So equal content gives equal
bytes. There are no checksums to keep right, because our file systems have none of metadata
(``image/ext4.py``).

Source: Linux, Documentation/filesystems/ext4.
Tested by ``tests/compat/test_ext4.py`` with e2fsck and debugfs, and by the kernel in ``tests/vm/``.
"""

import os
import re
import stat
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.base.files import chunks
from reconix.base.progress import Stage
from reconix.image.new_files import NewFile, NewFolder, NewLink, NewNode, walk
from reconix.image.verity_blocks import VERITY_FLAG, begin_of_hashes, print_hashes
from reconix.store.images.verity import BLOCK_BYTES, VerityHash

ROOT_INODE, _LOST_INODE = 2, 11
_SUPER_AT, _SUPER_BYTES = 1024, 1024
_64BIT = 0x80
_BLOCKS, _INODES, _FOLDERS = (0x0C, 0x2C), (0x0E, 0x2E), (0x10, 0x30)
"""Where a descriptor counts what is free, and its folders: low and high half."""
_BLOCK_BITMAP, _INODE_BITMAP, _INODE_TABLE = (0, 0x20), (4, 0x24), (8, 0x28)

_INODE = struct.Struct("<HHIIIIIHHII4x60s 28x HH12xI")
"""Mode, uid, size, times (access, change, content, deletion), gid, links, half kilobytes, flags,
extents; then the size of what follows the first 128 bytes, and the time when it was made."""
_EXTRA_BYTES = 32
_TIME = 1
_MAX_LINKS = 65000
_EXTENTS_FLAG, _EXTENTS_MAGIC = 0x80000, 0xF30A
_EXTENT_BYTES, _EXTENTS_IN_INODE, _MAX_EXTENT = 12, 4, 1 << 15
_FAST_LINK_BYTES = 60
_RECORD = struct.Struct("<IHBB")
_FILE, _FOLDER, _LINK = 1, 2, 7
_KINDS = {NewFile: _FILE, NewFolder: _FOLDER, NewLink: _LINK}
_LINK_MODE = stat.S_IFLNK | 0o777


class NoRoom(ReconixError):
    """A file system has too few blocks or inodes."""

    exit_code = 63


class BlocksTooSmall(ReconixError):
    """A file system cannot have hashes of contents."""

    exit_code = 63

    def __init__(self, block_bytes: int) -> None:
        super().__init__(f"blocks of {block_bytes} bytes cannot have hashes: {BLOCK_BYTES} can")


class Run(NamedTuple):
    """Blocks, or inodes, whose numbers follow each other."""

    first: int
    length: int


class Name(NamedTuple):
    """A name in a folder."""

    name: bytes
    inode: int
    kind: int


@dataclass(slots=True)
class _Node:
    """An inode that will be written at the end, when all its names are known."""

    mode: int
    size_bytes: int = 0
    extents: bytes = bytes(_FAST_LINK_BYTES)
    blocks: int = 0
    flags: int = 0
    links: int = 0


def populate(image: Path, content: NewFolder) -> None:
    """Put files into a file system that mkfs has just made.

    Args:
        image: the file system; without checksums of metadata.
        content: what its root shall hold; the mode of the root is left as it is.

    Raises:
        NoRoom: ``content`` does not fit.
    """
    descriptor = os.open(image, os.O_RDWR | os.O_CLOEXEC)
    try:
        writer = _Writer(Volume(descriptor))
        total = sum(node.size_bytes for node in walk(content) if isinstance(node, NewFile))
        with progress.stage("write files", total=total) as stage:
            writer.add_tree(content, stage)
            writer.finish()
    finally:
        os.close(descriptor)


class Space:
    """Blocks or inodes, of which some are free; they are given out from the front.

    Args:
        bitmaps: of each group, as a number whose lowest bit is its first member.
        first: the number of the first member of the first group.
        per_group: how many a group has; the last may have fewer, and its bitmap says so.
    """

    def __init__(self, what: str, bitmaps: list[int], *, first: int, per_group: int) -> None:
        self.bitmaps, self.given = bitmaps, Counter[int]()
        self._what, self._first, self._per_group = what, first, per_group
        self._runs = self._runs_of("0+")
        self._next = Run(0, 0)

    def take(self, count: int) -> list[Run]:
        """Allocate a number of them.

        Raises:
            NoRoom: fewer are free.
        """
        taken = []
        while count:
            if not self._next.length:
                self._next = self._next_run()
            run = Run(self._next.first, min(count, self._next.length))
            self._next = Run(run.first + run.length, self._next.length - run.length)
            self._mark(run)
            taken.append(run)
            count -= run.length
        return taken

    def group_of(self, number: int) -> int:
        """The group of a member."""
        return (number - self._first) // self._per_group

    def used(self) -> Iterator[Run]:
        """All that is not free; no run goes beyond its group."""
        return self._runs_of("1+")

    def _next_run(self) -> Run:
        for run in self._runs:
            return run
        raise NoRoom(f"the file system has too few {self._what}")

    def _runs_of(self, bits_wanted: str) -> Iterator[Run]:
        """What is free, zeros, or not; no run goes beyond its group."""
        for group, bitmap in enumerate(self.bitmaps):
            bits = f"{bitmap:0{self._per_group}b}"[::-1]
            first = self._first + group * self._per_group
            for found in re.finditer(bits_wanted, bits):
                yield Run(first + found.start(), found.end() - found.start())

    def _mark(self, run: Run) -> None:
        group = self.group_of(run.first)
        at = run.first - self._first - group * self._per_group
        self.bitmaps[group] |= ((1 << run.length) - 1) << at
        self.given[group] += run.length


class Volume:
    """The image: what mkfs has written there, read once, and written back at the end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._super = bytearray(os.pread(descriptor, _SUPER_BYTES, _SUPER_AT))
        self.block_bytes = 1024 << self._number("<I", 0x18)
        self.inode_bytes = self._number("<H", 0x58)
        is_wide = self._number("<I", 0x60) & _64BIT
        self._descriptor_bytes = self._number("<H", 0xFE) if is_wide else 32
        self._per_group = self._number("<I", 0x20), self._number("<I", 0x28)
        first = self._number("<I", 0x14)
        self._table_at = (first + 1) * self.block_bytes
        groups = self._number("<I", 0) // self._per_group[1]
        self._groups = self._read_groups(groups)
        blocks, inodes = (self._bitmaps(kind) for kind in (_BLOCK_BITMAP, _INODE_BITMAP))
        self.blocks = Space("blocks", blocks, first=first, per_group=self._per_group[0])
        self.inodes = Space("inodes", inodes, first=1, per_group=self._per_group[1])
        self.folders = Counter[int]()

    def read(self, offset: int, size: int) -> bytes:
        """Read some bytes."""
        return os.pread(self._descriptor, size, offset)

    def write(self, offset: int, content: bytes) -> None:
        """Write some bytes."""
        view = memoryview(content)
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            view, offset = view[written:], offset + written

    def write_blocks(self, runs: Sequence[Run], pieces: Iterator[bytes]) -> None:
        """Write a content to the blocks that were taken for it."""
        waiting = b""
        for run in runs:
            at, end = run.first * self.block_bytes, (run.first + run.length) * self.block_bytes
            while at < end and (waiting := waiting or next(pieces, b"")):
                part, waiting = waiting[: end - at], waiting[end - at :]
                self.write(at, part)
                at += len(part)

    def blocks_for(self, size_bytes: int) -> int:
        """How many blocks a content takes."""
        return -(-size_bytes // self.block_bytes)

    def inode_at(self, number: int) -> int:
        """Where an inode is."""
        group, index = divmod(number - 1, self._per_group[1])
        return self._place(group, _INODE_TABLE) * self.block_bytes + index * self.inode_bytes

    def finish(self) -> None:
        """Write down what is in use now."""
        for group, raw in enumerate(self._groups):
            for space, kind, where in (
                (self.blocks, _BLOCKS, _BLOCK_BITMAP),
                (self.inodes, _INODES, _INODE_BITMAP),
            ):
                if space.given[group]:
                    self._count(raw, kind, -space.given[group])
                    bitmap = space.bitmaps[group].to_bytes(self.block_bytes, "little")
                    self.write(self._place(group, where) * self.block_bytes, bitmap)
            self._count(raw, _FOLDERS, self.folders[group])
        self.write(self._table_at, b"".join(self._groups))
        free = self._number("<I", 0x0C) | self._number("<I", 0x158) << 32
        free -= self.blocks.given.total()
        struct.pack_into("<I", self._super, 0x0C, free & 0xFFFFFFFF)
        struct.pack_into("<I", self._super, 0x158, free >> 32)
        struct.pack_into(
            "<I", self._super, 0x10, self._number("<I", 0x10) - self.inodes.given.total()
        )
        self.write(_SUPER_AT, bytes(self._super))

    def _number(self, form: str, at: int) -> int:
        (number,) = struct.unpack_from(form, self._super, at)
        return int(number)

    def _read_groups(self, count: int) -> list[bytearray]:
        size = self._descriptor_bytes
        raw = self.read(self._table_at, count * size)
        return [bytearray(raw[at : at + size]) for at in range(0, len(raw), size)]

    def _bitmaps(self, kind: tuple[int, int]) -> list[int]:
        places = (self._place(group, kind) for group in range(len(self._groups)))
        read = (self.read(place * self.block_bytes, self.block_bytes) for place in places)
        return [int.from_bytes(content, "little") for content in read]

    def _place(self, group: int, kind: tuple[int, int]) -> int:
        low, high = kind
        raw = self._groups[group]
        (number,) = struct.unpack_from("<I", raw, low)
        if len(raw) > 32:
            number |= struct.unpack_from("<I", raw, high)[0] << 32
        return int(number)

    @staticmethod
    def _count(raw: bytearray, kind: tuple[int, int], more: int) -> None:
        low, high = kind
        (number,) = struct.unpack_from("<H", raw, low)
        if len(raw) > 32:
            number |= struct.unpack_from("<H", raw, high)[0] << 16
            struct.pack_into("<H", raw, high, number + more >> 16)
        struct.pack_into("<H", raw, low, number + more & 0xFFFF)


class _Writer:
    """Files on their way into a volume."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._nodes: dict[int, _Node] = {}

    def add_tree(self, root: NewFolder, stage: Stage) -> None:
        """Add what is in a folder; the folder itself becomes the root."""
        lost = Name(b"lost+found", _LOST_INODE, _FOLDER)
        before = self._volume.read(self._volume.inode_at(ROOT_INODE), self._volume.inode_bytes)
        self._nodes[ROOT_INODE] = _Node(int.from_bytes(before[:2], "little"), links=2)
        (first,) = struct.unpack_from("<I", before, 40 + 12 + 8)
        waiting = [(root, ROOT_INODE, ROOT_INODE)]
        while waiting:
            folder, own, parent = waiting.pop()
            names, inner = self._add_names(folder)
            stage.advance(sum(n.size_bytes for _, n in folder.entries if isinstance(n, NewFile)))
            if own == ROOT_INODE:
                self._nodes[own].links += 1
                self._write_folder(own, parent, [lost, *names], [Run(first, 1)])
            else:
                self._write_folder(own, parent, names, [])
            self._nodes[own].links += len(inner)
            waiting += [(path, number, own) for path, number in reversed(inner)]

    def finish(self) -> None:
        """Write inodes, and what is in use."""
        for number, node in self._nodes.items():
            self._volume.write(self._volume.inode_at(number), _print_inode(node, self._volume))
        self._volume.finish()

    def _add_names(self, folder: NewFolder) -> tuple[list[Name], list[tuple[NewFolder, int]]]:
        """Add all that is in a folder but the content of its folders, which are given back."""
        names: list[Name] = []
        inner: list[tuple[NewFolder, int]] = []
        for name, node in folder.entries:
            number = self._add(node)
            names.append(Name(name, number, _KINDS[type(node)]))
            if isinstance(node, NewFolder):
                inner.append((node, number))
        return names, inner

    def _add(self, new: NewNode) -> int:
        """Give something an inode, and write its content unless it is a folder."""
        ((number, _),) = self._volume.inodes.take(1)
        if isinstance(new, NewFolder):
            # Its names are "." and the one in the folder that it is in.
            self._nodes[number] = _Node(stat.S_IFDIR | new.mode, links=2)
            self._volume.folders[self._volume.inodes.group_of(number)] += 1
        elif isinstance(new, NewFile):
            node = self._nodes[number] = _Node(stat.S_IFREG | new.mode, links=1)
            write = self._write_with_hashes if new.has_verity else self._write
            _with_content(new.content, lambda size, pieces: write(node, size, pieces))
        else:
            node = self._nodes[number] = _Node(_LINK_MODE, links=1)
            if len(new.target) < _FAST_LINK_BYTES:
                node.size_bytes, node.extents = len(new.target), new.target
            else:
                self._write(node, len(new.target), iter([new.target]))
        return number

    def _write_folder(self, own: int, parent: int, names: list[Name], has: list[Run]) -> None:
        content = print_folder(
            [Name(b".", own, _FOLDER), Name(b"..", parent, _FOLDER), *names],
            self._volume.block_bytes,
        )
        self._write(self._nodes[own], len(content), iter([content]), has)

    def _write(
        self, node: _Node, size_bytes: int, pieces: Iterator[bytes], has: Sequence[Run] = ()
    ) -> None:
        """Write a content, to blocks that it has and to more of them."""
        volume = self._volume
        more = volume.blocks_for(size_bytes) - sum(run.length for run in has)
        runs = [*has, *volume.blocks.take(more)]
        volume.write_blocks(runs, pieces)
        node.size_bytes, node.flags = size_bytes, _EXTENTS_FLAG
        self._set_extents(node, runs, list(_extents(runs, 0)))

    def _write_with_hashes(self, node: _Node, size_bytes: int, pieces: Iterator[bytes]) -> None:
        """Write a content, and behind it what the kernel compares it with."""
        volume, hashes = self._volume, VerityHash()
        if volume.block_bytes != BLOCK_BYTES:
            raise BlocksTooSmall(volume.block_bytes)
        runs = volume.blocks.take(volume.blocks_for(size_bytes))
        volume.write_blocks(runs, _hashed(pieces, hashes))
        behind = print_hashes(hashes)
        more = volume.blocks.take(volume.blocks_for(len(behind)))
        volume.write_blocks(more, iter([behind]))
        begin = begin_of_hashes(size_bytes) // volume.block_bytes
        node.size_bytes, node.flags = size_bytes, _EXTENTS_FLAG | VERITY_FLAG
        extents = [*_extents(runs, 0), *_extents(more, begin)]
        self._set_extents(node, [*runs, *more], extents)

    def _set_extents(self, node: _Node, runs: Sequence[Run], extents: list[bytes]) -> None:
        node.extents, nodes = self._print_extents(extents)
        node.blocks = sum(run.length for run in runs) + nodes

    def _print_extents(self, entries: list[bytes]) -> tuple[bytes, int]:
        """The extents as they stand in an inode, and how many blocks the rest of them takes."""
        blocks, depth = 0, 0
        per_block = self._volume.block_bytes // _EXTENT_BYTES - 1
        while len(entries) > _EXTENTS_IN_INODE:
            parts = [entries[at : at + per_block] for at in range(0, len(entries), per_block)]
            entries = []
            for part in parts:
                ((block, _),) = self._volume.blocks.take(1)
                content = _print_node(part, per_block, depth)
                self._volume.write(block * self._volume.block_bytes, content)
                entries.append(part[0][:4] + struct.pack("<QH", block, 0)[:8])
            blocks, depth = blocks + len(parts), depth + 1
        return _print_node(entries, _EXTENTS_IN_INODE, depth), blocks


def _with_content(content: bytes | Path, write: Callable[[int, Iterator[bytes]], None]) -> None:
    """Call something with the size of a content and its pieces."""
    if isinstance(content, bytes):
        write(len(content), iter([content]))
        return
    with content.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        write(size_bytes, chunks(file, size_bytes))


def _hashed(pieces: Iterator[bytes], hashes: VerityHash) -> Iterator[bytes]:
    for piece in pieces:
        hashes.update(piece)
        yield piece


def _extents(runs: Sequence[Run], logical: int) -> Iterator[bytes]:
    """The blocks of a file from its block ``logical`` on."""
    for run in runs:
        for at in range(0, run.length, _MAX_EXTENT):
            first, count = run.first + at, min(_MAX_EXTENT, run.length - at)
            yield struct.pack("<IHHI", logical, count, first >> 32, first & 0xFFFFFFFF)
            logical += count


def _print_node(entries: Sequence[bytes], room: int, depth: int) -> bytes:
    header = struct.pack("<HHHHI", _EXTENTS_MAGIC, len(entries), room, depth, 0)
    return header + b"".join(entries)


def print_folder(names: Sequence[Name], block_bytes: int) -> bytes:
    """The content of a folder: whole blocks of records, of which the last fills its block."""
    content, last = bytearray(), 0
    for name in names:
        size = _RECORD.size + (len(name.name) + 3 & ~3)
        left = -len(content) % block_bytes
        if content and left < size:
            _lengthen(content, last, left)
        last = len(content)
        content += _RECORD.pack(name.inode, size, len(name.name), name.kind)
        content += name.name.ljust(size - _RECORD.size, b"\0")
    _lengthen(content, last, -len(content) % block_bytes)
    return bytes(content)


def _lengthen(content: bytearray, last: int, more: int) -> None:
    """Let the last record go on to the end of its block."""
    (size,) = struct.unpack_from("<H", content, last + 4)
    struct.pack_into("<H", content, last + 4, size + more)
    content += bytes(more)


def _print_inode(node: _Node, volume: Volume) -> bytes:
    links = node.links if node.links <= _MAX_LINKS else 1  # a folder: "many"
    packed = _INODE.pack(
        *(node.mode, 0, node.size_bytes & 0xFFFFFFFF, _TIME, _TIME, _TIME, 0, 0),
        *(links, node.blocks * volume.block_bytes // 512, node.flags, node.extents),
        *(_EXTRA_BYTES, 0, _TIME),
    )
    raw = bytearray(packed.ljust(volume.inode_bytes, b"\0"))
    struct.pack_into("<I", raw, 0x6C, node.size_bytes >> 32)
    return bytes(raw)
