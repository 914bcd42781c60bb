"""How much memory kernels take, by what their heads say."""

from pathlib import Path

import pytest
from tests.arm64_kernels import kernel
from tests.arm_kernels import zimage

from reconix.boot.loaders.arm_kernels import (
    StartCommand,
    UnfitKernel,
    image_bytes,
    unpacked_bytes,
)

MIB = 1 << 20
AT = 0x12200000


def sized(size: int) -> bytes:
    made = kernel("x")
    return made[:16] + size.to_bytes(8, "little") + made[24:64]


def test_an_image_says_what_it_takes() -> None:
    assert image_bytes(sized(40 * MIB), "vmlinuz") == 40 * MIB
    assert StartCommand.BOOTI.end(sized(3), "vmlinuz", AT) == AT + 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MZ" + bytes(510),
        b"\x1f\x8b" + bytes(99),
        sized(0),
        sized(1 << 40),
        zimage(unpacked=MIB),
    ],
    ids=["empty", "of a PC", "compressed", "of no size", "too large", "for 32 bits"],
)
def test_what_booti_cannot_start_is_refused(content: bytes) -> None:
    with pytest.raises(UnfitKernel, match="vmlinuz"):
        StartCommand.BOOTI.end(content, "vmlinuz", AT)


def test_a_zimage_says_how_far_it_reaches_unpacked() -> None:
    assert unpacked_bytes(zimage(unpacked=20 * MIB), "vmlinuz") == 20 * MIB


def test_behind_a_zimage_is_room_for_itself_alone(tmp_path: Path) -> None:
    file = tmp_path / "vmlinuz"
    file.write_bytes(zimage(unpacked=20 * MIB).ljust(6 * MIB, b"\0"))
    assert StartCommand.BOOTZ.end(file, "vmlinuz", AT) == AT + 7 * MIB


def test_a_zimage_that_would_unpack_over_what_was_loaded_names_the_least_base() -> None:
    content = zimage(unpacked=33 * MIB)
    with pytest.raises(UnfitKernel, match="unpacks itself up to 0x12100000") as caught:
        StartCommand.BOOTZ.end(content, "vmlinuz", AT)
    assert '"0x12200000" or more' in caught.value.hint
    assert StartCommand.BOOTZ.end(content, "vmlinuz", AT + 2 * MIB)


GOOD = zimage(unpacked=20 * MIB)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", GOOD[:0x30], GOOD[:0x50], sized(MIB)),
        GOOD[:0x34] + bytes(4) + GOOD[0x38:],
        GOOD[:0x30] + bytes(4) + GOOD[0x34:],
        zimage(unpacked=20 * MIB, kind=7),
        zimage(unpacked=20 * MIB)[:-4] + b"\xff" * 4,
        GOOD[:0x40] + bytes(12) + GOOD[0x4C:],
    ],
    ids=[
        *("empty", "cut in its head", "cut in its table", "for 64 bits", "without a table"),
        *("of the other order of bytes", "without the tag", "too large", "tags without an end"),
    ],
)
def test_what_bootz_cannot_start_is_refused(content: bytes) -> None:
    with pytest.raises(UnfitKernel, match="vmlinuz"):
        StartCommand.BOOTZ.end(content, "vmlinuz", AT)
