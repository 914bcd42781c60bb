"""Which slot boots: N prepared tables on one disk, and one sector that selects.

A firmware boots what the partition table says. To make it boot another slot we must change the
table, and a table is more than a sector: header, entry array, and both again as a backup. Writing
them can be cut anywhere. So all arrays that will ever be needed are on the disk from the beginning,
one per slot, each of them listing *its* slot as partition 1 and as the only one that boots:

    LBA 0            protective MBR
        1            primary header ──────────┐ names one of
        2 … 33       (EDK2 writes here when it repairs; nothing of ours)
       64 …          array of slot 1 ◄────────┤ each 32 sectors
       96 …          array of slot 2 ◄────────┘
     2048 …          slot-1, slot-2, …, system, data
        …            (33 sectors: EDK2 writes here when it repairs)
        …            array of slot 1, array of slot 2, …: copies for the backup header
    last-32 … last-1 (where others expect the backup array; nothing of ours)
     last            backup header

To select a slot, the backup header is written and flushed, then the primary header: one sector
each. The firmware takes the primary header if its checksums are right and the backup otherwise, so
at each moment it finds the old table or the new one, even if the sector that is being written is
torn. Two valid headers that select different slots: a selection was interrupted, and the primary
counts.

Some boards read their loader from a fixed place behind the first sectors. On their disks all from
the primary arrays on lies that much later, by whole MiB (``disk.reserved``). It is seen from where
the first partition begins, so a table says it itself.

What makes a firmware boot a partition depends on its kind (``BootMark``). For UEFI it is the type
of an EFI system partition. U-Boot would write a file of its own (``ubootefi.var``) into one of
those, so for it the slot has another type, and an attribute. The arrays themselves say which.

Source: the thesis *reCoNix*, "hermetic bootloader"; UEFI Specification 2.10, section 5.3.2 (a
primary that is not valid is replaced by the backup); byte tables in ``docs/spec/disk.md``.
Tested by ``tests/crash/test_gpt_select.py`` at every write, ``tests/compat/test_gpt.py``, and on
OVMF by ``tests/vm/test_firmware_and_slots.py``.
"""

import zlib
from collections.abc import Iterator
from enum import Enum
from typing import NewType

from reconix.base.errors import ReconixError
from reconix.base.firmware import FirmwareKind
from reconix.base.records import dataclass, replace
from reconix.boot.disk import Disk, NotKept
from reconix.boot.gpt import (
    ARRAY_BYTES,
    ARRAY_SECTORS,
    BASIC_DATA,
    EFI_SYSTEM,
    LEGACY_BOOTABLE,
    PRIMARY_LBA,
    SECTOR,
    BadPartitionTable,
    DamagedPartitionTable,
    Guid,
    Header,
    Lba,
    Partition,
    check_partitions,
    parse_array,
    parse_header,
    print_array,
    print_header,
    print_protective_mbr,
)

Slot = NewType("Slot", int)
"""The number of a slot, from 1."""

MIN_SLOTS, MAX_SLOTS = 2, 8
FIRST_ARRAY = 64
FIRST_USABLE = Lba(2048)
MAX_RESERVED = 64 << 20
"""How many bytes may lie before the primary arrays for loaders of boards."""
IDLE_SLOT = Guid.parse("18D1BE9C-5224-88FD-BC07-5F0AFDC2C343")
"""The type of a slot that is not selected: no firmware and no automatic mount looks at it."""

_REPAIRED_SECTORS = 32  # EDK2 writes LastUsableLBA+1 … +32
_ALIGNMENT = 2048


class TablesDisagree(ReconixError):
    """Both tables are valid, and no interruption of ours explains how they differ."""

    exit_code = 30

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the two partition tables disagree: {what}",
            hint="another program changed the partition table; nothing was written",
        )


class DiskIsShort(ReconixError):
    """The disk is smaller than its table: without room for the backup, nothing can be selected."""

    exit_code = 35

    def __init__(self, *, sectors: int, needed: int) -> None:
        super().__init__(
            f"the disk has {sectors * SECTOR} bytes, and its partition table needs "
            f"{needed * SECTOR}: no slot can be selected",
            hint="write the image to a disk that is large enough, or make it smaller in "
            "machine.toml: disk.size, disk.data_size",
        )


