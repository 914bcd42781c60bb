"""P9: the power is cut at every write while the last partition grows; the firmware finds a table.

The firmware is that of ``test_gpt_select.py``. Whichever table it takes, the slot is the same, and
the partition is as long as it was or as it shall be.
"""

from dataclasses import replace

import pytest
from tests.crash.test_gpt_select import (
    DISK_BYTES,
    SIZES,
    RecordedDisk,
    crash_states,
    damage,
    firmware_choice,
    new_disk,
    torn,
)

from reconix.boot.gpt import SECTOR, Lba, Partition
from reconix.boot.tables import (
    Copy,
    DiskIsShort,
    Slot,
    TablesDisagree,
    grow_last,
    read_selection,
    repair,
    select_slot,
)
from reconix.image.layout import MIB, plan

GROWN_BY = 4 * MIB
LARGER = plan("gateway", size_bytes=DISK_BYTES + GROWN_BY, sizes=SIZES)
GROWN = LARGER.grown()


def larger_disk(slot: int = 1) -> RecordedDisk:
    """The disk of an image, a little larger."""
    disk = new_disk(slot)
    disk.sectors += GROWN_BY // SECTOR
    return disk


def last_of(disk: RecordedDisk) -> Partition:
    return read_selection(disk).tables.others[-1]


def test_it_reaches_to_the_end_and_selects_what_it_selected() -> None:
    disk = larger_disk(2)
    assert grow_last(disk).last == GROWN.last_usable
    found = read_selection(disk)
    assert (found.slot, found.faults, found.tables) == (Slot(2), (), GROWN)
    assert firmware_choice(disk) == "slot-2"


def test_a_second_time_writes_nothing() -> None:
    """R4."""
    disk = larger_disk()
    grow_last(disk)
    disk.epochs = [[]]
    grow_last(disk)
    assert disk.epochs == [[]]


@pytest.mark.parametrize("damaged", [None, 0, 1, 64, 96])
def test_p9_a_cut_at_any_write_leaves_a_table_and_can_be_repeated(damaged: int | None) -> None:
    disk = larger_disk()
    repair(disk)
    if damaged is not None:
        damage(disk, damaged)
    disk.epochs = [[]]
    start = disk.copy()
    lengths = {last_of(start).last, GROWN.last_usable}
    grow_last(disk)
    for state in crash_states(start, disk):
        assert firmware_choice(state) == "slot-1"
        assert last_of(state).last in lengths
        again = state.copy()
        grow_last(again)
        assert again == disk


def test_p9_a_slot_is_selected_whatever_a_cut_has_left() -> None:
    disk = larger_disk(1)
    repair(disk)
    disk.epochs = [[]]
    start = disk.copy()
    grow_last(disk)
    for state in crash_states(start, disk):
        select_slot(state, Slot(3))
        assert firmware_choice(state) == "slot-3" and read_selection(state).faults == ()


def test_the_two_sides_are_never_both_written_without_a_flush_between() -> None:
    disk = larger_disk()
    repair(disk)
    disk.epochs = [[]]
    grow_last(disk)
    middle = disk.sectors // 2 * SECTOR
    sides = [{at < middle for at, _ in epoch} for epoch in disk.epochs if epoch]
    assert sides == [{False}, {False}, {True}, {True}]
    assert [len(epoch) for epoch in disk.epochs] == [3, 1, 3, 1, 0]


def test_a_torn_header_in_the_middle_of_it_is_no_end() -> None:
    """P3: of the backup, while the primary is old; of the primary, while the backup is new."""
    disk = larger_disk()
    repair(disk)
    disk.epochs = [[]]
    start = disk.copy()
    grow_last(disk)
    state = start.copy()
    for epoch in disk.epochs[:-1]:
        for offset, content in epoch:
            for mixture in torn(state.read(offset, len(content)), content):
                cut = state.copy()
                cut.put(offset, mixture)
                assert firmware_choice(cut) == "slot-1"
        for offset, content in epoch:
            state.put(offset, content)


def test_what_is_interrupted_is_told_and_counts_as_not_begun() -> None:
    disk = larger_disk()
    repair(disk)
    before = disk.copy()
    for write in (*GROWN.arrays(Copy.BACKUP), GROWN.header(Slot(1), Copy.BACKUP)):
        disk.put(write.offset, write.content)
    (fault, *_) = read_selection(disk).faults
    assert fault.startswith("a growth was interrupted")
    repair(disk)
    assert disk == before


def test_a_backup_that_is_longer_in_another_way_is_refused() -> None:
    disk = larger_disk()
    repair(disk)
    other = plan("gateway", size_bytes=DISK_BYTES + GROWN_BY, sizes=SIZES)
    longer = other.others[-1].last + 2048
    assert longer < GROWN.last_usable
    changed = replace(
        other, others=(*other.others[:-1], replace(other.others[-1], last=Lba(longer)))
    )
    for write in (*changed.arrays(Copy.BACKUP), changed.header(Slot(1), Copy.BACKUP)):
        disk.put(write.offset, write.content)
    with pytest.raises(TablesDisagree):
        grow_last(disk)


def test_a_partition_that_somebody_made_behind_it_stays_where_it_is() -> None:
    system, data = LARGER.others
    for others in ((data, system), (system, data)):
        tables = replace(LARGER, others=others)
        assert (tables.grown() == tables) == (others[-1] is system)


def test_a_disk_that_is_too_small_grows_nothing() -> None:
    disk = new_disk(1)
    disk.sectors -= 2 * MIB // SECTOR
    with pytest.raises(DiskIsShort):
        grow_last(disk)
    assert disk.epochs == [[]]


def test_damage_is_repaired_first() -> None:
    disk = larger_disk()
    repair(disk)
    damage(disk, 1)
    grow_last(disk)
    assert read_selection(disk).faults == () and read_selection(disk).tables == GROWN
