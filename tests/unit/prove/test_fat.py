"""A slot that fsck.fat finds wrong is wrong, whoever made it."""

from collections.abc import Callable

import pytest

from reconix.boot import fat
from reconix.boot.tree import BootTree
from reconix.prove.blocks import Disk
from reconix.prove.fat import fat_problem

MIB = 1 << 20
SLOT_BYTES, OFFSET = 34 * MIB, MIB
BLOCK = 4096


@pytest.fixture
def slot(need: Callable[..., None]) -> bytearray:
    need("fsck.fat")
    image = fat.image(BootTree.of({"loader/a.conf": b"title a\n"}), SLOT_BYTES)
    return bytearray(b"".join(image))


def problem(slot: bytearray) -> str:
    disk = bytes(OFFSET) + bytes(slot) + bytes(-len(slot) % BLOCK)
    view = Disk(disk, b"", BLOCK)
    return fat_problem(view, OFFSET, image_bytes=len(slot), slot_bytes=SLOT_BYTES)


def test_an_image_of_ours_has_no_problem(slot: bytearray) -> None:
    assert problem(slot) == ""


def test_two_tables_that_differ_are_a_problem(slot: bytearray) -> None:
    reserved = int.from_bytes(slot[14:16], "little") * 512
    slot[reserved + 400] ^= 0xFF
    assert "FATs differ" in problem(slot)


def test_what_is_no_file_system_is_a_problem(slot: bytearray) -> None:
    slot[:512] = bytes(512)
    assert problem(slot)