class UnknownSlot(ReconixError):
    """The disk has no slot of that number."""

    exit_code = 34

    def __init__(self, slot: int, *, count: int) -> None:
        super().__init__(f"there is no slot {slot}", hint=f"the disk has slots 1 to {count}")


class BootMark(Enum):
    """What makes a firmware boot a partition: its type, and its attributes."""

    UEFI = (EFI_SYSTEM, 0)
    U_BOOT = (BASIC_DATA, LEGACY_BOOTABLE)

    @classmethod
    def of(cls, kind: FirmwareKind) -> "BootMark":
        """That of a kind of firmware."""
        return cls[kind.name]

    def on(self, slot: Partition) -> Partition:
        """A slot with the mark."""
        type_guid, attributes = self.value
        return replace(slot, type=type_guid, attributes=attributes)


class Copy(Enum):
    """The two copies of a table."""

    PRIMARY = "primary"
    BACKUP = "backup"

    @property
    def other(self) -> "Copy":
        """Its twin."""
        return Copy.BACKUP if self is Copy.PRIMARY else Copy.PRIMARY


@dataclass(frozen=True, slots=True)
class Write:
    """Sectors that should have a certain content."""

    at: Lba
    content: bytes
    what: str

    @property
    def offset(self) -> int:
        """Where it begins, in bytes."""
        return self.at * SECTOR


