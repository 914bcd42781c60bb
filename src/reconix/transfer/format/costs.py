"""What making an object costs a device, counted in the same way by both ends.

The holder of a key may be mistaken, and a key may be stolen. So what a stream declares binds it:
each object has an account, and whatever it makes is paid from that.

=========  ===================================  ===================================================
account    declared as                          paid by
=========  ===================================  ===================================================
content    content_bytes                        files that are written
inodes     inodes                               those that have a content in the pool
space      space_bytes                          their blocks; for as long as it is there, what is
                                                expanded for a part
work       ``WORK_PER_BYTE`` for each byte of   what leaves nothing behind: the table below
           space
nodes      nowhere: ``MAX_NODES``               files, links and folders of the object, also those
                                                that it keeps
words      nowhere: ``MAX_WORDS_BYTES``         their names, targets, attributes, small contents,
                                                unless they are kept
=========  ===================================  ===================================================

=========================================================  ====================================
work                                                       bytes
=========================================================  ====================================
a part; each of its sources                                4,096
a source that is packed                                    its size, packed and expanded
a part that is packed                                      65,536, and twice its expanded size
a source that is compiled                                  65,536, and 16 for each of its bytes
a correction                                               64
looking for references that move, and moving them          4 for each byte that is looked at
looking for references that follow                         1 for each byte that is looked at
a folder that another one is like                          128 for each of its entries
variants for other bases                                   1 for each byte of content, and parts
=========================================================  ====================================

Names and metadata are made in memory, and are bounded by that; what they take on the disk is the
size of the image, which the manifest tells.

A sender whose object takes more work than its space pays for declares more space.

What is declared can be much. So there is a limit of time, too, for a whole receive: of processor
time, because a link may be as slow as it likes.

Tested by ``tests/unit/transfer/format/test_costs.py``.
"""

import math
import os
import time
from collections.abc import Callable

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass, field
from reconix.store.images.erofs import MAX_NODES
from reconix.store.images.nodes import MAX_INLINE_BYTES
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.format.plan import (
    Copied,
    Event,
    File,
    Here,
    Like,
    Link,
    New,
    Part,
    Patched,
    Piece,
    Same,
)
from reconix.transfer.format.stream import BadStream, Header

WORK_PER_BYTE = 32
MAX_WORDS_BYTES = 16 << 20
MAX_MADE_NODES = 150_000
"""Of all objects of a stream together, beside those that they keep: they are made in memory."""
MADE = (File, Patched, Link, New, Like, Here, Same)
"""The events that each make a node."""
LISTED_WORK = 128
MOVED_WORK = 4

_BLOCK_BYTES = 4096
_PART_WORK = 4096
_PACK_WORK = 1 << 16
_COMPILED_WORK = 16
_CORRECTION_WORK = 64

_LEAST_SECONDS = 1800
_BYTES_PER_SECOND = 250_000
_PAUSE_SECONDS = 0.1  # between two looks at the processor time

Wrong = Callable[[str], BadStream]
Spend = Callable[[int], None]


def blocks(size_bytes: int) -> int:
    """What a number of bytes takes on a disk, in whole blocks."""
    return -(-size_bytes // _BLOCK_BYTES) * _BLOCK_BYTES


def file_space(size_bytes: int) -> int:
    """What a file takes in the pool; nothing if its content stands in the image."""
    return 0 if size_bytes <= MAX_INLINE_BYTES else blocks(size_bytes)


def file_inodes(size_bytes: int) -> int:
    """How many files there are in the pool for one."""
    return int(size_bytes > MAX_INLINE_BYTES)


def part_work(part: Part) -> int:
    """What a part of a file takes besides moving references."""
    packed = [source for source in part.sources if source.pack is not Pack.NONE]
    work = _PART_WORK * (1 + len(part.sources))
    work += sum(source.packed_bytes + source.size_bytes for source in packed)
    modules = [source for source in packed if source.pack is Pack.MODULE]
    work += sum(_PACK_WORK + _COMPILED_WORK * source.packed_bytes for source in modules)
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


@dataclass(slots=True)
class CpuLimit:
    """How much processor time a receive may take, that of programs it runs included."""

    seconds: float
    begun: float
    _asked: float = -math.inf  # by a clock that costs no call of the kernel

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
        now = time.monotonic()
        if now - self._asked < _PAUSE_SECONDS:
            return
        self._asked = now
        if _processor_seconds() - self.begun > self.seconds:
            raise TakesTooLong(self.seconds)


def _processor_seconds() -> float:
    return sum(os.times()[:4])


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
    nodes: int = field(init=False)
    words_bytes: int = field(init=False)
    work: int = field(init=False)
    scratch_bytes: int = 0

    def __post_init__(self) -> None:
        self.nodes, self.words_bytes = MAX_NODES, MAX_WORDS_BYTES
        self.work = WORK_PER_BYTE * self.space_bytes

    def node(self, words_bytes: int) -> None:
        """For a node that is made, with its name, target, small content and attributes."""
        self.words_bytes -= words_bytes
        self.kept(1)

    def kept(self, nodes: int) -> None:
        """For nodes that come from an old tree."""
        self.nodes -= nodes
        self._expect_enough()

    def file(self, size_bytes: int) -> None:
        """For the content of a file that is written."""
        self.content_bytes -= size_bytes
        self.inodes -= file_inodes(size_bytes)
        self.space_bytes -= file_space(size_bytes)
        self._expect_enough()

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

    def _expect_enough(self) -> None:
        self.cpu_limit.check()
        if self.space_bytes < self.scratch_bytes or min(self.content_bytes, self.inodes) < 0:
            raise self.wrong("an object needs more than it declared")
        if self.nodes < 0:
            raise self.wrong(f"an object with more than {MAX_NODES} files, links and folders")
        if self.words_bytes < 0:
            raise self.wrong(f"an object with more than {MAX_WORDS_BYTES} bytes of names")
        if self.work < 0:
            raise self.wrong("an object takes more work than its declared space pays for")
