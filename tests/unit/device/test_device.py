"""What is not remembered is found out."""

import pytest
from tests.device_model import Machine

from reconix.boot.disk import DiskFile
from reconix.boot.tables import Slot
from reconix.device.device import UnknownGeneration


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
