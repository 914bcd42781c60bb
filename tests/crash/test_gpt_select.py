"""The power is cut at every write of a selection and a repair; the firmware finds old or new.

The firmware is modelled apart from our reader, from the UEFI specification: the primary header if
signature, place and both checksums are right, else the backup in the last sector.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconix.boot.gpt import ARRAY_BYTES, SECTOR, BadPartitionTable, print_protective_mbr
from reconix.boot.tables import (
    Copy,
    DiskIsShort,
    Slot,
    SlotTables,
    TablesDisagree,
    read_selection,
    repair,
    select_slot,
)
from reconix.image.layout import MIB, Sizes, plan

SIZES = Sizes(slots=3, slot_bytes=MIB, system_bytes=MIB, data_bytes=MIB)
DISK_BYTES = 8 * MIB
TABLES = plan("gateway", size_bytes=DISK_BYTES, sizes=SIZES)
ZEROS = bytes(SECTOR)
TORN_AT = (*range(1, 96), 511)


class RecordedDisk:
    """A sparse disk in memory that remembers what was written to it, and when it was flushed."""

    def __init__(self, sectors: int, content: Mapping[int, bytes]) -> None:
        self.sectors = sectors
        self.content = dict(content)  # by LBA; a sector that is not there is zeros
        self.epochs: list[list[tuple[int, bytes]]] = [[]]

    @property
    def size_bytes(self) -> int:
        return self.sectors * SECTOR

    def read(self, offset: int, size: int) -> bytes:
        assert 0 <= offset <= offset + size <= self.size_bytes
        assert offset % SECTOR == size % SECTOR == 0
        lbas = range(offset // SECTOR, (offset + size) // SECTOR)
        return b"".join(self.content.get(lba, ZEROS) for lba in lbas)

    def write(self, offset: int, content: bytes) -> None:
        self.epochs[-1].append((offset, content))
        self.put(offset, content)

    def flush(self) -> None:
        self.epochs.append([])

    def put(self, offset: int, content: bytes) -> None:
        for at in range(0, len(content), SECTOR):
            self.content[(offset + at) // SECTOR] = content[at : at + SECTOR]

    def copy(self) -> "RecordedDisk":
        return RecordedDisk(self.sectors, self.content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordedDisk) and self.state() == other.state()

    def __hash__(self) -> int:
        return hash(self.state())

    def state(self) -> tuple[int, frozenset[tuple[int, bytes]]]:
        used = ((lba, sector) for lba, sector in self.content.items() if sector != ZEROS)
        return self.sectors, frozenset(used)


def new_disk(slot: int = 1, tables: SlotTables = TABLES) -> RecordedDisk:
    disk = RecordedDisk(tables.sectors, {})
    for write in tables.writes(Slot(slot)):
        disk.put(write.offset, write.content)
    return disk


def firmware_choice(disk: RecordedDisk) -> str:
    """The name of partition 1, as UEFI 2.10, section 5.3.2, finds it."""
    for lba in (1, disk.sectors - 1):
        block = disk.read(lba * SECTOR, SECTOR)
        signature, _, size, crc, _, own = struct.unpack_from("<8sIIIIQ", block)
        array, count, entry, array_crc = struct.unpack_from("<QIII", block, 72)
        if signature != b"EFI PART" or size != 92 or own != lba or count * entry != ARRAY_BYTES:
            continue
        if crc != zlib.crc32(block[:16] + bytes(4) + block[20:92]):
            continue
        entries = disk.read(array * SECTOR, ARRAY_BYTES)
        if array_crc == zlib.crc32(entries):
            return entries[56:128].decode("utf-16-le").rstrip("\0")
    return "nothing"


def torn(old: bytes, new: bytes) -> Iterator[bytes]:
    """What a write may leave: a part of a sector, or some of the sectors."""
    for at in (*TORN_AT, *range(SECTOR, len(new), SECTOR)):
        yield new[:at] + old[at:]
        yield old[:at] + new[at:]


def crash_states(before: RecordedDisk, disk: RecordedDisk) -> set[RecordedDisk]:
    """All states in which one write of an epoch is torn and each other one is done or not."""
    durable = before.copy()
    states = {durable.copy()}
    for epoch in disk.epochs:
        for chosen in range(1 << len(epoch)):
            done = [write for number, write in enumerate(epoch) if chosen >> number & 1]
            state = durable.copy()
            for offset, content in done:
                state.put(offset, content)
            states.add(state)
            for offset, content in done[-1:]:
                for mixture in torn(durable.read(offset, len(content)), content):
                    state = state.copy()
                    state.put(offset, mixture)
                    states.add(state)
        for offset, content in epoch:
            durable.put(offset, content)
    return states


def damage(disk: RecordedDisk, lba: int, sectors: int = 1) -> None:
    disk.put(lba * SECTOR, b"\xa5" * SECTOR * sectors)


def edk2_repaired_primary(disk: RecordedDisk, slot: int) -> None:
    """EDK2 writes a primary header whose array is in LBA 2, copied from the backup."""
    array = TABLES.arrays(Copy.BACKUP)[slot - 1].content
    disk.put(2 * SECTOR, array)
    put_primary(disk, slot, at=2, array=array)


def put_primary(disk: RecordedDisk, slot: int, *, at: int, array: bytes) -> None:
    """Write a primary header that is whole, with its array somewhere else."""
    header = bytearray(TABLES.header(Slot(slot), Copy.PRIMARY).content)
    header[72:80] = struct.pack("<Q", at)
    header[88:92] = struct.pack("<I", zlib.crc32(array))
    header[16:20] = bytes(4)
    header[16:20] = struct.pack("<I", zlib.crc32(header[:92]))
    disk.put(SECTOR, bytes(header))


def interrupted(disk: RecordedDisk, slot: int) -> None:
    write = TABLES.header(Slot(slot), Copy.BACKUP)
    disk.put(write.offset, write.content)


LAST = TABLES.sectors - 1
BEFORE: dict[str, Callable[[RecordedDisk], object]] = {
    "sound": lambda disk: None,
    "primary header bad": lambda disk: damage(disk, 1),
    "primary array bad": lambda disk: damage(disk, 64, 32),
    "backup header bad": lambda disk: damage(disk, LAST),
    "backup array bad": lambda disk: damage(disk, TABLES.array_at(Slot(1), Copy.BACKUP), 32),
    "idle arrays bad": lambda disk: damage(disk, 96, 64),
    "idle backup array bad": lambda disk: damage(disk, TABLES.array_at(Slot(3), Copy.BACKUP)),
    "primary repaired by EDK2": lambda disk: edk2_repaired_primary(disk, 1),
    "selection of 2 interrupted": lambda disk: interrupted(disk, 2),
    "selection of 3 interrupted": lambda disk: interrupted(disk, 3),
    "no protective MBR": lambda disk: damage(disk, 0),
}


@pytest.mark.parametrize("before", BEFORE)
def test_p3_p6_power_cut_in_a_switch_leaves_the_old_or_the_new_slot(before: str) -> None:
    """P3, P6, B2: torn and lost writes, damaged copies before it began."""
    disk = new_disk(1)
    BEFORE[before](disk)
    start = disk.copy()
    assert firmware_choice(start) == "slot-1"
    select_slot(disk, Slot(2))
    assert firmware_choice(disk) == "slot-2"
    states = crash_states(start, disk)
    assert len(states) > 10
    for state in states:
        chosen = firmware_choice(state)
        assert chosen in ("slot-1", "slot-2")
        again = state.copy()
        assert f"slot-{read_selection(again).slot}" == chosen
        select_slot(again, Slot(2))
        assert again == disk and read_selection(again).faults == ()


@pytest.mark.parametrize("before", BEFORE)
def test_p6_power_cut_in_a_repair_changes_no_selection(before: str) -> None:
    disk = new_disk(1)
    BEFORE[before](disk)
    start = disk.copy()
    assert bool(repair(disk)) == (before != "sound")
    for state in crash_states(start, disk):
        assert firmware_choice(state) == "slot-1"
        again = state.copy()
        repair(again)
        assert again == disk


def test_a_switch_is_two_writes_of_one_sector_with_a_flush_between() -> None:
    disk = new_disk(1)
    assert select_slot(disk, Slot(3)) == ()
    assert [[(at // SECTOR, len(new)) for at, new in epoch] for epoch in disk.epochs] == [
        [(LAST, SECTOR)],
        [(1, SECTOR)],
        [],
    ]


def test_selecting_what_is_selected_writes_nothing() -> None:
    """R4."""
    disk = new_disk(2)
    select_slot(disk, Slot(2))
    assert repair(disk) == ()
    assert disk.epochs == [[]]


def test_power_cut_while_the_backup_moves_to_the_end_of_a_disk_that_has_grown() -> None:
    for grown_by in (SECTOR, 33 * SECTOR, 4 * MIB):
        disk = new_disk(2)
        disk.sectors += grown_by // SECTOR
        start = disk.copy()
        assert any("has grown" in fault for fault in read_selection(disk).faults)
        repair(disk)
        assert read_selection(disk).faults == ()
        larger = plan("gateway", size_bytes=DISK_BYTES + grown_by, sizes=SIZES)
        assert read_selection(disk).tables == larger
        assert all(firmware_choice(state) == "slot-2" for state in crash_states(start, disk))


def test_what_differs_between_the_copies_is_told_with_both_slots() -> None:
    disk = new_disk(1)
    interrupted(disk, 3)
    (fault, *_) = read_selection(disk).faults
    assert "the primary header selects slot-1, the backup header slot-3" in fault


@pytest.mark.parametrize("before", ["primary header bad", "backup header bad"])
def test_a_damaged_header_does_not_make_a_disk_larger_or_smaller(before: str) -> None:
    disk = new_disk(1)
    BEFORE[before](disk)
    assert not [fault for fault in read_selection(disk).faults if "the disk has" in fault]


def test_one_sector_less_is_a_smaller_disk_and_one_more_a_larger_one() -> None:
    for by, words in ((-1, "the disk has become smaller: "), (1, "the disk has grown: ")):
        disk = new_disk(1)
        disk.sectors += by
        assert any(fault.startswith(words) for fault in read_selection(disk).faults)


@pytest.mark.parametrize("at", [0, TABLES.sectors - 31, TABLES.sectors, 1 << 40])
def test_b2_an_array_where_none_can_be_is_damage_and_the_backup_is_used(at: int) -> None:
    disk = new_disk(2)
    put_primary(disk, 2, at=at, array=bytes(ARRAY_BYTES))
    found = read_selection(disk)
    assert (found.slot, found.used) == (2, Copy.BACKUP)
    assert f"the header in LBA 1 has its array in LBA {at}" in found.faults


def test_the_backup_of_a_disk_that_has_grown_is_where_the_primary_says() -> None:
    disk = new_disk(1)
    interrupted(disk, 2)
    disk.sectors += MIB // SECTOR
    interruption, growth = read_selection(disk).faults
    assert interruption.startswith("a selection was interrupted: ")
    assert growth.startswith("the disk has grown: ")


def test_a_disk_is_too_small_when_one_sector_is_missing() -> None:
    """After the partitions come an array for each slot and one more, 32 sectors, and the header."""
    needed = TABLES.others[-1].last + 1 + 32 * (3 + 1) + 32 + 1
    for sectors, missing in ((needed, 0), (needed - 1, TABLES.sectors - needed + 1)):
        disk = new_disk(1)
        disk.sectors = sectors
        assert read_selection(disk).missing == missing


def test_b2_both_tables_damaged_is_an_error_that_names_both() -> None:
    disk = new_disk(1)
    damage(disk, 1)
    damage(disk, LAST)
    before = disk.copy()
    with pytest.raises(BadPartitionTable, match=f"LBA 1 .*LBA {LAST} ") as caught:
        select_slot(disk, Slot(2))
    assert caught.value.exit_code == 30 and disk == before


def test_tables_of_two_different_disks_are_refused() -> None:
    disk = new_disk(1)
    foreign = plan("other", size_bytes=DISK_BYTES, sizes=SIZES)
    for write in [*foreign.arrays(Copy.BACKUP), foreign.header(Slot(1), Copy.BACKUP)]:
        disk.write(write.offset, write.content)
    disk.epochs = [[]]
    with pytest.raises(TablesDisagree):
        select_slot(disk, Slot(2))
    with pytest.raises(TablesDisagree):
        repair(disk)
    assert disk.epochs == [[]]


def test_a_disk_that_is_too_small_for_its_tables_is_read_and_never_written() -> None:
    disk = new_disk(1)
    disk.sectors -= 2 * MIB // SECTOR
    found = read_selection(disk)
    assert (found.slot, found.missing, found.faults) == (1, 2 * MIB // SECTOR, ())
    assert found.used is Copy.PRIMARY
    assert repair(disk) == ()
    with pytest.raises(DiskIsShort, match=f"has {6 * MIB} bytes, .* needs {8 * MIB}"):
        select_slot(disk, Slot(2))
    assert disk.epochs == [[]]


def test_a_disk_that_has_shrunk_and_still_holds_everything_is_repaired() -> None:
    disk = new_disk(2)
    disk.sectors -= MIB // SECTOR
    (fault,) = [fault for fault in repair(disk) if "become smaller" in fault]
    assert fault
    smaller = plan("gateway", size_bytes=DISK_BYTES - MIB, sizes=SIZES)
    assert read_selection(disk).tables == smaller
    assert read_selection(disk).faults == ()
    assert firmware_choice(disk) == "slot-2"


@settings(max_examples=300)
@given(
    place=st.sampled_from(["primary", "backup"]),
    at=st.integers(0, SECTOR - 1),
    bit=st.integers(0, 7),
)
def test_b2_no_flipped_bit_of_a_header_changes_what_boots(place: str, at: int, bit: int) -> None:
    disk = new_disk(2)
    lba = 1 if place == "primary" else LAST
    block = bytearray(disk.read(lba * SECTOR, SECTOR))
    block[at] ^= 1 << bit
    disk.put(lba * SECTOR, bytes(block))
    assert firmware_choice(disk) == "slot-2" == f"slot-{read_selection(disk).slot}"
    assert repair(disk)
    assert disk == new_disk(2)


def test_the_protective_mbr_covers_the_disk() -> None:
    assert print_protective_mbr(100)[446:462].hex() == "00000200eeffffff0100000063000000"
    assert print_protective_mbr(1 << 40)[458:462] == b"\xff" * 4
