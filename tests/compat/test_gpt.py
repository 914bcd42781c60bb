"""Partition tables against sgdisk and sfdisk."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.base.process import run
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import EFI_SYSTEM, SECTOR, BadPartitionTable
from reconix.boot.rescue import rescue
from reconix.boot.tables import Copy, Slot, SlotTables, read_selection, repair, select_slot
from reconix.image.layout import MIB, Sizes, plan

Need = Callable[..., None]


def make(path: Path, slots: int, reserved: int = 0) -> SlotTables:
    sizes = Sizes(
        slots,
        slot_bytes=34 * MIB,
        system_bytes=64 * MIB,
        data_bytes=16 * MIB,
        reserved_bytes=reserved,
    )
    tables = plan("gateway", size_bytes=400 * MIB, sizes=sizes)
    with path.open("wb") as file:
        file.truncate(400 * MIB)
        for write in tables.writes(Slot(1)):
            file.seek(write.offset)
            file.write(write.content)
    return tables


@pytest.mark.parametrize(("slots", "reserved"), [(2, 0), (3, 0), (8, 0), (2, 16 * MIB)])
def test_sgdisk_finds_no_problem_in_any_selection(
    slots: int, reserved: int, tmp_path: Path, need: Need
) -> None:
    need("sgdisk")
    disk = tmp_path / "disk"
    for slot in make(disk, slots, reserved).numbers:
        with DiskFile(disk) as opened:
            assert select_slot(opened, slot) == ()
        said = run("sgdisk", "--verify", disk).decode()
        assert "No problems found" in said, said
        # It warns of two gaps, "helpful in some exotic configurations": ours is one.
        assert said.count("Warning") == 2 and "Caution" not in said, said


@pytest.mark.parametrize("slots", [2, 3, 8])
def test_sgdisk_prints_the_selected_slot_first(slots: int, tmp_path: Path, need: Need) -> None:
    need("sgdisk")
    disk = tmp_path / "disk"
    tables = make(disk, slots)
    for slot in tables.numbers:
        with DiskFile(disk) as opened:
            select_slot(opened, slot)
        said = run("sgdisk", "--print", disk).decode()
        rows = re.findall(r"^ +(\d+) +(\d+) +(\d+) +\S+ \S+ +(\w{4}) +(\S+)$", said, re.MULTILINE)
        assert [(row[1], row[2], row[4]) for row in rows] == [
            (str(part.first), str(part.last), part.name) for part in tables.partitions(slot)
        ]
        assert [row[3] for row in rows].count("EF00") == 1 and rows[0][3] == "EF00"


def test_what_is_reserved_is_left_alone_whatever_is_done_to_the_tables(tmp_path: Path) -> None:
    disk, loader = tmp_path / "disk", b"\xa5" * (16 * MIB)
    tables = make(disk, 2, reserved=16 * MIB)
    begin = 2 * SECTOR

    def is_left() -> bool:
        return disk.read_bytes()[begin : begin + len(loader)] == loader

    with DiskFile(disk) as opened:
        opened.write(begin, loader)
        select_slot(opened, Slot(2))
        assert read_selection(opened).tables == tables and is_left()
        opened.write(tables.array_at(Slot(1), Copy.PRIMARY) * SECTOR, bytes(512))
        assert repair(opened) == ("the primary array of slot-1 is damaged",) and is_left()
        for copy in Copy:
            opened.write(tables.header_at(copy) * SECTOR, bytes(SECTOR))
        rescue(opened, Slot(2))
        found = read_selection(opened)
        assert found.slot == 2 and found.tables.partitions(Slot(1)) == tables.partitions(Slot(1))
        assert found.faults == () and is_left()


def test_sfdisk_reads_what_we_meant(tmp_path: Path, need: Need) -> None:
    need("sfdisk")
    disk = tmp_path / "disk"
    tables = make(disk, 4)
    for slot in tables.numbers:
        with DiskFile(disk) as opened:
            select_slot(opened, slot)
        table = json.loads(run("sfdisk", "--json", disk))["partitiontable"]
        assert table["id"] == str(tables.disk)
        assert (table["firstlba"], table["lastlba"]) == (2048, tables.last_usable)
        assert [
            (part["start"], part["size"], part["type"], part["uuid"], part["name"])
            for part in table["partitions"]
        ] == [
            (part.first, part.sectors, str(part.type), str(part.guid), part.name)
            for part in tables.partitions(slot)
        ]
        assert table["partitions"][0]["type"] == str(EFI_SYSTEM)


def test_sgdisk_uses_our_backup_when_the_primary_is_gone(tmp_path: Path, need: Need) -> None:
    need("sgdisk")
    disk = tmp_path / "disk"
    tables = make(disk, 2)
    with disk.open("r+b") as file:
        file.seek(SECTOR)
        file.write(bytes(SECTOR))
    said = run("sgdisk", "--info=1", disk).decode()
    assert "invalid main GPT header, but valid backup" in said or str(tables.slots[0].guid) in said
    with DiskFile(disk) as opened:
        assert read_selection(opened).slot == 1


def test_a_table_that_selects_nothing_is_refused_not_repaired(tmp_path: Path, need: Need) -> None:
    need("sgdisk")
    disk = tmp_path / "disk"
    make(disk, 2)
    run("sgdisk", "--typecode=2:EF00", disk)
    before = disk.read_bytes()
    with DiskFile(disk) as opened, pytest.raises(BadPartitionTable, match="selects a slot"):
        select_slot(opened, Slot(2))
    assert disk.read_bytes() == before


def test_what_sgdisk_changed_in_both_tables_reaches_all_prepared_arrays(
    tmp_path: Path, need: Need
) -> None:
    need("sgdisk")
    disk = tmp_path / "disk"
    make(disk, 3)
    run("sgdisk", "--new=6:0:+2M", "--change-name=6:scratch", disk)
    with DiskFile(disk) as opened:
        assert select_slot(opened, Slot(3))
        assert read_selection(opened).faults == ()
    said = run("sgdisk", "--verify", "--print", disk).decode()
    assert "No problems found" in said
    assert re.search(r" 1 .*EF00 +slot-3\n.*\n.*\n.*\n.*\n +6 .* scratch\n", said)
