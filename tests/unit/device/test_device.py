"""What is not remembered is found out."""

import pytest
from tests.device_model import Machine

from reconix.boot.disk import DiskFile
from reconix.boot.tables import Slot
from reconix.device.device import UnknownGeneration
from reconix.store.generation import BadGeneration


def test_with_several_generations_the_slot_tells_which_one(machine: Machine) -> None:
    for name in ("two", "three"):
        machine.generation(name)
        machine.install(name)
    state = machine.device.recall()
    assert state.committed.generation == str(machine.generations["one"])


def test_a_slot_that_holds_none_of_them_is_not_guessed(machine: Machine) -> None:
    machine.generation("two")
    machine.install("two")
    with DiskFile(machine.place / "disk") as disk:
        disk.write(machine.tables.slot(Slot(1)).first * 512, bytes(512))
    with pytest.raises(UnknownGeneration):
        machine.device.recall()


@pytest.mark.parametrize("content", ["", "{", '{"version": 2}', '{"version": 1}', "[]"])
def test_a_state_of_no_use_is_as_good_as_none(machine: Machine, content: str) -> None:
    machine.paths.state.write_text(content)
    assert machine.device.recall().committed.slot == 1


def test_a_lost_state_is_found_out_though_another_generation_is_damaged(machine: Machine) -> None:
    """Of two generations one has lost its content; the slot holds the other."""
    machine.boot()
    two = machine.generation("two")
    machine.install("two")
    machine.paths.state.unlink()
    machine.place_of(two, "generation.json").unlink()
    assert machine.device.recall().committed.generation == str(machine.generations["one"])
    with pytest.raises(BadGeneration, match=r"is no generation: .* is missing"):
        machine.device.generation(two)


def test_when_the_generation_of_the_slot_is_damaged_it_is_not_guessed(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    machine.install("two")
    machine.paths.state.unlink()
    machine.place_of(machine.generations["one"], "generation.json").unlink()
    with pytest.raises(UnknownGeneration):
        machine.device.recall()


def test_what_was_read_is_kept_as_long_as_the_device_is_asked(machine: Machine) -> None:
    device, other = machine.device, machine.device
    assert device.registry is device.registry
    assert device.registry is not other.registry