@dataclass(frozen=True, slots=True)
class SlotTables:
    """Everything that the tables of a disk say, whichever slot is selected.

    Args:
        sectors: how many the disk has.
        disk: the GUID of the disk.
        slots: the slots in order, each of type ``IDLE_SLOT``.
        others: the partitions after them, for instance ``system`` and ``data``.
        mark: of the slot that boots.
    """

    sectors: int
    disk: Guid
    slots: tuple[Partition, ...]
    others: tuple[Partition, ...]
    mark: BootMark = BootMark.UEFI

    def __post_init__(self) -> None:
        if not MIN_SLOTS <= len(self.slots) <= MAX_SLOTS:
            raise BadPartitionTable(
                f"{len(self.slots)} slots on a disk, it must be {MIN_SLOTS} to {MAX_SLOTS}"
            )
        expected = [slot_name(slot) for slot in self.numbers]
        if [part.name for part in self.slots] != expected:
            raise BadPartitionTable(f"the slots of a disk must be named {', '.join(expected)}")
        if any((part.type, part.attributes) != (IDLE_SLOT, 0) for part in self.slots):
            raise BadPartitionTable("a slot has the type of something else")
        check_partitions(self.slots + self.others, first=self.first_usable, last=self.last_usable)
        names = [part.name for part in self.slots + self.others]
        if len(set(names)) != len(names):
            raise BadPartitionTable("two partitions have the same name")

    @property
    def numbers(self) -> tuple[Slot, ...]:
        """The numbers of the slots."""
        return tuple(Slot(number) for number in range(1, len(self.slots) + 1))

    @property
    def reserved(self) -> int:
        """How many sectors are left to loaders of the board, before the primary arrays."""
        first = min(part.first for part in self.slots + self.others) - FIRST_USABLE
        most = MAX_RESERVED // SECTOR
        return first if first % _ALIGNMENT == 0 and 0 <= first <= most else 0

    @property
    def first_usable(self) -> Lba:
        """The first sector that a partition may use."""
        return Lba(FIRST_USABLE + self.reserved)

    @property
    def last_usable(self) -> Lba:
        """The last sector that a partition may use."""
        return last_usable(self.sectors, len(self.slots))

    def slot(self, number: Slot) -> Partition:
        """The partition of a slot.

        Raises:
            UnknownSlot: there is no such slot.
        """
        if number not in self.numbers:
            raise UnknownSlot(number, count=len(self.slots))
        return self.slots[number - 1]

    def named(self, name: str) -> Partition:
        """The partition with a name, whichever slot is selected.

        Raises:
            BadPartitionTable: there is none.
        """
        for part in self.slots + self.others:
            if part.name == name:
                return part
        raise BadPartitionTable(f"the disk has no partition named {name!r}")

    def grown(self) -> "SlotTables":
        """The same with the last partition reaching to the end of the disk."""
        *before, last = self.others
        if any(part.first > last.first for part in (*self.slots, *before)):
            return self
        return replace(self, others=(*before, replace(last, last=self.last_usable)))

    def slot_with(self, guid: Guid | None) -> Slot | None:
        """The slot whose partition has this GUID."""
        found = (number for number in self.numbers if self.slot(number).guid == guid)
        return next(found, None)

    def partitions(self, selected: Slot) -> tuple[Partition, ...]:
        """The partitions in the order of the table that selects a slot."""
        chosen = self.mark.on(self.slot(selected))
        idle = tuple(part for part in self.slots if part.name != chosen.name)
        return (chosen, *idle, *self.others)

    def header_at(self, copy: Copy) -> Lba:
        """Where a header is."""
        return PRIMARY_LBA if copy is Copy.PRIMARY else Lba(self.sectors - 1)

    def array_at(self, slot: Slot, copy: Copy) -> Lba:
        """Where the array is that selects a slot."""
        begin = FIRST_ARRAY + self.reserved
        if copy is Copy.BACKUP:
            begin = self.sectors - 1 - ARRAY_SECTORS * (1 + len(self.slots))
        return Lba(begin + ARRAY_SECTORS * (slot - 1))

    def arrays(self, copy: Copy) -> list[Write]:
        """All prepared arrays of one copy."""
        return [
            Write(
                self.array_at(slot, copy),
                print_array(self.partitions(slot)),
                f"the {copy.value} array of {slot_name(slot)}",
            )
            for slot in self.numbers
        ]

    def header(self, selected: Slot, copy: Copy) -> Write:
        """The header that selects a slot."""
        header = Header(
            at=self.header_at(copy),
            twin=self.header_at(copy.other),
            first_usable=self.first_usable,
            last_usable=self.last_usable,
            disk=self.disk,
            array=self.array_at(selected, copy),
            array_crc=zlib.crc32(print_array(self.partitions(selected))),
        )
        return Write(header.at, print_header(header), f"the {copy.value} header")

    def protective_mbr(self) -> Write:
        """What LBA 0 should be."""
        return Write(Lba(0), print_protective_mbr(self.sectors), "the protective MBR")

    def writes(self, selected: Slot) -> Iterator[Write]:
        """Everything that a new disk needs besides the content of its partitions."""
        yield self.protective_mbr()
        for copy in Copy:
            yield from self.arrays(copy)
            yield self.header(selected, copy)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a firmware finds on a disk.

    Args:
        tables: what the disk should have.
        slot: the slot that boots.
        used: which copy says so.
        faults: what is damaged, a sentence each; ``repair`` puts it right.
        missing: how many sectors the disk is short of; then nothing can be put right.
    """

    tables: SlotTables
    slot: Slot
    used: Copy
    faults: tuple[str, ...]
    missing: int = 0

    def expect_whole(self) -> None:
        """Check that the disk has room for all of its tables.

        Raises:
            DiskIsShort: it has not.
        """
        if self.missing:
            needed = self.tables.sectors
            raise DiskIsShort(sectors=needed - self.missing, needed=needed)


def slot_name(slot: Slot) -> str:
    """The name of a slot's partition."""
    return f"slot-{slot}"


_SLOT_NAMES = frozenset(slot_name(Slot(number)) for number in range(1, MAX_SLOTS + 1))


