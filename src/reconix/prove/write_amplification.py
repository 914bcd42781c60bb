"""Write amplification: how much each operation writes for what is different on the disk after it.

Writes wear flash memory out, so an update should write what it changes, once. Both are counted in
pages of 4 KiB, however small the blocks of the file system are, because flash writes nothing
smaller: a write of one sector counts as a page, and blocks that go to the disk in one request share
theirs. The journal is no content: what is written there counts as written and never as changed. So
the ratio of content is 1 at best, that of metadata, which a journal writes twice, a little more
than 2.

Tested by ``tests/unit/prove/test_write_amplification.py`` and ``tests/crash/test_prover.py``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from reconix.prove.blocks import Disk, Identifier, identify, map_file
from reconix.prove.ext4 import Geometry
from reconix.prove.history import History, Step, history
from reconix.prove.prover import Job
from reconix.prove.recovery import journal_blocks
from reconix.prove.states import Piece, pieces

PAGE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Writes:
    """What one operation, or several, did to the disk."""

    step: str
    written_bytes: int
    changed_bytes: int

    @classmethod
    def sum(cls, step: str, parts: Iterable["Writes"]) -> "Writes":
        """Several operations together."""
        each = list(parts)
        return cls(
            step,
            sum(writes.written_bytes for writes in each),
            sum(writes.changed_bytes for writes in each),
        )

    @property
    def ratio(self) -> float:
        """The write amplification: how often, on average, what is different was written."""
        return self.written_bytes / self.changed_bytes if self.changed_bytes else 0.0


def count_writes(job: Job) -> tuple[Writes, ...]:
    """What each operation of a recorded history wrote."""
    image, log = map_file(job.image), map_file(job.log)
    pages = Disk(image, log, PAGE_BYTES)
    block_bytes = Geometry.read(pages, job.offset).super.block_bytes
    blocks = journal_blocks(Disk(image, log, block_bytes), job.offset)
    journal = frozenset(block * block_bytes // PAGE_BYTES for block in blocks)
    return measure(pages, history(log, job.steps, job.asked), journal)


def measure(disk: Disk, recorded: History, journal: frozenset[int]) -> tuple[Writes, ...]:
    """What each operation wrote.

    Args:
        disk: at the image that the history begins with; it moves to the end.
        recorded: the history.
        journal: the blocks that are no content.
    """
    parts = [part for epoch in recorded.epochs for part in pieces(epoch)]
    return tuple(
        _count(disk, step, [part for part in parts if _is_within(step, part)], journal)
        for step in recorded.steps
    )


def _is_within(step: Step, part: Piece) -> bool:
    return step.begin <= part.entry.at < step.end


def _count(disk: Disk, step: Step, parts: Iterable[Piece], journal: frozenset[int]) -> Writes:
    written = 0
    before: dict[int, Identifier] = {}
    for part in parts:
        first = part.offset // disk.block_bytes
        last = (part.offset + part.size_bytes - 1) // disk.block_bytes
        for block in range(first, last + 1):
            before.setdefault(block, identify(disk.block(block)))
        disk.put(part)
        written += 0 if part.entry.is_zeros else last + 1 - first
    changed = sum(
        identify(disk.block(block)) != was for block, was in before.items() if block not in journal
    )
    return Writes(step.name, written * disk.block_bytes, changed * disk.block_bytes)
