"""How much of a boot slot an update writes: the blocks that differ from what the slot holds.

What it holds is the generation before the one that runs, if the device says so, or nothing but
zeros, if there was none since the disk was made. If nobody knows, all of it counts.

Tested by ``tests/unit/fleet/forecast/test_forecast.py``, against a slot that is really written.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from reconix.boot import fat
from reconix.boot.slots import BLOCK_BYTES, blocks
from reconix.boot.tree import BootTree


class Unwritten(Enum):
    """What a slot may hold in place of a boot tree."""

    ZEROS = auto()
    ANYTHING = auto()


@dataclass(frozen=True, slots=True)
class SlotUse:
    """What an update does to a boot slot.

    Attributes:
        image_bytes: what is used of it then.
        slot_bytes: its size.
        written_bytes: the blocks that are written.
    """

    image_bytes: int
    slot_bytes: int
    written_bytes: int


def slot_use(before: BootTree | Unwritten, after: BootTree, slot_bytes: int) -> SlotUse:
    """What it takes to have a boot tree in a slot."""
    image = fat.image(after, slot_bytes)
    held = _held(before, slot_bytes)
    written = sum(len(new) for new in blocks(image) if _differs(next(held), new))
    return SlotUse(image.size_bytes, slot_bytes, written)


def _differs(held: bytes | None, new: bytes) -> bool:
    return held is None or held[: len(new)] != new


def _held(before: BootTree | Unwritten, slot_bytes: int) -> Iterator[bytes | None]:
    """Blocks of a slot, from its first; ``None`` where nobody knows."""
    if isinstance(before, BootTree):
        yield from blocks(fat.image(before, slot_bytes))
    while before is Unwritten.ZEROS:
        yield bytes(BLOCK_BYTES)
    yield from itertools.repeat(None)
