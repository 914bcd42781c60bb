"""What making an object costs a device, counted in the same way by both ends.

The holder of a key may be mistaken, and a key may be stolen. So what a stream declares binds it:
each object has an account, and whatever it makes is paid from that.

=========  ============================================  ==========================================
account    declared as                                   paid by
=========  ============================================  ==========================================
content    content_bytes                                 files that are written
inodes     inodes                                        files, links and folders that are made
space      space_bytes                                   blocks of files, of long link targets, of
                                                         the names in folders; for as long as it is
                                                         there, what is expanded for a part
work       ``WORK_PER_BYTE`` for each byte of space      what leaves nothing behind: the table below
=========  ============================================  ==========================================

=========================================================  ====================================
work                                                       bytes
=========================================================  ====================================
a part; each of its sources                                4,096
a source that is packed                                    its size, packed and expanded
a part that is packed                                      65,536, and twice its expanded size
a correction                                               64
looking for references that move, and moving them          4 for each byte that is looked at
looking for references that follow                         1 for each byte that is looked at
a folder that another one is like                          128 for each of its entries
variants for other bases                                   1 for each byte of content, and parts
=========================================================  ====================================

A sender whose object takes more work than its space pays for declares more space.

What is declared can be much. So there is a limit of time, too, for a whole receive: of processor
time, because a link may be as slow as it likes.

Tested by ``tests/unit/transfer/format/test_costs.py``.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from reconix.base.errors import ReconixError
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.format.plan import Copied, Event, Part, Piece
from reconix.transfer.format.stream import BadStream, Header

WORK_PER_BYTE = 32
LISTED_WORK = 128
MOVED_WORK = 4

_BLOCK_BYTES = 4096
_ENTRY_BYTES = 12  # of a folder's block, beside the name
_SHORT_TARGET_BYTES = 59  # of a link that fits into its inode
_PART_WORK = 4096
_PACK_WORK = 1 << 16
_CORRECTION_WORK = 64

_LEAST_SECONDS = 1800
_BYTES_PER_SECOND = 250_000

Wrong = Callable[[str], BadStream]
Spend = Callable[[int], None]


def blocks(size_bytes: int) -> int:
    """What a number of bytes takes on a disk, in whole blocks."""
    return -(-size_bytes // _BLOCK_BYTES) * _BLOCK_BYTES


def link_space(target: bytes) -> int:
    """What a symbolic link takes on a disk, beside its inode."""
    return 0 if len(target) <= _SHORT_TARGET_BYTES else _BLOCK_BYTES


def entry_bytes(name: bytes) -> int:
    """What a name takes in its folder."""
    return _ENTRY_BYTES + len(name)


def folder_space(entries_bytes: int) -> int:
    """What a folder takes on a disk, from what its names take."""
    return blocks(entries_bytes * 4 // 3 + 1)


def part_work(part: Part) -> int:
    """What a part of a file takes besides moving references."""
    packed = [source for source in part.sources if source.pack is not Pack.NONE]
    work = _PART_WORK * (1 + len(part.sources))
    work += sum(source.packed_bytes + source.size_bytes for source in packed)
    work += _CORRECTION_WORK * len(part.targets.addresses) if part.targets else 0
    return work + (_PACK_WORK + 2 * part.size_bytes if part.pack is not Pack.NONE else 0)


def space_for(space_bytes: int, work: int) -> int:
    """What to declare so that the work is paid for."""
    return max(space_bytes, -(-work // WORK_PER_BYTE))


class TakesTooLong(ReconixError):
    """Making the objects of a stream takes longer than those of any valid stream."""

    exit_code = 50

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the stream took more than {seconds:.0f} s of processor time",
            hint="nothing of it was installed; make a new stream, with a newer reconix if it helps",
        )


class TooManyNames(ReconixError):
    """Files of the store have as many names as the file system allows."""

    exit_code = 56

    def __init__(self) -> None:
        super().__init__(
            "the file system allows no more names for files of the store",
            hint="nothing was installed; collect old generations first",
        )


@dataclass(frozen=True, slots=True)
class CpuLimit:
    """How much processor time a receive may take, that of programs it runs included."""

    seconds: float
    begun: float

    @classmethod
    def of(cls, header: Header) -> "CpuLimit":
        """From now on: half an hour, and one second for each 250,000 bytes sent or declared."""
        declared = header.payload_bytes + header.content_bytes + header.space_bytes
        return cls(_LEAST_SECONDS + declared / _BYTES_PER_SECOND, _processor_seconds())

    def check(self) -> None:
        """Go on only if it has not run out.

        Raises:
            TakesTooLong: it has.
        """
        if _processor_seconds() - self.begun > self.seconds:
            raise TakesTooLong(self.seconds)


def _processor_seconds() -> float:
    return sum(os.times()[:4])


@dataclass(slots=True)
class Spare:
    """Room that no object has declared, for files that are copied because a name is too much."""

    space_bytes: int
    inodes: int


@dataclass(slots=True)
class Account:
    """What an object may still cost; each method takes from it.

    Raises:
        BadStream: there is not enough left.
        TakesTooLong: the time for all objects is over.
    """

    content_bytes: int
    space_bytes: int
    inodes: int
    wrong: Wrong
    cpu_limit: CpuLimit
    spare: Spare
    work: int = field(init=False)
    scratch_bytes: int = 0

    def __post_init__(self) -> None:
        self.work = WORK_PER_BYTE * self.space_bytes

    def file(self, size_bytes: int) -> None:
        """For a file that is written."""
        self._inode()
        self.content_bytes -= size_bytes
        self._space(blocks(size_bytes))

    def link(self, target: bytes) -> None:
        """For a symbolic link."""
        self._inode()
        self._space(link_space(target))

    def folder(self) -> None:
        """For a folder without names."""
        self._inode()
        self._space(folder_space(0))

    def name(self, before_bytes: int, after_bytes: int) -> None:
        """For one more name in a folder; what its names take before and after."""
        self._space(folder_space(after_bytes) - folder_space(before_bytes))

    def expanded(self, size_bytes: int) -> None:
        """For what is expanded, until ``forget_expanded``."""
        self.scratch_bytes += size_bytes
        self._expect_enough()

    def forget_expanded(self) -> None:
        """That is gone."""
        self.scratch_bytes = 0

    def spend(self, work: int) -> None:
        """For what leaves nothing behind."""
        self.work -= work
        self._expect_enough()

    def skip(self, event: Event) -> None:
        """For what is read and not made."""
        self.spend(len(event.data) if isinstance(event, Piece | Copied) else 0)
        self.spend(part_work(event) if isinstance(event, Part) else 0)

    def copy(self, size_bytes: int) -> None:
        """For a copy of what could not get one more name."""
        self.spare.inodes -= 1
        self.spare.space_bytes -= blocks(size_bytes)
        if self.spare.inodes < 0 or self.spare.space_bytes < 0:
            raise TooManyNames

    def _inode(self) -> None:
        self.inodes -= 1

    def _space(self, size_bytes: int) -> None:
        self.space_bytes -= size_bytes
        self._expect_enough()

    def _expect_enough(self) -> None:
        self.cpu_limit.check()
        if self.space_bytes < self.scratch_bytes or min(self.content_bytes, self.inodes) < 0:
            raise self.wrong("an object needs more than it declared")
        if self.work < 0:
            raise self.wrong("an object takes more work than its declared space pays for")
