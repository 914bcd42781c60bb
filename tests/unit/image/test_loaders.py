"""Loaders of a board lie over nothing else of its disk."""

import pytest

from reconix.base.firmware import FirmwareKind
from reconix.boot.gpt import SECTOR
from reconix.build.boot.firmware_files import PlacedFile
from reconix.image.layout import MIB, Sizes, plan
from reconix.image.loaders import LoaderOverlaps, expect_apart, padded

SIZES = Sizes(2, 34 * MIB, MIB, MIB, FirmwareKind.U_BOOT)
RESERVED = Sizes(2, 34 * MIB, MIB, MIB, FirmwareKind.U_BOOT, reserved_bytes=16 * MIB)


def check(sizes: Sizes, *places: tuple[int, int]) -> None:
    tables = plan("gateway", size_bytes=96 * MIB, sizes=sizes)
    expect_apart(tables, [PlacedFile(f"at-{at}", at, bytes(size)) for at, size in places])


def test_a_loader_may_fill_all_between_the_first_sectors_and_the_arrays() -> None:
    check(SIZES, (1024, 31 * 1024))
    check(RESERVED, (1024, 16 * MIB + 31 * 1024))
    check(RESERVED, (32 * 1024, MIB), (2 * MIB, 1))


@pytest.mark.parametrize(
    ("sizes", "places", "said"),
    [
        (SIZES, [(512, 10)], r"at-512 .* would lie over the first two sectors"),
        (SIZES, [(1024, 580_608)], "would lie over the primary array of slot-1"),
        (RESERVED, [(1024, 16 * MIB + 31 * 1024 + 1)], "over the primary array of slot-1"),
        (SIZES, [(MIB, 1)], "over the partition slot-1"),
        (RESERVED, [(1024, 4096), (4096, 1)], r"at-4096 .* over at-1024"),
        (SIZES, [(96 * MIB - 512, 1)], "over the backup of the tables"),
        (SIZES, [(96 * MIB, 1)], "over the end of the disk"),
        (SIZES, [(1000, 1)], "does not begin at a sector"),
    ],
)
def test_a_loader_that_lies_over_something_is_refused_with_both_places(
    sizes: Sizes, places: list[tuple[int, int]], said: str
) -> None:
    with pytest.raises(LoaderOverlaps, match=said):
        check(sizes, *places)


def test_the_error_says_how_much_to_reserve() -> None:
    with pytest.raises(LoaderOverlaps) as caught:
        check(SIZES, (1024, 580_608))
    assert 'disk.reserved = "1M"' in caught.value.hint
    check(Sizes(2, 34 * MIB, MIB, MIB, FirmwareKind.U_BOOT, reserved_bytes=MIB), (1024, 580_608))


def test_a_loader_is_written_in_whole_sectors() -> None:
    assert [len(padded(bytes(size))) for size in (0, 1, 512, 513)] == [0, SECTOR, SECTOR, 1024]
