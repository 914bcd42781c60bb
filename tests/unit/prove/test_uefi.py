"""The second reader of partition tables agrees with the first, and knows what is not valid."""

import pytest

from reconix.boot.tables import Copy, Slot
from reconix.image.layout import MIB, Sizes, plan
from reconix.prove import uefi

SIZES = Sizes(slots=3, slot_bytes=MIB, system_bytes=MIB, data_bytes=MIB)
DISK_BYTES = 8 * MIB
TABLES = plan("gateway", size_bytes=DISK_BYTES, sizes=SIZES)


def disk(primary: int, backup: int) -> bytearray:
    content = bytearray(DISK_BYTES)
    for write in TABLES.writes(Slot(primary)):
        content[write.offset : write.offset + len(write.content)] = write.content
    header = TABLES.header(Slot(backup), Copy.BACKUP)
    content[header.offset : header.offset + 512] = header.content
    return content


def boots(content: bytearray) -> str:
    table = uefi.tables(lambda at, size: bytes(content[at : at + size]), len(content)).used
    return table[0].name if table else "nothing"


@pytest.mark.parametrize("slot", [1, 2, 3])
def test_the_selected_slot_boots(slot: int) -> None:
    content = disk(slot, 1)
    assert boots(content) == f"slot-{slot}"
    table = uefi.tables(lambda at, size: bytes(content[at : at + size]), len(content)).used
    assert table is not None
    (system,) = [each for each in table if each.name == "system"]
    ours = TABLES.named("system")
    assert (system.offset, system.size_bytes) == (ours.first * 512, ours.size_bytes)
    assert system.guid == ours.guid.value


@pytest.mark.parametrize("at", [512, 512 + 16, 512 + 24, 512 + 72, 512 + 91, 64 * 512])
def test_any_damage_of_the_primary_makes_the_backup_count(at: int) -> None:
    content = disk(1, 2)
    content[at] ^= 1
    assert boots(content) == "slot-2"


def test_two_damaged_headers_boot_nothing() -> None:
    content = disk(1, 2)
    content[512] = content[-512] = 0
    assert boots(content) == "nothing"


def test_a_header_whose_array_lies_beyond_the_disk_is_not_valid() -> None:
    content = disk(1, 2)
    assert uefi.tables(lambda at, size: bytes(content[at : at + size]), 33 * 512).used is None
