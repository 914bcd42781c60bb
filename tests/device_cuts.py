"""What the agent does on a model of a device, cut before each of its steps, and brought to its end.

Tested by ``tests/crash/test_agent_cut.py``, which it serves, and ``tests/unit/test_cuts.py``.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.cuts import states
from tests.device_model import Machine

from reconix.boot.trial import Phase, State, read_state
from reconix.device.device import Device
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.apply import apply
from reconix.device.update.collect import collect
from reconix.device.update.confirm import confirm
from reconix.device.update.rollback import rollback

Work = Callable[[Device], object]


def cut_everywhere(machine: Machine, work: Work) -> Iterator[Machine]:
    """The device as each cut of the work leaves it; the last was not cut."""
    source = machine.copy(machine.place.with_name("cut"))
    for place in states(source.place, lambda: work(source.device), at_least=4):
        found = replace(source, place=place, generations=dict(source.generations))
        found.check_committed()
        if found.device.firmware.next_slot(found.device.selection()) is not None:
            assert read_state(found.paths.state).phase is Phase.ARMED, "a trial that nobody counted"
        yield found
        found.remove()
    source.remove()


def do_apply(machine: Machine, name: str) -> Work:
    def work(device: Device) -> None:
        with exclusive_rw(device.paths):
            apply(device, machine.generations[name])

    return work


def do_confirm(device: Device) -> None:
    with exclusive_rw(device.paths):
        confirm(device)


def do_collect(device: Device) -> None:
    with exclusive_rw(device.paths):
        collect(device, device.recall())


def do_rollback(device: Device) -> None:
    with exclusive_rw(device.paths):
        rollback(device)


def do_update(machine: Machine, name: str) -> None:
    """Bring a device to a generation without any accident."""
    machine.install(name)
    do_apply(machine, name)(machine.device)
    machine.settle()
    do_confirm(machine.device)


def arrive(machine: Machine, name: str) -> State:
    """Start the device and do what is left, until it has committed a generation."""
    goal = str(machine.generations[name])
    for _ in range(6):
        started = machine.settle()
        machine.check_committed()
        state = read_state(machine.paths.state)
        if state.trial is not None and state.trial.slot == started.booted.slot:
            (do_confirm if state.trial.generation == goal else do_rollback)(machine.device)
            state = read_state(machine.paths.state)
        if state.phase is Phase.REJECTED:
            continue
        if state.committed.generation == goal:
            do_collect(machine.device)
            assert str(machine.check_slot(machine.selected).path) == goal
            return state
        do_apply(machine, name)(machine.device)
    raise AssertionError(f"the device does not get to generation {name}")
