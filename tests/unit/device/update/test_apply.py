"""A generation is put into an idle slot and armed."""

import itertools
from pathlib import Path

import pytest
from tests.device_model import SLOT_BYTES, Machine

from reconix.boot.disk import DiskFile
from reconix.boot.slots import SlotSizeDiffers, WrongImage
from reconix.boot.tables import Slot
from reconix.boot.trial import OnTrial, Phase, read_state
from reconix.device.hardware.disk import PartitionView, holds
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.apply import apply
from reconix.device.update.confirm import confirm
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import BadGeneration, UnknownSystem
from reconix.store.tree import File


def test_the_slot_holds_the_image_and_the_running_system_is_tried(machine: Machine) -> None:
    machine.boot()
    two = machine.generation("two")
    machine.install("two")
    machine.device.firmware.ask_for("mqtt")
    machine.boot()
    with exclusive_rw(machine.paths):
        assert apply(machine.device, two) == 2
    with DiskFile(machine.place / "disk") as disk:
        assert holds(PartitionView(disk, machine.tables.slot(Slot(2))), machine.read(two).slot)
    assert machine.selected == 1
    assert machine.boot().booted.system == "mqtt"


def test_another_system_can_be_tried(machine: Machine) -> None:
    machine.boot()
    two = machine.generation("two")
    machine.install("two")
    with exclusive_rw(machine.paths):
        with pytest.raises(UnknownSystem):
            apply(machine.device, two, system="web")
        apply(machine.device, two, system="mqtt")
    assert machine.boot().booted.system == "mqtt"


def test_a_generation_without_the_running_system_is_tried_with_its_default(
    machine: Machine,
) -> None:
    machine.boot()
    two = machine.generation("two", systems=("rescue",))
    machine.install("two")
    with exclusive_rw(machine.paths):
        apply(machine.device, two)
    assert machine.boot().booted.system == "rescue"


def test_applying_again_writes_nothing_to_the_disk(machine: Machine) -> None:
    """R4: a repeated update costs no flash."""
    machine.boot()
    two = machine.generation("two")
    machine.install("two")
    with exclusive_rw(machine.paths):
        apply(machine.device, two)
        written = (machine.place / "disk").stat().st_mtime_ns
        state = machine.paths.state.stat().st_mtime_ns
        apply(machine.device, two)
    assert (machine.place / "disk").stat().st_mtime_ns == written
    assert machine.paths.state.stat().st_mtime_ns == state


def test_applying_what_is_committed_does_nothing(machine: Machine) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        assert apply(machine.device, machine.generations["one"]) is None
    assert read_state(machine.paths.state).phase is Phase.IDLE


def test_another_generation_takes_the_place_of_an_armed_one(machine: Machine) -> None:
    machine.boot()
    for name in ("two", "three"):
        machine.generation(name)
        machine.install(name)
        with exclusive_rw(machine.paths):
            apply(machine.device, machine.generations[name])
    assert machine.boot().booted.generation == machine.generations["three"]


def test_nothing_is_applied_during_a_trial(machine: Machine) -> None:
    """C1: an update during a trial."""
    machine.boot()
    for name in ("two", "three"):
        machine.generation(name)
        machine.install(name)
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations["two"])
    machine.boot()
    with pytest.raises(OnTrial), exclusive_rw(machine.paths):
        apply(machine.device, machine.generations["three"])


def test_a_generation_that_is_not_installed_is_refused(machine: Machine) -> None:
    machine.boot()
    with pytest.raises(BadGeneration), exclusive_rw(machine.paths):
        apply(machine.device, machine.generation("two"))


def test_a_boot_tree_that_was_altered_is_never_armed(machine: Machine) -> None:
    """V1: what would boot is compared with what was signed."""
    machine.boot()
    two = machine.generation("two")
    machine.install("two")
    entry = machine.place_of(machine.read(two).boot, "loader", "entries", "default.conf")
    entry.chmod(0o600)
    entry.write_bytes(entry.read_bytes().replace(b"gpt", b"rw "))
    with pytest.raises(WrongImage), exclusive_rw(machine.paths):
        apply(machine.device, two)
    assert machine.device.firmware.next_slot(machine.device.selection()) is None
    assert machine.boot().booted.slot == 1


def test_a_generation_for_other_slots_is_refused_before_anything_is_written(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.boot()
    monkeypatch.setattr("tests.device_model.SLOT_BYTES", SLOT_BYTES + (1 << 20))
    two = machine.generation("two")
    machine.install("two")
    before = (machine.place / "disk").stat().st_mtime_ns
    with pytest.raises(SlotSizeDiffers), exclusive_rw(machine.paths):
        apply(machine.device, two)
    assert (machine.place / "disk").stat().st_mtime_ns == before
    assert read_state(machine.paths.state).phase is Phase.IDLE


def test_with_three_slots_the_previous_generation_keeps_its_slot(
    machine: Machine, store: ChrootStore
) -> None:
    device = Machine.make(machine.place / "three-slots", store, slots=3)
    device.boot()
    slots = []
    for name in ("two", "three", "four"):
        device.generation(name, extra={"x": File(name.encode())})
        device.install(name)
        with exclusive_rw(device.paths):
            slots.append(apply(device.device, device.generations[name]))
        device.boot()
        with exclusive_rw(device.paths):
            confirm(device.device)
    assert slots == [2, 3, 1]


@pytest.mark.parametrize("slots", [2, 3, 8])
def test_updates_one_after_the_other_use_any_number_of_slots(
    tmp_path: Path, store: ChrootStore, slots: int
) -> None:
    machine = Machine.make(tmp_path / "device", store, slots=slots)
    machine.boot()
    used = [machine.selected]
    for number in range(slots + 1):
        name = f"number-{number}"
        machine.generation(name)
        machine.install(name)
        machine.finish(name)
        used.append(machine.selected)
    assert used[:slots] == list(range(1, slots + 1)), "what holds nothing is used first"
    assert all(before != after for before, after in itertools.pairwise(used))