def last_usable(sectors: int, slots: int) -> Lba:
    """The last sector for partitions on a disk; what follows begins at a whole MiB."""
    end = sectors - 1 - ARRAY_SECTORS * (1 + slots) - _REPAIRED_SECTORS
    return Lba(end // _ALIGNMENT * _ALIGNMENT - 1)


# -- reading ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Side:
    """One valid copy of the table, as it is on the disk."""

    header: Header
    tables: SlotTables
    slot: Slot


def read_selection(disk: Disk) -> Selection:
    """Find out which slot boots, as a firmware does, and what is damaged.

    Raises:
        BadPartitionTable: neither copy can be used, or one is valid but not ours.
        TablesDisagree: the copies contradict each other.
    """
    faults: list[str] = []
    sectors = disk.size_bytes // SECTOR
    primary = _side_or_fault(disk, PRIMARY_LBA, faults)
    backup_at = primary.header.twin if primary else Lba(sectors - 1)
    backup = _side_or_fault(disk, backup_at, faults)
    used = primary or backup
    if used is None:
        raise DamagedPartitionTable(
            f"both partition tables are damaged: {'; '.join(faults)}",
            hint="at another computer, `reconix rescue DISK --slot N` makes them again; "
            "the content of the partitions is not affected",
        )
    copy = Copy.PRIMARY if primary else Copy.BACKUP
    if used.tables.sectors > sectors:
        return Selection(used.tables, used.slot, copy, (), used.tables.sectors - sectors)
    if primary and backup:
        _check_agreement(primary, backup, faults)
    faults += _wrong_sectors(disk, used)
    return Selection(used.tables, used.slot, copy, tuple(faults))


def _side_or_fault(disk: Disk, at: Lba, faults: list[str]) -> _Side | None:
    try:
        return _read_side(disk, at)
    except DamagedPartitionTable as error:
        faults.append(str(error))
        return None


def _read_side(disk: Disk, at: Lba) -> _Side:
    sectors = disk.size_bytes // SECTOR
    if not 0 < at < sectors:
        raise DamagedPartitionTable(f"the backup header should be in LBA {at} of {sectors}")
    header = parse_header(disk.read(at * SECTOR, SECTOR), at=at)
    if not 0 < header.array <= sectors - ARRAY_SECTORS:
        raise DamagedPartitionTable(f"the header in LBA {at} has its array in LBA {header.array}")
    content = disk.read(header.array * SECTOR, ARRAY_BYTES)
    if zlib.crc32(content) != header.array_crc:
        raise DamagedPartitionTable(f"the array in LBA {header.array} has a wrong checksum")
    partitions = parse_array(content)
    check_partitions(partitions, first=header.first_usable, last=header.last_usable)
    tables, slot = recognise(partitions, _sectors_for(partitions, header, sectors), header.disk)
    return _Side(header, tables, slot)


def _sectors_for(partitions: tuple[Partition, ...], header: Header, sectors: int) -> int:
    """How many sectors the disk has, or should have if it is too small for its partitions."""
    slots = sum(1 for part in partitions if part.name in _SLOT_NAMES)
    fits = max(part.last for part in partitions) <= last_usable(sectors, slots)
    return sectors if fits else max(sectors, 1 + max(header.at, header.twin))


def recognise(
    partitions: tuple[Partition, ...], sectors: int, disk: Guid
) -> tuple[SlotTables, Slot]:
    """The tables of which these partitions are one, and the slot that this one selects.

    Raises:
        BadPartitionTable: they are not those of a disk of ours.
    """
    slots = sorted((p for p in partitions if p.name in _SLOT_NAMES), key=lambda part: part.name)
    tables = SlotTables(
        sectors,
        disk,
        tuple(replace(part, type=IDLE_SLOT, attributes=0) for part in slots),
        tuple(part for part in partitions if part.name not in _SLOT_NAMES),
        _mark_of(partitions),
    )
    for slot in tables.numbers:
        if tables.partitions(slot) == partitions:
            return tables, slot
    raise BadPartitionTable("the partitions are not in an order that selects a slot")


def _mark_of(partitions: tuple[Partition, ...]) -> BootMark:
    """The mark of the slot that is selected, which is the first partition."""
    first = partitions[0]
    marks = (mark for mark in BootMark if mark.value == (first.type, first.attributes))
    return next(marks, BootMark.UEFI)


def _check_agreement(primary: _Side, backup: _Side, faults: list[str]) -> None:
    if primary.tables != backup.tables and backup.tables == primary.tables.grown():
        faults.append("a growth was interrupted: the last partition is longer in the backup")
    elif primary.tables != backup.tables:
        raise TablesDisagree("they list different partitions")
    if backup.header.twin != PRIMARY_LBA:
        raise TablesDisagree(f"the backup has its primary in LBA {backup.header.twin}")
    if primary.slot != backup.slot:
        faults.append(
            f"a selection was interrupted: the primary header selects {slot_name(primary.slot)}, "
            f"the backup header {slot_name(backup.slot)}"
        )


def _wrong_sectors(disk: Disk, used: _Side) -> list[str]:
    tables = used.tables
    end = used.header.at if used.header.at != PRIMARY_LBA else used.header.twin
    if end != tables.sectors - 1:
        changed = "grown" if end < tables.sectors else "become smaller"
        return [f"the disk has {changed}: its table ends in LBA {end} of {tables.sectors}"]
    return [
        f"{write.what} is damaged"
        for write in tables.writes(used.slot)
        if disk.read(write.offset, len(write.content)) != write.content
    ]


# -- writing ---------------------------------------------------------------------------------------


def repair(disk: Disk) -> tuple[str, ...]:
    """Make both copies and all prepared arrays what they should be, without changing the selection.

    The copy that the firmware uses is touched last, and only when its twin is whole. So this also
    finishes what EDK2 began when it repaired a table in its own way, undoes an interrupted
    selection, and moves the backup to the end of a disk that has grown. On a disk that is too small
    for its table there is nothing that could be repaired.

    Returns:
        What was repaired, a sentence each; nothing if nothing was written.

    Raises:
        BadPartitionTable: neither copy can be used, or one is valid but not ours.
        TablesDisagree: the copies contradict each other.
        NotKept: the medium does not keep what is written.
    """
    found = read_selection(disk)
    if not found.faults:
        return ()
    tables, first, last = found.tables, found.used.other, found.used
    write_all(disk, tables.arrays(first))
    write_all(disk, [tables.header(found.slot, first)])
    write_all(disk, tables.arrays(last))
    write_all(disk, [tables.header(found.slot, last)])
    write_all(disk, [tables.protective_mbr()])
    return found.faults


def grow_last(disk: Disk) -> Partition:
    """Let the last partition reach to the end of the disk.

    All arrays change, so no single sector can decide. Instead each side is written while the other
    one is whole: the backup, as long as the primary counts; then the primary, for whose arrays the
    backup counts meanwhile. A cut leaves the partition as long as it was, or as it shall be.

    Returns:
        The last partition; nothing is written if it reaches to the end already.

    Raises:
        DiskIsShort, BadPartitionTable, TablesDisagree, NotKept: as ``select_slot``.
    """
    read_selection(disk).expect_whole()
    repair(disk)
    found = read_selection(disk)
    tables = found.tables.grown()
    if tables != found.tables:
        for copy in (Copy.BACKUP, Copy.PRIMARY):
            write_all(disk, tables.arrays(copy))
            write_all(disk, [tables.header(found.slot, copy)])
    return tables.others[-1]


def select_slot(disk: Disk, slot: Slot) -> tuple[str, ...]:
    """Make a slot the one that boots, in one sector write that counts.

    Damage is repaired first: each of the two writes needs a whole table to fall back on. If the
    slot is selected already, nothing is written.

    Returns:
        What was repaired on the way, a sentence each.

    Raises:
        UnknownSlot: the disk has no such slot.
        DiskIsShort: it has no room for the other copy.
        BadPartitionTable: neither copy can be used, or one is valid but not ours.
        TablesDisagree: the copies contradict each other.
        NotKept: the medium does not keep what is written.
    """
    found = read_selection(disk)
    found.expect_whole()
    tables = found.tables
    tables.slot(slot)
    repaired = repair(disk)
    write_all(disk, [tables.header(slot, Copy.BACKUP)])
    write_all(disk, [tables.header(slot, Copy.PRIMARY)])
    return repaired


def write_all(disk: Disk, writes: list[Write]) -> None:
    """Write what differs, make it durable, and read it back.

    Raises:
        NotKept: the medium does not keep what is written.
    """
    changed = [
        write for write in writes if disk.read(write.offset, len(write.content)) != write.content
    ]
    for write in changed:
        disk.write(write.offset, write.content)
    if changed:
        disk.flush()
    for write in changed:
        if disk.read(write.offset, len(write.content)) != write.content:
            raise NotKept(write.what, offset=write.offset)
