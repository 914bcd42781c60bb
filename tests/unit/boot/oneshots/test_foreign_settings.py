"""W2: what others have left in the memory of a firmware, as efivarfs shows it."""

import struct
from pathlib import Path

import pytest

from reconix.boot.gpt import Guid
from reconix.boot.oneshots.foreign_settings import Slots, astray, find, remove, starts
from reconix.boot.oneshots.load_option import (
    ForeignLoadOption,
    LoadOption,
    Started,
    parse_started,
    print_load_option,
    print_text,
)
from reconix.boot.oneshots.variables import GLOBAL, LOADER, Variables

ONE, TWO, ELSEWHERE = (Guid.derive(name) for name in ("slot-1", "slot-2", "another disk"))
PROGRAM = "EFI/BOOT/BOOTX64.EFI"
SLOTS = Slots(ONE, (ONE, TWO))
SYSTEMS = ("default", "mqtt", "web")
PCI = bytes.fromhex("02010c00d041030a00000000 01010600 0102".replace(" ", ""))
"""The path of a device as a firmware spells it: PciRoot(0x0)/Pci(0x2,0x1)."""


@pytest.fixture
def variables(tmp_path: Path) -> Variables:
    return Variables(tmp_path)


def option(partition: Guid, path: str = "EFI/ubuntu/shimx64.efi", name: str = "ubuntu") -> bytes:
    return print_load_option(LoadOption(name, 1, 2048, 99, partition, path))


def order(variables: Variables, current: int, **options: bytes) -> None:
    """The options stand in the order in which they are given."""
    numbers = []
    for name, content in options.items():
        variables.set(name, GLOBAL, content)
        numbers.append(int(name.removeprefix("Boot"), 16))
    variables.set("BootOrder", GLOBAL, struct.pack(f"<{len(numbers)}H", *numbers))
    variables.set("BootCurrent", GLOBAL, struct.pack("<H", current))


def cleared(variables: Variables, *asked: str) -> list[str]:
    """Remove what is found; nothing is found a second time."""
    found = find(variables, SLOTS, asked=asked)
    for setting in found:
        remove(variables, setting)
    assert find(variables, SLOTS, asked=asked) == ()
    return [setting.name for setting in found]


@pytest.mark.parametrize(
    "name",
    [
        *("LoaderConfigTimeout", "LoaderConfigTimeoutOneShot", "LoaderConfigConsoleMode"),
        *("LoaderEntryDefault", "LoaderEntryPreferred", "LoaderEntrySysFail"),
        "LoaderEntryOneShot",
    ],
)
@pytest.mark.parametrize("value", [print_text("mqtt.conf"), b"", b"\0\xd8"])
def test_w2_what_systemd_boot_obeys_and_nobody_here_has_set_is_removed(
    variables: Variables, name: str, value: bytes
) -> None:
    variables.set(name, LOADER, value)
    if name == "LoaderEntryOneShot" and value == b"\0\xd8":
        assert cleared(variables) == [], "this is no text, and so names nothing"
    else:
        assert cleared(variables) == [name]
        assert variables.get(name, LOADER) is None


def test_w2_what_the_agent_has_asked_for_stays(variables: Variables) -> None:
    variables.set("LoaderEntryOneShot", LOADER, print_text("mqtt.conf"))
    assert cleared(variables, "mqtt") == []
    assert cleared(variables, "web") == ["LoaderEntryOneShot"]


def test_w2_an_ordinary_memory_has_nothing_of_others(variables: Variables) -> None:
    """As OVMF and systemd-boot leave it."""
    own = (
        struct.pack("<IH", 1, len(PCI) + 4) + print_text("UEFI Misc Device") + PCI + b"\x7f\xff\4\0"
    )
    slot = option(TWO, "EFI/BOOT/BOOTX64.EFI", "reconix slot-2")
    order(variables, 1, Boot0000=own[:-4], Boot0001=own)
    variables.set("Boot0002", GLOBAL, slot)
    variables.set("BootNext", GLOBAL, b"\2\0")
    assert astray(variables, ONE, program=PROGRAM) == "", "this is a trial"
    variables.remove("BootNext", GLOBAL)
    for name in ("LoaderInfo", "LoaderEntrySelected", "LoaderDevicePartUUID", "LoaderEntries"):
        variables.set(name, LOADER, print_text("x"))
    variables.set("Timeout", GLOBAL, b"\0\0")
    variables.set("OsIndicationsSupported", GLOBAL, bytes([1] * 8))
    variables.set("OsIndications", GLOBAL, bytes([4, *[0] * 7]))
    assert find(variables, SLOTS, asked=()) == ()
    assert astray(variables, ONE, program=PROGRAM) == ""


