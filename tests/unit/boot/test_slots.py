import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base.digests import Digest
from reconix.boot import fat
from reconix.boot.disk import DiskFile
from reconix.boot.slots import (
    BLOCK_BYTES,
    SlotNotKept,
    SlotSizeDiffers,
    WrongImage,
    blocks,
    check_slot,
    write_slot,
)
from reconix.boot.tree import BootTree

SLOT_BYTES = 40 << 20


def tree(kernel_of_mqtt: int = 2) -> BootTree:
    return BootTree.of(
        {
            "loader/loader.conf": b"timeout 0\n",
            "reconix/default-kernel": random.Random(1).randbytes(3 << 20),
            "reconix/mqtt-kernel": random.Random(kernel_of_mqtt).randbytes(2 << 20),
        }
    )


@pytest.fixture
def slot(tmp_path: Path) -> Path:
    path = tmp_path / "slot"
    with path.open("wb") as file:
        file.write(os.urandom(8 << 20))
        file.truncate(SLOT_BYTES)
    return path


def write(path: Path, image: fat.FatImage) -> int:
    with DiskFile(path) as disk:
        return write_slot(image, disk, image.digest())


def test_a_slot_contains_the_image_and_what_follows_is_not_touched(slot: Path) -> None:
    before, image = slot.read_bytes(), fat.image(tree(), SLOT_BYTES)
    write(slot, image)
    assert slot.read_bytes() == b"".join(image) + before[image.size_bytes :]


def test_r4_writing_again_writes_nothing(slot: Path) -> None:
    image = fat.image(tree(), SLOT_BYTES)
    assert write(slot, image) > 5 << 20
    assert write(slot, image) == 0


def test_r4_only_what_changed_is_written(slot: Path) -> None:
    write(slot, fat.image(tree(), SLOT_BYTES))
    written = write(slot, fat.image(tree(3), SLOT_BYTES))
    assert 2 << 20 <= written <= (2 << 20) + 2 * BLOCK_BYTES


def test_an_image_for_another_size_of_slot_is_refused_before_anything_is_written(
    slot: Path,
) -> None:
    before = slot.read_bytes()
    with pytest.raises(SlotSizeDiffers, match=str(SLOT_BYTES)):
        write(slot, fat.image(tree(), SLOT_BYTES + (1 << 20)))
    assert slot.read_bytes() == before


def test_a_boot_tree_that_gives_another_image_is_refused(slot: Path) -> None:
    image = fat.image(tree(), SLOT_BYTES)
    with DiskFile(slot) as disk, pytest.raises(WrongImage):
        write_slot(image, disk, Digest.of(b"something else"))


def test_v1_a_bit_that_flips_on_the_medium_is_found(slot: Path) -> None:
    image = fat.image(tree(), SLOT_BYTES)
    write(slot, image)
    with slot.open("r+b") as file:
        file.seek(image.size_bytes - 1)
        file.write(b"\xff")
    with DiskFile(slot) as disk, pytest.raises(SlotNotKept):
        check_slot(disk, image.size_bytes, image.digest())


class FlippingDisk:
    """A medium that keeps everything but one bit."""

    def __init__(self, disk: DiskFile) -> None:
        self.disk = disk
        self.size_bytes = disk.size_bytes

    def read(self, offset: int, size: int) -> bytes:
        return self.disk.read(offset, size)

    def write(self, offset: int, content: bytes) -> None:
        self.disk.write(offset, bytes([content[0] ^ 1]) + content[1:])

    def flush(self) -> None:
        self.disk.flush()


def test_v1_a_medium_that_does_not_keep_what_is_written_is_found(slot: Path) -> None:
    image = fat.image(tree(), SLOT_BYTES)
    with DiskFile(slot) as disk, pytest.raises(SlotNotKept) as caught:
        write_slot(image, FlippingDisk(disk), image.digest())
    assert caught.value.expected == image.digest()


@given(pieces=st.lists(st.integers(0, 3 * BLOCK_BYTES).map(bytes), max_size=6))
def test_blocks_have_one_size_but_the_last(pieces: list[bytes]) -> None:
    found = list(blocks(pieces))
    assert b"".join(found) == b"".join(pieces)
    assert all(len(block) == BLOCK_BYTES for block in found[:-1])
    assert all(0 < len(block) <= BLOCK_BYTES for block in found)
