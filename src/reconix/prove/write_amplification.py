"""Write amplification: how much each operation writes for what is different on the disk after it.

Writes wear flash memory out, so an update should write what it changes, once. Both are counted in
pages of 4 KiB, however small the blocks of the file system are, because flash writes nothing
smaller: a write of one sector counts as a page, and blocks that go to the disk in one request share
theirs. The journal is no content: what is written there counts as written and never as changed. So
the ratio of content is 1 at best, that of metadata, which a journal writes twice, a little more
than 2.

Each write is told apart by what lies in its place when the operation has ended::

    contents    of the pool
    images
    documents   manifests, and what the agent remembers
    names       folders, inodes, what is free; and files that are gone again
    journal
    elsewhere   slots, partition tables

Tested by ``tests/unit/prove/test_write_amplification.py`` and ``tests/crash/test_prover.py``.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from reconix.prove.blocks import Disk, Identifier, View, identify, map_file
from reconix.prove.contents import IMAGES, POOL
from reconix.prove.ext4 import ROOT_INODE, Ext4, Geometry, Inode
from reconix.prove.history import History, Step, history
from reconix.prove.prover import Job
from reconix.prove.recovery import journal_blocks
from reconix.prove.states import Piece, pieces

PAGE_BYTES = 4096


class Part(Enum):
    """What lies at a place of a disk."""

    CONTENTS = "contents"
    IMAGES = "images"
    DOCUMENTS = "documents"
    NAMES = "names"
    JOURNAL = "journal"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class PartWrites:
    """What one operation, or several, did to one part of the disk."""

    part: Part
    written_bytes: int
    changed_bytes: int


@dataclass(frozen=True, slots=True)
class Writes:
    """What one operation, or several, did to the disk.

    Attributes:
        step: the operation.
        parts: those of the disk to which something was written.
    """

    step: str
    parts: tuple[PartWrites, ...]

    @classmethod
    def sum(cls, step: str, several: Iterable["Writes"]) -> "Writes":
        """Several operations together."""
        written, changed = Counter[Part](), Counter[Part]()
        for each in (part for writes in several for part in writes.parts):
            written[each.part] += each.written_bytes
            changed[each.part] += each.changed_bytes
        return cls.of(step, written, changed)

    @classmethod
    def of(cls, step: str, written: Counter[Part], changed: Counter[Part]) -> "Writes":
        """From bytes by part."""
        parts = (PartWrites(part, written[part], changed[part]) for part in Part)
        return cls(step, tuple(part for part in parts if part.written_bytes or part.changed_bytes))

    @property
    def written_bytes(self) -> int:
        """How much was written, all parts together."""
        return sum(part.written_bytes for part in self.parts)

    @property
    def changed_bytes(self) -> int:
        """How much is different after it."""
        return sum(part.changed_bytes for part in self.parts)

    @property
    def ratio(self) -> float:
        """The write amplification: how often, on average, what is different was written."""
        return self.written_bytes / self.changed_bytes if self.changed_bytes else 0.0

    @property
    def system_bytes(self) -> int:
        """How much was written to the system partition."""
        return sum(part.written_bytes for part in self.parts if part.part is not Part.ELSEWHERE)


def count_writes(job: Job) -> tuple[Writes, ...]:
    """What each operation of a recorded history wrote."""
    image, log = map_file(job.image), map_file(job.log)
    pages = Disk(image, log, PAGE_BYTES)
    geometry = Geometry.read(pages, job.offset)
    block_bytes = geometry.super.block_bytes
    journal = journal_blocks(Disk(image, log, block_bytes), job.offset)
    system = range(job.offset // block_bytes, (job.offset + job.size_bytes) // block_bytes)

    def places(view: View) -> Places:
        files = Ext4(view, geometry)
        found = dict.fromkeys(journal, Part.JOURNAL)
        for part, inode in _files(files, files.inode(ROOT_INODE), None):
            for run in files.runs(inode):
                first = system.start + run.physical
                found.update(dict.fromkeys(range(first, first + run.count), part))
        return Places(block_bytes, system, found)

    return measure(pages, history(log, job.steps, job.asked), places)


def _files(files: Ext4, folder: Inode, part: Part | None) -> Iterator[tuple[Part, Inode]]:
    """All files below a folder."""
    for name, number in files.names(folder):
        inode = files.inode(number)
        kind = part or _BY_NAME.get(name, Part.DOCUMENTS)
        if inode.is_folder:
            yield from _files(files, inode, kind)
        elif inode.is_file:
            yield kind, inode


_BY_NAME = {POOL.encode(): Part.CONTENTS, IMAGES.encode(): Part.IMAGES}


@dataclass(frozen=True, slots=True)
class Places:
    """What lies where on a disk.

    Attributes:
        block_bytes: of the file system of the system partition.
        system: its blocks.
        known: those of which more is known.
    """

    block_bytes: int
    system: range
    known: Mapping[int, Part]

    def part(self, offset: int) -> Part:
        """What lies at an offset of the disk."""
        block = offset // self.block_bytes
        if block not in self.system:
            return Part.ELSEWHERE
        return self.known.get(block, Part.NAMES)


def measure(disk: Disk, recorded: History, places: Callable[[View], Places]) -> tuple[Writes, ...]:
    """What each operation wrote.

    Args:
        disk: at the image that the history begins with; it moves to the end.
        recorded: the history.
        places: what lies where in a state in which nothing is to be recovered.
    """
    parts = [part for epoch in recorded.epochs for part in pieces(epoch)]
    found: list[Writes] = []
    waiting: list[_Done] = []
    for number, step in enumerate(recorded.steps, 1):
        waiting.append(_do(disk, step, [part for part in parts if _is_within(step, part)]))
        if step.acknowledged < step.end or number == len(recorded.steps):
            where = places(disk)
            found += (_count(done, where) for done in waiting)
            waiting.clear()
    return tuple(found)


def _is_within(step: Step, part: Piece) -> bool:
    return step.begin <= part.entry.at < step.end


@dataclass(frozen=True, slots=True)
class _Done:
    """A step that was done, while it is not known yet what lies where: the journal knows more."""

    name: str
    parts: list[Piece]
    changed: frozenset[int]  # pages


def _do(disk: Disk, step: Step, parts: list[Piece]) -> _Done:
    before: dict[int, Identifier] = {}
    for part in parts:
        for page in _pages(part):
            before.setdefault(page, identify(disk.block(page)))
        disk.put(part)
    changed = (page for page, was in before.items() if identify(disk.block(page)) != was)
    return _Done(step.name, parts, frozenset(changed))


def _count(done: _Done, where: Places) -> Writes:
    written, changed = Counter[Part](), Counter[Part]()
    first: dict[int, Part] = {}
    for part in done.parts:
        kind = where.part(part.offset)
        for page in _pages(part):
            first.setdefault(page, kind)
            written[kind] += 0 if part.entry.is_zeros else PAGE_BYTES
    for page in done.changed:
        if first[page] is not Part.JOURNAL:
            changed[first[page]] += PAGE_BYTES
    return Writes.of(done.name, written, changed)


def _pages(part: Piece) -> range:
    return range(part.offset // PAGE_BYTES, (part.offset + part.size_bytes - 1) // PAGE_BYTES + 1)
