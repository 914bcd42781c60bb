"""The power is cut at every write into a slot: only that slot changes, and writing it again works.

P5: nothing selects the slot, so any content is fine in between.
"""

import random
from dataclasses import dataclass, field

import pytest

from reconix.boot import fat
from reconix.boot.slots import write_slot
from reconix.boot.tree import BootTree

SLOT_BYTES = 34 << 20


class PowerCut(Exception):
    """The disk takes no more writes."""


@dataclass
class SlotOfDisk:
    """A slot that loses its power after some writes; writing past its end fails the test."""

    content: bytearray = field(default_factory=lambda: bytearray(SLOT_BYTES))
    writes_left: int = 1 << 30
    torn_at: int = 0
    size_bytes: int = SLOT_BYTES

    def read(self, offset: int, size: int) -> bytes:
        assert 0 <= offset <= offset + size <= SLOT_BYTES
        return bytes(self.content[offset : offset + size])

    def write(self, offset: int, content: bytes) -> None:
        assert 0 <= offset <= offset + len(content) <= SLOT_BYTES
        if self.writes_left == 0:
            self.content[offset : offset + self.torn_at] = content[: self.torn_at]
            raise PowerCut
        self.writes_left -= 1
        self.content[offset : offset + len(content)] = content

    def flush(self) -> None:
        if self.writes_left == 0:
            raise PowerCut


def image(seed: int) -> fat.FatImage:
    noise = random.Random(seed).randbytes(400_000)
    return fat.image(BootTree.of({"kernel": noise, "a": b"same"}), SLOT_BYTES)


def writes_needed() -> int:
    disk = SlotOfDisk()
    write_slot(image(1), disk, image(1).digest())
    return (1 << 30) - disk.writes_left


@pytest.mark.parametrize("torn_at", [0, 1, 512, 5000])
def test_p5_a_cut_at_any_write_is_mended_by_writing_again(torn_at: int) -> None:
    target = image(1)
    content = b"".join(target)
    steps = writes_needed()
    assert steps > 5
    for cut in range(steps + 1):
        disk = SlotOfDisk(writes_left=cut, torn_at=torn_at)
        with pytest.raises(PowerCut):
            write_slot(target, disk, target.digest())
        disk.writes_left = 1 << 30
        write_slot(target, disk, target.digest())
        assert disk.content[: len(content)] == content
        assert write_slot(target, disk, target.digest()) == 0


def test_p11_an_update_cut_off_and_followed_by_another_ends_in_the_other() -> None:
    disk = SlotOfDisk(writes_left=4)
    with pytest.raises(PowerCut):
        write_slot(image(1), disk, image(1).digest())
    disk.writes_left = 1 << 30
    write_slot(image(2), disk, image(2).digest())
    assert disk.content[: image(2).size_bytes] == b"".join(image(2))
