"""What only U-Boot's one-shot does; what all promise is in ``test_oneshot.py``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.u_boot_disks import DISK_BYTES, ask, asked, make_disk

from reconix.boot.control import NOTHING, Request, print_request
from reconix.boot.disk import DiskFile
from reconix.boot.oneshots.foreign_settings import Slots
from reconix.boot.oneshots.u_boot import ControlRefuses, UBoot
from reconix.boot.tables import Selection, Slot, SlotTables, read_selection
from reconix.image.layout import Sizes, plan

NOBODY = Slots(None, [])


class Device:
    """A disk, the command line of a kernel, and what can be asked for."""

    def __init__(self, folder: Path) -> None:
        self.disk, self.command_line = folder / "disk", folder / "cmdline"
        self.tables: SlotTables = make_disk(self.disk, {})
        self.command_line.write_text("init=/x gpt\n")
        self.u_boot = UBoot(self.opened, self.command_line)

    @contextmanager
    def opened(self) -> Iterator[DiskFile]:
        with DiskFile(self.disk) as disk:
            yield disk

    @property
    def selection(self) -> Selection:
        with self.opened() as disk:
            return read_selection(disk)

    @property
    def sector(self) -> bytes:
        return asked(self.disk, self.tables)


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_the_partition_that_booted_is_that_of_the_last_word(device: Device) -> None:
    assert device.u_boot.booted_partition() is None
    guid = device.tables.slot(Slot(2)).guid
    text = f"reconix.booted=x init=/x reconix.booted={str(guid).lower()}\n"
    device.command_line.write_text(text)
    assert device.u_boot.booted_partition() == guid
    device.command_line.write_text("reconix.booted=\n")
    assert device.u_boot.booted_partition() is None


def test_a_system_of_the_selected_slot_is_asked_for_and_given_back(device: Device) -> None:
    u_boot = device.u_boot
    u_boot.ask_for("mqtt")
    assert (u_boot.asked_for(), u_boot.next_slot(device.selection)) == ("mqtt", None)
    assert (u_boot.starts(["default", "mqtt"]), u_boot.starts(["default"])) == ("mqtt", None)
    u_boot.ask_for(None)
    assert device.sector == NOTHING


def test_a_system_is_asked_for_in_the_slot_that_is_armed(device: Device) -> None:
    device.u_boot.arm(device.selection, Slot(2), "default")
    device.u_boot.ask_for("mqtt")
    assert device.sector == print_request(Request(Slot(2), "mqtt"))
    device.u_boot.disarm("mqtt")
    assert device.sector == print_request(Request(None, "mqtt"))


def test_a_request_of_another_version_is_none_and_gives_way(device: Device) -> None:
    ask(device.disk, device.tables, b"\1" * 512)
    assert device.u_boot.asked_for() is None
    device.u_boot.disarm(None)
    assert device.sector == NOTHING


def test_a_request_that_outlived_a_start_is_removed_unless_it_is_for_the_next(
    device: Device,
) -> None:
    u_boot = device.u_boot
    assert u_boot.foreign_settings(NOBODY, asked=[]) == ()
    u_boot.ask_for("mqtt")
    assert u_boot.foreign_settings(NOBODY, asked=["mqtt"]) == ()
    u_boot.arm(device.selection, Slot(2), "mqtt")
    (setting,) = u_boot.foreign_settings(NOBODY, asked=["mqtt"])
    assert str(setting) == "control: what the boot script starts: slot 2, system mqtt"
    u_boot.remove(setting)
    assert device.sector == NOTHING
    assert u_boot.astray() == ""


def test_a_disk_that_was_not_made_for_u_boot_refuses(device: Device) -> None:
    tables = plan("gateway", size_bytes=DISK_BYTES, sizes=Sizes(2, 34 << 20, 1 << 20, 1 << 20))
    with device.opened() as disk:
        for write in tables.writes(Slot(1)):
            disk.write(write.offset, write.content)
    assert device.u_boot.asked_for() is None
    with pytest.raises(ControlRefuses, match="no partition named 'control'") as caught:
        device.u_boot.arm(device.selection, Slot(2), "default")
    assert "partition `control`" in caught.value.hint