def test_w2_an_option_of_another_disk_does_not_stay_before_the_one_that_was_taken(
    variables: Variables,
) -> None:
    ours = option(ONE, "EFI/BOOT/BOOTX64.EFI", "UEFI OS")
    order(variables, 2, Boot0001=option(ELSEWHERE), Boot0002=ours, Boot0003=option(ELSEWHERE))
    assert cleared(variables) == ["BootOrder"]
    assert variables.get("BootOrder", GLOBAL) == b"\x02\0\x03\0"
    assert variables.get("Boot0001", GLOBAL) == option(ELSEWHERE), "it is still in the menu"


@pytest.mark.parametrize("current", [1, 2])
def test_w2_an_option_for_a_slot_that_is_not_selected_is_out_of_the_order(
    variables: Variables, current: int
) -> None:
    """Some firmwares make one by themselves: then the partition table would select nothing."""
    slot = option(TWO, "EFI/BOOT/BOOTX64.EFI", "UEFI OS")
    order(variables, current, Boot0001=slot, Boot0002=option(ONE))
    assert cleared(variables) == ["BootOrder"]
    assert variables.get("BootOrder", GLOBAL) == b"\x02\0"


def test_w2_an_order_of_nothing_else_goes_as_a_whole(variables: Variables) -> None:
    order(variables, 1, Boot0001=option(TWO))
    assert cleared(variables) == ["BootOrder"]
    assert variables.get("BootOrder", GLOBAL) is None


def test_w2_a_next_boot_that_was_not_taken_is_forgotten(variables: Variables) -> None:
    variables.set("Boot0003", GLOBAL, option(ELSEWHERE))
    variables.set("BootNext", GLOBAL, b"\3\0")
    expected = "the firmware boots Boot0003 ubuntu, EFI/ubuntu/shimx64.efi (BootNext)"
    assert astray(variables, ONE, program=PROGRAM) == expected
    assert cleared(variables) == ["BootNext"]


def test_w2_a_firmware_that_is_to_wait_does_not(variables: Variables) -> None:
    variables.set("Timeout", GLOBAL, b"\xff\xff")
    variables.set("OsIndications", GLOBAL, bytes([5, *[0] * 7]))
    assert astray(variables, ONE, program=PROGRAM).startswith("Timeout: ")
    assert cleared(variables) == ["Timeout", "OsIndications"]
    assert variables.get("OsIndications", GLOBAL) == bytes([4, *[0] * 7])


@pytest.mark.parametrize(
    ("settings", "system"),
    [
        ({}, None),
        ({"LoaderEntryDefault": "mqtt.conf"}, "mqtt"),
        ({"LoaderEntryDefault": "mq*"}, "mqtt"),
        ({"LoaderEntryDefault": "mqtt.conf", "LoaderEntryOneShot": "web.conf"}, "web"),
        ({"LoaderEntryDefault": "mqtt.conf", "LoaderEntryOneShot": "gone.conf"}, "mqtt"),
        ({"LoaderEntryDefault": "@saved"}, None),
    ],
)
def test_w2_what_the_loader_will_start_is_told_as_it_decides(
    variables: Variables, settings: dict[str, str], system: str | None
) -> None:
    for name, value in settings.items():
        variables.set(name, LOADER, print_text(value))
    assert starts(variables, SYSTEMS) == system


@pytest.mark.parametrize(
    ("value", "once", "waits"),
    [
        ("menu-force", None, True),
        ("10", None, True),
        ("0", None, False),
        ("menu-hidden", None, False),
        ("0", "menu-force", True),
        ("menu-force", "0", False),
    ],
)
def test_w2_a_menu_in_which_the_next_boot_waits_is_told(
    variables: Variables, value: str, once: str | None, waits: bool
) -> None:
    variables.set("LoaderConfigTimeout", LOADER, print_text(value))
    if once is not None:
        variables.set("LoaderConfigTimeoutOneShot", LOADER, print_text(once))
    assert bool(astray(variables, ONE, program=PROGRAM)) == waits


def test_an_option_of_anybody_says_which_file_it_starts() -> None:
    ours = option(ONE)
    end = 6 + len(print_text("ubuntu"))
    size = len(PCI) + len(ours) - end
    longer = struct.pack("<IH", 1, size) + ours[6:end] + PCI + ours[end:] + b"arguments"
    assert parse_started(longer) == Started("ubuntu", ONE, "EFI/ubuntu/shimx64.efi")
    for cut in range(len(longer) - len(b"arguments") - 4):
        with pytest.raises(ForeignLoadOption):
            parse_started(longer[:cut])
    with pytest.raises(ForeignLoadOption, match="not active"):
        parse_started(bytes(4) + longer[4:])
