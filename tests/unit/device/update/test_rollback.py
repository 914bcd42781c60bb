"""Going back is an update like any other."""

import pytest
from tests.device_model import Machine

from reconix.boot.trial import Phase, Reason, read_state
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.apply import apply
from reconix.device.update.confirm import confirm
from reconix.device.update.rollback import NothingBefore, RolledBack, rollback


def tried(machine: Machine, name: str) -> None:
    machine.generation(name)
    machine.install(name)
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations[name])


def test_the_previous_generation_is_tried_and_kept(machine: Machine) -> None:
    machine.boot()
    tried(machine, "two")
    machine.boot()
    with exclusive_rw(machine.paths):
        confirm(machine.device)
    machine.boot()
    with exclusive_rw(machine.paths):
        assert rollback(machine.device) is RolledBack.PREVIOUS
    assert machine.boot().booted.generation == machine.generations["one"]
    with exclusive_rw(machine.paths):
        confirm(machine.device)
    state = read_state(machine.paths.state)
    assert state.committed.generation == str(machine.generations["one"])
    assert state.previous == str(machine.generations["two"])


def test_what_is_on_trial_can_be_left(machine: Machine) -> None:
    machine.boot()
    tried(machine, "two")
    machine.boot()
    with exclusive_rw(machine.paths):
        assert rollback(machine.device) is RolledBack.LEFT_TRIAL
    assert machine.boot().booted.slot == 1
    last = read_state(machine.paths.state).last
    assert last is not None and last.verdict is not None
    assert last.verdict.reason is Reason.OPERATOR


def test_what_is_armed_can_be_disarmed(machine: Machine) -> None:
    machine.boot()
    tried(machine, "two")
    with exclusive_rw(machine.paths):
        assert rollback(machine.device) is RolledBack.DISARMED
    assert read_state(machine.paths.state).phase is Phase.IDLE
    assert machine.boot().booted.slot == 1


def test_without_a_previous_generation_there_is_nothing_to_go_back_to(machine: Machine) -> None:
    machine.boot()
    with pytest.raises(NothingBefore), exclusive_rw(machine.paths):
        rollback(machine.device)
