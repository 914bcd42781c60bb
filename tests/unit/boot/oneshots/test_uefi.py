from pathlib import Path

import pytest

from reconix.boot.oneshots.load_option import LoadOption, parse_load_option, print_load_option
from reconix.boot.oneshots.uefi import Uefi
from reconix.boot.oneshots.variables import GLOBAL, LOADER, Variables
from reconix.boot.tables import Copy, Selection, Slot
from reconix.image.layout import Sizes, plan

PROGRAM = "EFI/BOOT/BOOTX64.EFI"
TABLES = plan("gateway", size_bytes=80 << 20, sizes=Sizes(2, 34 << 20, 1 << 20, 1 << 20))
ONE, TWO = Slot(1), Slot(2)
SECOND = TABLES.slot(TWO)


def selected(slot: Slot) -> Selection:
    return Selection(TABLES, slot, Copy.PRIMARY, ())


@pytest.fixture
def variables(tmp_path: Path) -> Variables:
    found = Variables(tmp_path)
    found.set("Boot0000", GLOBAL, b"an option of the firmware")
    found.set("BootOrder", GLOBAL, b"\0\0")
    found.set("BootOptionSupport", GLOBAL, b"\x03\x03\0\0")
    return found


def test_a_slot_gets_a_free_option_and_is_next(variables: Variables) -> None:
    uefi = Uefi(variables, PROGRAM)
    uefi.arm(selected(ONE), TWO, "mqtt")
    assert variables.get("BootNext", GLOBAL) == b"\x01\0"
    option = parse_load_option(variables.get("Boot0001", GLOBAL) or b"")
    assert (option.partition, option.first, option.sectors) == (
        SECOND.guid,
        SECOND.first,
        SECOND.sectors,
    )
    assert (option.description, option.number, option.path) == ("slot-2", 2, PROGRAM)
    assert uefi.next_slot(selected(ONE)) == TWO


def test_the_order_and_the_options_of_others_are_left_alone(variables: Variables) -> None:
    uefi = Uefi(variables, PROGRAM)
    uefi.arm(selected(ONE), TWO, "mqtt")
    uefi.disarm(None)
    assert uefi.next_slot(selected(ONE)) is None and variables.get("BootNext", GLOBAL) is None
    assert variables.get("BootOrder", GLOBAL) == b"\0\0"
    assert variables.get("Boot0000", GLOBAL) == b"an option of the firmware"


def test_an_option_is_found_by_the_guid_of_the_slot_not_by_its_number(
    variables: Variables,
) -> None:
    uefi = Uefi(variables, PROGRAM)
    for slot, table in ((TWO, ONE), (ONE, ONE), (TWO, TWO), (ONE, TWO), (TWO, ONE)):
        uefi.arm(selected(table), slot, "mqtt")
        assert uefi.next_slot(selected(table)) == slot
    options = [name for name in variables.names(GLOBAL) if name.startswith("Boot00")]
    assert options == ["Boot0000", "Boot0001", "Boot0002"]
    assert parse_load_option(variables.get("Boot0002", GLOBAL) or b"").number == 2


def test_a_next_option_that_is_not_ours_is_nobody(variables: Variables) -> None:
    variables.set("BootNext", GLOBAL, b"\0\0")
    assert Uefi(variables, PROGRAM).next_slot(selected(ONE)) is None
    variables.set("BootNext", GLOBAL, b"\0")
    assert Uefi(variables, PROGRAM).next_slot(selected(ONE)) is None


def test_a_system_is_asked_for_and_forgotten(variables: Variables) -> None:
    uefi = Uefi(variables, PROGRAM)
    uefi.ask_for("mqtt")
    assert variables.get("LoaderEntryOneShot", LOADER) == "mqtt.conf\0".encode("utf-16-le")
    assert uefi.asked_for() == "mqtt"
    uefi.ask_for(None)
    assert uefi.asked_for() is None


def test_what_systemd_boot_tells_is_read(variables: Variables) -> None:
    uefi = Uefi(variables, PROGRAM)
    assert uefi.booted_partition() is None
    spelled = f"{str(SECOND.guid).lower()}\0".encode("utf-16-le")
    variables.set("LoaderDevicePartUUID", LOADER, spelled)
    assert uefi.booted_partition() == SECOND.guid


@pytest.mark.parametrize("value", [b"", b"x", b"\0\xd8\0\xd8", "no guid\0".encode("utf-16-le")])
def test_nonsense_in_a_variable_is_nothing(value: bytes, variables: Variables) -> None:
    variables.set("LoaderDevicePartUUID", LOADER, value)
    assert Uefi(variables, PROGRAM).booted_partition() is None


def test_a_loader_of_somebody_else_that_is_next_is_nobody(variables: Variables) -> None:
    """Also if its load option is spelled exactly as ours are."""
    theirs = LoadOption("ubuntu", 1, 2048, 99, TABLES.slot(ONE).guid, "EFI/ubuntu/shimx64.efi")
    variables.set("Boot0003", GLOBAL, print_load_option(theirs))
    variables.set("BootNext", GLOBAL, b"\3\0")
    assert Uefi(variables, PROGRAM).next_slot(selected(ONE)) is None
