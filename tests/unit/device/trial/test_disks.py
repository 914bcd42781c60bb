"""W1. Other disks are told, and none of them is taken for that of the device."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.device_model import MIB, Machine

from reconix.boot.disk import DiskFile
from reconix.boot.oneshots.load_option import print_text
from reconix.boot.oneshots.variables import GLOBAL, LOADER
from reconix.boot.tables import DiskIsShort, Slot
from reconix.boot.trial import Phase, read_state
from reconix.device.select.start import start
from reconix.device.state.events import read_events
from reconix.device.state.lock import exclusive_rw
from reconix.device.status.json import status_document
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines
from reconix.device.trial.disks import CopyAttached
from reconix.device.update.apply import apply
from reconix.device.update.receive import receive
from reconix.device.update.verify import verify
from reconix.image.layout import Sizes, plan

ALL = ("slot-1", "slot-2", "system", "data")


def show(machine: Machine, disk: str, names: Sequence[str], serial: str = "") -> Path:
    """Let the kernel show a disk; gives the place of its node."""
    device = machine.paths.sysfs / "class/block" / disk
    device.mkdir(parents=True)
    (device / "serial").write_text(serial)
    for number, name in enumerate(names, 1):
        part = device / f"{disk}{number}"
        part.mkdir()
        (part / "uevent").write_text(f"DEVNAME={part.name}\nPARTNAME={name}\n")
    machine.paths.dev.mkdir(exist_ok=True)
    return machine.paths.dev / disk


def plug_copy(machine: Machine, serial: str = "B") -> Path:
    node = show(machine, "sda", ALL, serial)
    shutil.copyfile(machine.place / "disk", node)
    return node


def plug_foreign(machine: Machine, names: Sequence[str] = ALL) -> Path:
    node = show(machine, "sda", names)
    tables = plan("camera", size_bytes=80 * MIB, sizes=Sizes(2, 34 * MIB, MIB, MIB))
    with node.open("wb") as file:
        file.truncate(80 * MIB)
    with DiskFile(node) as disk:
        for write in tables.writes(Slot(1)):
            disk.write(write.offset, write.content)
    return node


def disk_lines(machine: Machine) -> list[str]:
    """What the status says of disks."""
    lines = status_lines(read_status(machine.device))
    return [line for line in lines if line.startswith("disk ")]


def arm(machine: Machine, name: str) -> None:
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations[name])


def test_w1_the_first_start_notes_what_the_hardware_of_the_disk_is_called(
    machine: Machine,
) -> None:
    show(machine, "disk", ALL, "QM 0001\0\n")
    machine.boot()
    assert machine.paths.hardware.read_text() == "serial:QM0001\n"
    before = machine.paths.hardware.stat().st_mtime_ns
    machine.boot()
    assert machine.paths.hardware.stat().st_mtime_ns == before


def test_w1_a_disk_that_was_exchanged_for_a_copy_is_noted_anew(machine: Machine) -> None:
    machine.paths.hardware.write_text("serial:old\n")
    show(machine, "disk", ALL, "new")
    machine.boot()
    assert machine.paths.hardware.read_text() == "serial:new\n"


def test_w1_hardware_is_not_noted_while_a_copy_could_be_meant(machine: Machine) -> None:
    show(machine, "disk", ALL, "A")
    plug_copy(machine)
    machine.boot()
    assert not machine.paths.hardware.exists()


@pytest.mark.parametrize("names", [["data"], ["system"], ALL])
def test_w1_a_disk_of_others_is_told_and_in_nobodys_way(
    machine: Machine, names: Sequence[str]
) -> None:
    node = plug_foreign(machine, names)
    before = node.read_bytes()
    machine.boot()
    assert disk_lines(machine) == [
        f"disk       {node} has partitions named like ours, and is not used"
    ]
    two = machine.generation("two")
    with exclusive_rw(machine.paths):
        assert receive(machine.device, machine.stream("one", "two").read) == two
        assert apply(machine.device, two) == 2
    assert node.read_bytes() == before


def test_w1_no_update_is_taken_while_a_copy_of_the_disk_is_there(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    machine.install("two")
    node = plug_copy(machine)
    before = node.read_bytes()
    with exclusive_rw(machine.paths):
        with pytest.raises(CopyAttached, match="sda is a copy"):
            receive(machine.device, machine.stream("one", "two").read)
        with pytest.raises(CopyAttached):
            apply(machine.device, machine.generations["two"])
    (line,) = disk_lines(machine)
    assert line.startswith(f"disk       {node} is a copy of ours")
    document = status_document(read_status(machine.device))
    assert isinstance(document, dict)
    assert document["disk"] == {
        "missing_bytes": 0,
        "others": [{"path": str(node), "copy": True}],
    }
    assert machine.device.firmware.next_slot(machine.device.selection()) is None
    assert node.read_bytes() == before


def test_an_image_that_is_looked_at_through_a_loop_device_is_no_copy(machine: Machine) -> None:
    machine.boot()
    plug_copy(machine)
    shown = machine.paths.sysfs / "class/block/sda"
    place = machine.paths.sysfs / "devices/virtual/block/sda"
    place.parent.mkdir(parents=True)
    shown.rename(place)
    shown.symlink_to(place)
    assert disk_lines(machine) == []


def test_w1_a_copy_whose_first_table_is_damaged_is_one_all_the_same(machine: Machine) -> None:
    machine.boot()
    with plug_copy(machine).open("r+b") as file:
        file.write(bytes(MIB))
    assert "is a copy of ours" in disk_lines(machine)[0]


def test_w1_what_an_old_copy_started_is_not_the_trial(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    machine.install("two")
    arm(machine, "two")
    plug_copy(machine)
    machine.variables.remove("BootNext", GLOBAL)
    machine.firmware()  # the loader of slot 1 of either disk, but as if from slot 2 of the copy
    guid = machine.tables.slot(Slot(2)).guid
    machine.variables.set("LoaderDevicePartUUID", LOADER, print_text(str(guid).lower()))
    started = start(machine.device)
    assert (started.booted.slot, started.restart) == (1, False)
    assert read_state(machine.paths.state).phase is Phase.WRITTEN


def test_w1_the_trial_is_known_although_a_copy_is_there(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    machine.install("two")
    arm(machine, "two")
    plug_copy(machine)
    booted = machine.boot().booted
    assert (booted.slot, booted.generation) == (2, machine.generations["two"])


def test_w1_a_trial_that_was_cut_short_waits_until_the_copy_is_gone(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    machine.install("two")
    arm(machine, "two")
    machine.boot()  # and the power fails
    node = plug_copy(machine)
    back = machine.boot()
    assert (back.booted.slot, back.restart) == (1, False)
    event = read_events(machine.paths.log)[-1]
    assert event.name == "not-armed" and "sda" in event.text
    node.unlink()
    shutil.rmtree(machine.paths.sysfs / "class/block/sda")
    arm(machine, "two")
    assert machine.boot().booted.slot == 2


# -- a disk that is too small ----------------------------------------------------------------------


@pytest.fixture
def short(machine: Machine) -> Machine:
    """A device whose image was written to a disk that ends behind the last partition."""
    with (machine.place / "disk").open("r+b") as file:
        file.truncate((machine.tables.named("data").last + 1) * 512)
    return machine


def missing_bytes(short: Machine) -> int:
    return short.tables.sectors * 512 - (short.place / "disk").stat().st_size


def test_a_disk_that_is_smaller_than_its_image_is_told(short: Machine) -> None:
    assert short.boot().booted.slot == 1
    assert disk_lines(short) == [
        f"disk       {missing_bytes(short)} bytes smaller than its image: no update can be taken"
    ]
    assert f"the disk is {missing_bytes(short)} bytes smaller than its image" in verify(
        short.device
    )


def test_a_disk_that_is_too_small_refuses_updates_before_they_are_read(short: Machine) -> None:
    short.boot()
    two = short.generation("two")
    short.install("two")
    stream = short.stream("one", "two")
    with exclusive_rw(short.paths):
        with pytest.raises(DiskIsShort, match=f"needs {short.tables.sectors * 512}"):
            receive(short.device, stream.read)
        with pytest.raises(DiskIsShort):
            apply(short.device, two)
    assert stream.tell() == 0
    assert read_state(short.paths.state).phase is Phase.IDLE


def test_an_ordinary_boot_from_a_disk_that_is_too_small_writes_nothing(short: Machine) -> None:
    short.boot()
    before = (short.place / "disk").read_bytes()
    log = short.paths.log.exists()
    short.boot()
    assert (short.place / "disk").read_bytes() == before
    assert short.paths.log.exists() == log
