import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base.digests import Digest
from reconix.base.firmware import FirmwareKind
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import (
    ARRAY_SECTORS,
    BASIC_DATA,
    EFI_SYSTEM,
    LINUX,
    SECTOR,
    BadPartitionTable,
)
from reconix.boot.tables import (
    FIRST_USABLE,
    IDLE_SLOT,
    Copy,
    Slot,
    SlotTables,
    UnknownSlot,
    last_usable,
    read_selection,
    select_slot,
)
from reconix.image.layout import MIB, Sizes, plan

GOLDEN = Path(__file__).parents[2] / "data" / "boot" / "tables.txt"


def tables(slots: int = 2, size_mib: int = 400) -> SlotTables:
    sizes = Sizes(slots, slot_bytes=34 * MIB, system_bytes=64 * MIB, data_bytes=16 * MIB)
    return plan("gateway", size_bytes=size_mib * MIB, sizes=sizes)


@given(slots=st.integers(2, 8), sectors=st.integers(800_000, 1 << 40))
def test_no_array_lies_where_edk2_repairs_or_where_a_partition_may_be(
    slots: int, sectors: int
) -> None:
    """FACTS: EDK2 writes LBA 2 to 33, LastUsableLBA+1 to +32, and the last sectors."""
    found = replace(tables(slots), sectors=sectors)
    last = sectors - 1
    forbidden = [
        range(34),
        range(FIRST_USABLE, found.last_usable + 1),
        range(found.last_usable + 1, found.last_usable + 33),
        range(last - 32, last + 1),
    ]
    used: set[int] = set()
    for copy in Copy:
        for slot in found.numbers:
            begin = found.array_at(slot, copy)
            array = range(begin, begin + ARRAY_SECTORS)
            assert not any(lba in zone for zone in forbidden for lba in array)
            assert used.isdisjoint(array)
            used.update(array)


def test_each_table_lists_its_slot_first_and_keeps_all_else() -> None:
    found = tables(3)
    for slot in found.numbers:
        first, *rest = found.partitions(slot)
        assert (first.type, first.name) == (EFI_SYSTEM, f"slot-{slot}")
        assert [p.type for p in rest] == [IDLE_SLOT, IDLE_SLOT, LINUX, LINUX]
        assert {(p.guid, p.first, p.last, p.name) for p in (first, *rest)} == {
            (p.guid, p.first, p.last, p.name) for p in found.slots + found.others
        }


@pytest.mark.parametrize("slot", [1, 2, 3])
def test_a_slot_for_u_boot_is_no_efi_partition_and_can_be_booted(slot: int, tmp_path: Path) -> None:
    """U-Boot would write into an EFI system partition; and what the disk has, the disk says."""
    sizes = Sizes(3, 34 * MIB, MIB, MIB, FirmwareKind.U_BOOT)
    made = plan("gw", size_bytes=120 * MIB, sizes=sizes)
    first, *rest = made.partitions(Slot(slot))
    assert (first.name, first.attributes, first.type) == (f"slot-{slot}", 4, BASIC_DATA)
    assert {part.attributes for part in rest} == {0}
    assert EFI_SYSTEM not in {part.type for part in rest}
    (tmp_path / "disk").write_bytes(b"")
    with (tmp_path / "disk").open("r+b") as file:
        file.truncate(made.sectors * SECTOR)
    with DiskFile(tmp_path / "disk") as disk:
        for write in made.writes(Slot(slot)):
            disk.write(write.offset, write.content)
        found = read_selection(disk)
        assert (found.tables, found.slot, found.faults) == (made, slot, ())
        select_slot(disk, Slot(slot % 3 + 1))
        assert read_selection(disk).slot == slot % 3 + 1


def test_the_bytes_of_a_disk_are_those_of_the_golden_file() -> None:
    """A change here is a change of the format: devices with the old one could not be updated."""
    lines = [
        f"{write.at} {len(write.content)} {Digest.of(write.content)} {write.what}\n"
        for slot in (Slot(1), Slot(2))
        for write in tables(2).writes(slot)
    ]
    if os.environ.get("ACCEPT"):
        GOLDEN.write_text("".join(lines))
    assert GOLDEN.read_text() == "".join(lines)


@pytest.mark.parametrize("slot", [0, 3, -1])
def test_a_slot_that_is_not_there_is_an_error(slot: int) -> None:
    with pytest.raises(UnknownSlot, match=f"no slot {slot}"):
        tables(2).partitions(Slot(slot))


def test_a_slot_is_found_by_the_guid_of_its_partition() -> None:
    found = tables(3)
    assert [found.slot_with(part.guid) for part in found.slots] == [1, 2, 3]
    assert found.slot_with(found.others[0].guid) is found.slot_with(None) is None


def test_a_partition_is_found_by_name() -> None:
    assert tables().named("system").name == "system"
    with pytest.raises(BadPartitionTable, match="no partition named 'home'"):
        tables().named("home")


def test_tables_are_valid_by_construction() -> None:
    good = tables(2)
    for bad in (
        {"slots": good.slots[:1]},
        {"slots": good.slots[::-1]},
        {"slots": tuple(part.of_type(EFI_SYSTEM) for part in good.slots)},
        {"others": (*good.others, good.others[0])},
        {"others": (replace(good.others[0], guid=good.disk, name="data"), good.others[1])},
    ):
        with pytest.raises(BadPartitionTable):
            replace(good, **bad)
    with pytest.raises(BadPartitionTable, match="outside"):
        replace(good, sectors=good.others[-1].last + 1)


def test_the_end_of_the_usable_sectors_is_a_whole_mib() -> None:
    assert (last_usable(400 * MIB // SECTOR, 2) + 1) % 2048 == 0


@pytest.mark.parametrize("slots", [2, 8])
def test_behind_the_usable_sectors_is_the_room_that_is_needed_and_no_more(slots: int) -> None:
    """The header, an array for each slot and one more, and what EDK2 repairs."""
    behind = 1 + ARRAY_SECTORS * (1 + slots) + 32
    assert last_usable(100 * 2048 + behind, slots) == 100 * 2048 - 1
    assert last_usable(100 * 2048 + behind - 1, slots) == 99 * 2048 - 1
