"""Rescue: both partition tables are damaged, and are made again from the prepared arrays.

A firmware needs a header and the array that it names. A disk of ours has one array for each slot,
twice, near its two ends (``boot/tables.py``); a header is all that is lost when somebody writes to
the first and to the last sector. Each array lists all partitions, so any complete copy of them
says what the disk looked like. What no array says is which slot was selected: that a person must
know, or try.

The GUID of the disk stood in the headers only. Nothing of ours looks for it, so it is derived anew
from that of the first slot.

Tested by ``tests/crash/test_fault_boot.py``; the procedure is ``docs/rescue.md``.
"""

from collections.abc import Iterator

from reconix.boot.disk import Disk
from reconix.boot.gpt import (
    ARRAY_BYTES,
    ARRAY_SECTORS,
    SECTOR,
    BadPartitionTable,
    DamagedPartitionTable,
    Guid,
    Lba,
    parse_array,
)
from reconix.boot.tables import (
    FIRST_ARRAY,
    FIRST_USABLE,
    MAX_RESERVED,
    MAX_SLOTS,
    MIN_SLOTS,
    Copy,
    Slot,
    SlotTables,
    read_selection,
    recognise,
    repair,
    write_all,
)


class NothingLeft(BadPartitionTable):
    """No copy of the prepared arrays is complete."""

    def __init__(self) -> None:
        super().__init__(
            "no copy of the prepared arrays is complete, or this is not a disk of reconix",
            hint="write the disk again from the image of its host",
        )


def rescue(disk: Disk, slot: Slot) -> tuple[str, ...]:
    """Make a disk boot again whose tables are damaged.

    If one of them can be used, it is: then the other is repaired, and ``slot`` is not looked at.
    Otherwise everything is written again, the arrays first. The partitions are not touched.

    Returns:
        What was done, a sentence each.

    Raises:
        NothingLeft: the arrays are damaged as well.
        UnknownSlot: the disk has no such slot.
        BadPartitionTable, TablesDisagree: there are valid tables, and they are not ours.
    """
    try:
        read_selection(disk)
    except DamagedPartitionTable:
        tables = find_tables(disk)
    else:
        return repair(disk)
    tables.slot(slot)
    for copy in (Copy.BACKUP, Copy.PRIMARY):
        write_all(disk, tables.arrays(copy))
        write_all(disk, [tables.header(slot, copy)])
    write_all(disk, [tables.protective_mbr()])
    return (f"both headers are written again, and select slot {slot}",)


def find_tables(disk: Disk) -> SlotTables:
    """What the tables of a disk said, from a complete copy of its prepared arrays.

    Raises:
        NothingLeft: there is none.
    """
    for tables, copy in _candidates(disk):
        if all(disk.read(w.offset, len(w.content)) == w.content for w in tables.arrays(copy)):
            return tables
    raise NothingLeft


def _candidates(disk: Disk) -> Iterator[tuple[SlotTables, Copy]]:
    """What the arrays of slot 1 say, wherever they may be."""
    sectors = disk.size_bytes // SECTOR
    primary = range(FIRST_ARRAY, FIRST_ARRAY + MAX_RESERVED // SECTOR + 1, FIRST_USABLE)
    places = [(lba, Copy.PRIMARY) for lba in primary if lba + ARRAY_SECTORS <= sectors]
    for slots in range(MIN_SLOTS, MAX_SLOTS + 1):
        places.append((sectors - 1 - ARRAY_SECTORS * (1 + slots), Copy.BACKUP))
    for lba, copy in places:
        try:
            yield _read(disk, Lba(lba)), copy
        except BadPartitionTable:
            continue


def _read(disk: Disk, at: Lba) -> SlotTables:
    partitions = parse_array(disk.read(at * SECTOR, ARRAY_BYTES))
    if not partitions:
        raise BadPartitionTable("no partitions")
    guid = Guid.derive(f"reconix: disk of {partitions[0].guid}")
    return recognise(partitions, disk.size_bytes // SECTOR, guid)[0]
