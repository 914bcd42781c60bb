"""Recovering a file system as its next mount would, without mounting it.

``e2fsck -p`` replays the journal and ends what was begun with files that were being deleted; then
nothing may be left to repair: ``e2fsck -fn`` must find the file system whole. Both see a sparse
file that has only the metadata, and of the journal only what a replay depends on. That makes them
fast, and each content of these is asked about once, in whatever states it appears.

The kernel is stricter in one thing: it takes no other superblock than the first one, and none with
a wrong checksum. e2fsck would fall back on a copy. So that is checked here.

Source: e2image(8), e2fsck(8); ``ext4_superblock_csum`` of Linux.
Tested by ``tests/unit/prove/test_recovery.py``.
"""

import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.base import process
from reconix.base.process import CommandFailed
from reconix.prove.blocks import (
    Disk,
    Identifier,
    Identifiers,
    Patched,
    identify,
    map_file,
    read,
)
from reconix.prove.ext4 import (
    SUPER_BYTES,
    SUPER_OFFSET,
    BadFileSystem,
    Ext4,
    Geometry,
    Super,
)
from reconix.prove.journal import journaled, replayed
from reconix.prove.recorder import loop

_CORRECTED = 1
_OUTPUT_CHARACTERS = 300
_METADATA_CSUM = 0x400
_MAX_RUN = 1024  # IOV_MAX of Linux


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a mount makes of a file system.

    Attributes:
        problem: why it cannot be mounted or is not whole; empty if all is well.
        patches: the blocks that recovery has changed.
    """

    problem: str
    patches: Mapping[int, Identifier]


@dataclass(frozen=True, slots=True)
class Volume:
    """A file system on a disk, and which of its blocks a history has to do with.

    Attributes:
        offset: where it begins on the disk, in bytes.
        size_bytes: how large it is.
        metadata: the blocks that ever were metadata, journal excluded.
        asked: these, as far as anything was written there.
        journal: the blocks of the journal, in their order.
        superblock_at: the number of the block with the superblock.
    """

    offset: int
    size_bytes: int
    metadata: tuple[int, ...]
    asked: tuple[int, ...]
    journal: tuple[int, ...]
    superblock_at: int


def volume(disk: Disk, offset: int, size_bytes: int, written: Mapping[int, list[bytes]]) -> Volume:
    """Find out which blocks of a file system are metadata.

    Args:
        disk: at the image that a history begins with.
        offset: where on it the file system begins.
        size_bytes: how large that is.
        written: every content that the history gives to a block.
    """
    first = offset // disk.block_bytes
    journal = journal_blocks(disk, offset)
    contents = (each for block in journal if block in written for each in written[block])
    superblock_at = (offset + SUPER_OFFSET) // disk.block_bytes
    named = {first + block for block in journaled(contents)} | {superblock_at}
    metadata = tuple(sorted(named - set(journal)))
    asked = tuple(each for each in metadata if each in written)
    return Volume(offset, size_bytes, metadata, asked, journal, superblock_at)


def journal_blocks(disk: Disk, offset: int) -> tuple[int, ...]:
    """The blocks of the journal of a file system that begins at an offset, in their order."""
    first = offset // disk.block_bytes
    files = Ext4(disk, Geometry.read(disk, offset))
    return tuple(
        first + block
        for run in files.runs(files.inode(files.super.journal_inode))
        for block in range(run.physical, run.physical + run.count)
    )


class Recovery:
    """Recovers the file system of a disk in one state after the other.

    Args:
        disk: moves through its states.
        place: the file system on it.
        metadata: a file with only the metadata that the history begins with, see ``extract``.
        folder: for a sparse file, best in memory.
    """

    def __init__(self, disk: Disk, place: Volume, metadata: Path, folder: Path) -> None:
        self._disk, self.volume = disk, place
        self._base = map_file(metadata)
        self._extents = [(begin, self._base[begin:end]) for begin, end in _data(metadata)]
        self._scratch = folder / f"recovered-{os.getpid()}"
        self._asked = frozenset(place.asked)
        self._metadata = list(_runs(place.metadata))
        self._known: dict[int, Recovered] = {}
        self._known_by_effect: dict[Identifier, Recovered] = {}
        self._numbers: dict[Identifiers, int] = {}
        self._problems: list[str] = []
        disk.watch({*place.asked, *place.journal})

    def recover(self) -> Recovered:
        """Recover the file system of the disk as it is now."""
        found = self._known.get(self._disk.fingerprint)
        if found is None:
            found = self._known[self._disk.fingerprint] = self._recover_or_recall()
        return found

    def _recover_or_recall(self) -> Recovered:
        wanted = self._read_by_a_mount()
        content = "".join(f"{block} {self._disk.identifier(block)!r} " for block in wanted)
        effect = identify(content.encode())
        found = self._known_by_effect.get(effect)
        if found is None:
            found = self._known_by_effect[effect] = self._recover(wanted)
        return found

    def _read_by_a_mount(self) -> list[int]:
        """The blocks on which recovery depends, ascending."""
        journal = self.volume.journal
        numbers = replayed(lambda number: self._disk.block(journal[number]), len(journal))
        live = journal if numbers is None else (journal[number] for number in numbers)
        return sorted({*self.volume.asked, *live})

    def _recover(self, wanted: Iterable[int]) -> Recovered:
        block = read(self._disk, self.volume.offset + SUPER_OFFSET, SUPER_BYTES)
        problem = superblock_problem(block)
        if not problem:
            self._fill(wanted)
            problem = _replay(self._scratch)
        if problem:
            return Recovered(problem, {})
        patches = dict(self._patches())
        view = Patched(self._disk, patches)
        metadata = tuple(map(view.identifier, self.volume.metadata))
        number = self._numbers.setdefault(metadata, len(self._numbers))
        if number == len(self._problems):
            self._problems.append(_examine(self._scratch))
        return Recovered(self._problems[number], patches)

    def _fill(self, wanted: Iterable[int]) -> None:
        size, begin = self._disk.block_bytes, self.volume.offset
        with self._scratch.open("wb") as file:
            file.truncate(self.volume.size_bytes)
            for at, content in self._extents:
                os.pwrite(file.fileno(), content, at)
            written = (each for each in wanted if each in self._disk.written)
            for run in _runs(written):
                os.pwritev(file.fileno(), [*map(self._disk.block, run)], run[0] * size - begin)

    def _patches(self) -> Iterator[tuple[int, Identifier]]:
        """The blocks that differ from what was filled in; of the superblock only times do."""
        size, begin = self._disk.block_bytes, self.volume.offset
        with self._scratch.open("rb") as file:
            for run in self._metadata:
                at = run[0] * size - begin
                found = os.pread(file.fileno(), len(run) * size, at)
                for block, skip in zip(run, range(0, len(found), size), strict=True):
                    content = found[skip : skip + size]
                    is_filled = content == self._filled(block, at + skip)
                    if block != self.volume.superblock_at and not is_filled:
                        yield block, self._disk.keep(content)

    def _filled(self, block: int, at: int) -> bytes:
        if self._disk.identifier(block) is not None and block in self._asked:
            return self._disk.block(block)
        return self._base[at : at + self._disk.block_bytes]


def _runs(blocks: Iterable[int]) -> Iterator[range]:
    """Ascending numbers as runs without gaps, of a length that one call writes."""
    begin = end = 0
    for block in blocks:
        if block != end or end - begin == _MAX_RUN:
            if begin < end:
                yield range(begin, end)
            begin = block
        end = block + 1
    if begin < end:
        yield range(begin, end)


def recover_in_place(image: Path, offset: int, size_bytes: int) -> str:
    """Recover a file system on a disk image; gives what is wrong with it, or nothing."""
    block = map_file(image)[offset + SUPER_OFFSET : offset + SUPER_OFFSET + SUPER_BYTES]
    problem = superblock_problem(block)
    if problem:
        return problem
    with loop(image, "--offset", str(offset), "--sizelimit", str(size_bytes)) as device:
        return _replay(device) or _examine(device)


def extract(image: Path, offset: int, into: Path) -> None:
    """Copy the metadata of a file system on a disk into a sparse file."""
    process.run("e2image", "-r", "-o", str(offset), image, into)


def _replay(place: Path) -> str:
    try:
        process.run("e2fsck", "-p", place)
    except CommandFailed as error:
        if error.status != _CORRECTED:
            return f"the journal cannot be replayed: {_short(error)}"
    return ""


def _examine(place: Path) -> str:
    try:
        process.run("e2fsck", "-fn", place)
    except CommandFailed as error:
        return f"the file system is damaged: {_short(error)}"
    return ""


def superblock_problem(block: bytes) -> str:
    """Why a kernel would not take a superblock, or nothing."""
    try:
        Super.parse(block)
    except BadFileSystem as error:
        return str(error)
    (features,) = struct.unpack_from("<I", block, 0x64)
    (checksum,) = struct.unpack_from("<I", block, 0x3FC)
    if features & _METADATA_CSUM and crc32c(block[:0x3FC]) != checksum:
        return "the superblock has a wrong checksum: no kernel mounts it"
    return ""


def crc32c(content: bytes) -> int:
    """The checksum of ext4, as it is stored: not inverted at the end."""
    state = 0xFFFFFFFF
    for byte in content:
        state = _CRC[(state ^ byte) & 0xFF] ^ state >> 8
    return state


def _crc_of(number: int) -> int:
    for _ in range(8):
        number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
    return number


_CRC = tuple(map(_crc_of, range(256)))


def _data(path: Path) -> Iterable[tuple[int, int]]:
    """The parts of a sparse file that hold data."""
    with path.open("rb") as file:
        size, end = path.stat().st_size, 0
        while end < size:
            try:
                begin = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:  # ENXIO: only a hole up to the end
                return
            end = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            yield begin, end


def _short(error: CommandFailed) -> str:
    said = error.output.decode(errors="replace") or str(error)
    return " ".join(said.split())[:_OUTPUT_CHARACTERS]
