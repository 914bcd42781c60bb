"""What is said to be interrupted is what the agent then interrupts."""

import pytest
from tests.device_model import Machine
from tests.live_containers import changed, with_containers
from tests.unit.device.conftest import Units

from reconix.device.settings.policy import Policy
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.live import change_containers
from reconix.device.update.untouched import adopt
from reconix.fleet.forecast.interruption import Interrupted, interruption
from reconix.store.generation import Generation, read_generation
from reconix.store.tree import File


def read(machine: Machine, name: str) -> Generation:
    return read_generation(machine.store.store_dir, machine.generations[name])


def said(machine: Machine, base: str, target: str, *, running: str = "") -> Interrupted:
    ends = read(machine, base), read(machine, target)
    return interruption(machine.store, *ends, running=running).what


def done(machine: Machine, name: str) -> Interrupted:
    """What the agent does with a generation that is installed."""
    with exclusive_rw(machine.paths):
        if change_containers(machine.device, machine.generations[name]):
            return Interrupted.CONTAINERS
        kept = adopt(machine.device, machine.generations[name])
        return Interrupted.RESTART if kept is None else Interrupted.NOTHING


@pytest.mark.parametrize(
    ("only", "what"),
    [
        (["mqtt"], Interrupted.NOTHING),
        (["default"], Interrupted.RESTART),
        (None, Interrupted.RESTART),
    ],
)
def test_systems_that_do_not_run_interrupt_nothing(
    machine: Machine, only: list[str] | None, what: Interrupted
) -> None:
    machine.boot()
    machine.generation("two", only=only)
    machine.install("two")
    assert said(machine, "one", "two") == what == done(machine, "two")


def test_what_runs_decides(machine: Machine) -> None:
    machine.boot()
    machine.generation("two", only=["mqtt"])
    assert said(machine, "one", "two", running="mqtt") is Interrupted.RESTART


def test_another_loader_needs_a_restart(machine: Machine) -> None:
    machine.boot()
    machine.generation("two", only=[], program=b"another")
    machine.install("two")
    assert said(machine, "one", "two") is Interrupted.RESTART is done(machine, "two")


def test_containers_alone_are_changed_alone(machine: Machine, units: Units) -> None:
    device = with_containers(machine, units)
    changed(device, "three", "broker 2", "logger 1", "web 1")
    units.activate("multi-user.target", *(f"container-{n}.service" for n in ("broker", "logger")))
    assert said(device, "base", "three") is Interrupted.CONTAINERS


def test_a_system_may_ask_for_a_trial_each_time_and_so_may_who_sends(machine: Machine) -> None:
    machine.generation("two", only=["mqtt"])
    ends = read(machine, "one"), read(machine, "two")
    assert interruption(machine.store, *ends, restarts=True).what is Interrupted.RESTART
    asks = machine.saying(untouched="trial")
    asks.boot()
    asks.generation("two", only=["mqtt"])
    asks.install("two")
    assert said(asks, "one", "two") is Interrupted.RESTART is done(asks, "two")


def test_of_a_device_of_which_nothing_is_known_a_restart_is_told(machine: Machine) -> None:
    found = interruption(machine.store, None, read(machine, "one"))
    assert (found.what, found.system) == (Interrupted.RESTART, "default")
    assert found.policy == Policy()


@pytest.mark.parametrize(
    ("policy", "when"),
    [
        ({}, "at once"),
        ({"window": "02:00-04:00"}, "within 02:00-04:00"),
        ({"automatic": False}, "when somebody restarts it"),
    ],
)
def test_when_it_happens_is_what_the_running_system_says(
    machine: Machine, policy: dict[str, str | bool], when: str
) -> None:
    asks = machine.saying(**policy)
    asks.generation("two")
    found = interruption(asks.store, read(asks, "one"), read(asks, "two"))
    assert found.when == when


def test_files_of_a_toplevel_besides_containers_need_a_restart(machine: Machine) -> None:
    machine.boot()
    machine.generation("two", extra={"more": File(b"more")})
    assert said(machine, "one", "two") is Interrupted.RESTART
