"""A factory reset is an order that the initrd carries out, and something to delete later."""

from dataclasses import replace

import pytest
from tests.deep_trees import nested
from tests.device_model import Machine

from reconix.boot.trial import OnTrial
from reconix.device.device import Device
from reconix.device.factory_reset import discard, order_reset
from reconix.device.state.data import NoData
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.apply import apply
from reconix.store.generation import UnknownSystem


def order(machine: Machine, system: str | None) -> list[str]:
    with exclusive_rw(machine.paths):
        order_reset(machine.device, system=system)
    return ordered(machine)


def ordered(machine: Machine) -> list[str]:
    return sorted(path.name for path in (machine.place / "data").glob(".*"))


def test_orders_add_up_until_they_are_carried_out(machine: Machine) -> None:
    machine.boot()
    assert order(machine, "mqtt") == [".reset.systems.mqtt"]
    assert order(machine, "mqtt") == [".reset.systems.mqtt"]
    assert order(machine, None) == [".reset.all", ".reset.systems.mqtt"]
    assert "reset-ordered" in machine.paths.log.read_text()


def test_a_system_that_does_not_exist_is_refused(machine: Machine) -> None:
    machine.boot()
    with pytest.raises(UnknownSystem):
        order(machine, "../shared")
    assert ordered(machine) == []


def test_nothing_is_reset_under_a_trial(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    machine.install("two")
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations["two"])
    with pytest.raises(OnTrial):
        order(machine, None)


def test_what_was_set_aside_is_deleted_read_only_folders_too(machine: Machine) -> None:
    folder = machine.place / "data/.discarded/1/var/lib/app"
    folder.mkdir(parents=True)
    (folder / "file").touch()
    folder.chmod(0o500)
    (machine.place / "data/shared").mkdir()
    assert discard(machine.device) == 1
    assert [path.name for path in (machine.place / "data").iterdir()] == ["shared"]
    assert discard(machine.device) == 0


def test_w4_what_a_program_has_nested_is_deleted_too(machine: Machine) -> None:
    (machine.place / "data/.discarded").mkdir()
    with nested(machine.place / "data/.discarded/web", depth=20, name="n" * 255):
        discard(machine.device)
        assert ordered(machine) == []


def test_a_device_without_data_says_so(machine: Machine) -> None:
    machine.boot()
    unmounted = Device(replace(machine.paths, shared=True), machine.device.firmware)
    with pytest.raises(NoData):
        discard(unmounted)
