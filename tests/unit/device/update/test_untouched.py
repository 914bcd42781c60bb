"""A generation that changes nothing of what runs is committed while it goes on."""

from dataclasses import replace

import pytest
from tests.device_model import Machine
from tests.unit.device.conftest import Units

from reconix.boot.disk import DiskFile
from reconix.boot.trial import Phase, Reason, Result, State, read_state
from reconix.device.hardware.disk import PartitionView, holds
from reconix.device.select.choose import choose_always, choose_once
from reconix.device.select.watch import watch
from reconix.device.state.choice import read_choice
from reconix.device.state.events import read_events
from reconix.device.state.lock import exclusive_rw
from reconix.device.state.running import read_running
from reconix.device.trust_store import TrustPolicy
from reconix.device.update.apply import apply
from reconix.device.update.confirm import confirm
from reconix.device.update.rollback import RolledBack, rollback
from reconix.device.update.untouched import adopt
from reconix.store.tree import File

BROKEN = {"timeout_seconds": 1, "checks": [{"kind": "unit", "unit": "nginx.service"}]}
URL = TrustPolicy(require_signature=False, url="http://updates.test/")


def adopted(machine: Machine, name: str, **changes: object) -> State | None:
    """The state after an update, ``None`` if it must be tried."""
    goal = machine.generation(name, **changes)  # type: ignore[arg-type] # the caller knows the names
    machine.install(name)
    with exclusive_rw(machine.paths):
        return adopt(machine.device, goal)


def start_system(machine: Machine, name: str) -> None:
    with exclusive_rw(machine.paths):
        choose_once(machine.device, name)
    assert machine.boot().booted.system == name


def said_by(device: Machine) -> dict[str, File]:
    """What its systems say about updates, for another generation of them."""
    toplevel = device.read(device.generations["one"]).system("mqtt").toplevel
    return {"update.json": File(device.registry.read(toplevel, "update.json", limit_bytes=999))}


def test_it_is_committed_and_what_runs_is_a_part_of_it(machine: Machine) -> None:
    machine.boot()
    before = read_running(machine.paths.booted)
    state = adopted(machine, "two", only=["mqtt"])
    two = machine.generations["two"]
    assert state is not None and state == read_state(machine.paths.state)
    assert (state.phase, state.committed.generation, machine.selected) == (Phase.IDLE, str(two), 2)
    assert (state.previous, state.untried) == (str(machine.generations["one"]), ("mqtt",))
    assert state.last and state.last.result is Result.CONFIRMED
    assert machine.device.firmware.next_slot(machine.device.selection()) is None
    with DiskFile(machine.place / "disk") as disk:
        slot = PartitionView(disk, machine.tables.slot(state.committed.slot))
        assert holds(slot, machine.read(two).slot)
    now = read_running(machine.paths.booted)
    assert now == replace(before, slot=state.committed.slot, generation=two)
    assert read_events(machine.paths.log)[-1].text == "not yet tried: mqtt"
    after = machine.boot().booted
    assert (after.system, after.slot, after.generation) == ("default", 2, two)


def test_settings_of_the_generation_alone_need_no_trial_of_anything(machine: Machine) -> None:
    machine.boot()
    state = adopted(machine, "two", only=[], policy=URL)
    assert state is not None and state.untried == ()


def test_a_system_without_an_agent_is_not_waited_for(machine: Machine) -> None:
    machine.boot()
    state = adopted(machine, "two", only=["mqtt"], without_agent=["mqtt"])
    assert state is not None and state.untried == ()


def test_repeated_it_writes_nothing(machine: Machine) -> None:
    machine.boot()
    adopted(machine, "two", only=["mqtt"])
    written = machine.paths.state.stat().st_mtime_ns
    with exclusive_rw(machine.paths):
        assert adopt(machine.device, machine.generations["two"]) is None
        assert apply(machine.device, machine.generations["two"]) is None
        assert not confirm(machine.device)
    assert machine.paths.state.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    "changes",
    [
        {"only": ["default"]},
        {"only": ["mqtt"], "program": b"another loader"},
        {"systems": ("mqtt", "default"), "only": ["mqtt"]},
        {"systems": ("web",)},
    ],
    ids=["what runs", "the loader", "another default", "none of them"],
)
def test_what_touches_what_runs_must_be_tried(machine: Machine, changes: dict[str, object]) -> None:
    machine.boot()
    assert adopted(machine, "two", **changes) is None
    assert machine.selected == 1
    assert read_state(machine.paths.state).phase is Phase.IDLE


def test_the_system_that_all_failures_end_in_must_be_tried_also_if_another_one_runs(
    machine: Machine,
) -> None:
    machine.boot()
    start_system(machine, "mqtt")
    assert adopted(machine, "two", only=["default"]) is None


def test_a_system_can_ask_for_a_trial_all_the_same(machine: Machine) -> None:
    device = machine.saying(untouched="trial")
    device.boot()
    assert adopted(device, "two", only=["mqtt"], extra=said_by(device)) is None


def test_a_trial_of_the_same_generation_that_is_armed_is_taken_back(machine: Machine) -> None:
    machine.boot()
    two = machine.generation("two", only=["mqtt"])
    machine.install("two")
    with exclusive_rw(machine.paths):
        apply(machine.device, two)
        state = adopt(machine.device, two)
    assert state is not None and state.committed.generation == str(two)
    assert machine.device.firmware.next_slot(machine.device.selection()) is None


def test_what_the_disk_was_to_try_is_taken_back(machine: Machine) -> None:
    device = machine.saying(needs_firmware=False)
    device.boot()
    two = device.generation("two", only=["mqtt"], extra=said_by(device))
    device.install("two")
    with exclusive_rw(device.paths):
        apply(device.device, two)
        assert device.paths.disk_one_shot.exists()
        assert adopt(device.device, two) is not None
    assert not device.paths.disk_one_shot.exists()
    assert device.boot().booted.generation == two


# -- the first start -------------------------------------------------------------------------------


def test_a_changed_system_is_tried_when_it_is_first_started(machine: Machine, units: Units) -> None:
    machine.boot()
    adopted(machine, "two", only=["mqtt"])
    start_system(machine, "mqtt")
    assert machine.paths.is_unproven.exists()
    assert watch(machine.device)
    assert read_state(machine.paths.state).untried == ()
    start_system(machine, "mqtt")
    assert not machine.paths.is_unproven.exists()


def test_one_that_is_not_healthy_is_left_for_the_default_system(
    machine: Machine, units: Units
) -> None:
    machine.boot()
    adopted(machine, "two", only=["mqtt"], health=BROKEN)
    start_system(machine, "mqtt")
    assert not watch(machine.device)
    back = machine.boot()
    assert (back.booted.system, back.booted.generation) == ("default", machine.generations["two"])
    left = read_choice(machine.paths.choice).left
    assert left is not None
    assert (left.system, left.verdict.reason) == ("mqtt", Reason.UNHEALTHY)
    assert read_state(machine.paths.state).untried == ("mqtt",)


def test_one_that_is_wanted_always_and_does_not_come_up_is_left(machine: Machine) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_always(machine.device, "mqtt")
    adopted(machine, "two", only=["mqtt"])
    for _ in range(3):
        assert machine.boot().booted.system == "mqtt"
        assert machine.boot().booted.system == "default"
    assert machine.boot().booted.system == "default"


def test_one_that_is_wanted_always_is_proved_when_it_is_renewed(
    machine: Machine, units: Units
) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_always(machine.device, "mqtt")
    adopted(machine, "two", only=["mqtt"])
    assert machine.boot().booted.system == "mqtt"
    assert watch(machine.device)
    assert read_state(machine.paths.state).untried == ()
    assert machine.boot().booted.system == "mqtt"


# -- what is kept ----------------------------------------------------------------------------------


def test_the_generation_in_which_all_was_tried_is_kept_under_several_that_were_not(
    machine: Machine,
) -> None:
    machine.boot()
    adopted(machine, "two", only=["mqtt"])
    state = adopted(machine, "three", only=["mqtt"])
    assert state is not None
    assert (state.previous, state.untried) == (str(machine.generations["one"]), ("mqtt",))
    assert str(machine.generations["two"]) not in map(str, machine.registry.roots())


def test_once_it_was_tried_the_generation_is_the_one_that_is_kept(
    machine: Machine, units: Units
) -> None:
    machine.boot()
    adopted(machine, "two", only=["mqtt"])
    start_system(machine, "mqtt")
    watch(machine.device)
    machine.boot()
    state = adopted(machine, "three", only=["mqtt"])
    assert state is not None and state.previous == str(machine.generations["two"])


def test_a_system_that_comes_back_as_it_was_is_tried_already(machine: Machine) -> None:
    machine.boot()
    adopted(machine, "two", only=["mqtt"])
    state = adopted(machine, "three", only=[], policy=URL)
    assert state is not None and state.untried == ()


def test_one_goes_back_without_a_restart_too(machine: Machine) -> None:
    machine.boot()
    adopted(machine, "two", only=["mqtt"])
    with exclusive_rw(machine.paths):
        assert rollback(machine.device) is RolledBack.AT_ONCE
    state = read_state(machine.paths.state)
    assert state.committed.generation == str(machine.generations["one"])
    assert (state.previous, state.untried) == (str(machine.generations["two"]), ())
    assert machine.selected == 1
    assert read_running(machine.paths.booted).slot == 1


def test_an_ordinary_update_comes_on_top(machine: Machine) -> None:
    machine.boot()
    adopted(machine, "two", only=["mqtt"])
    three = machine.generation("three")
    machine.install("three")
    with exclusive_rw(machine.paths):
        assert apply(machine.device, three) == 1
    assert machine.boot().booted.generation == three
    with exclusive_rw(machine.paths):
        confirm(machine.device)
    state = read_state(machine.paths.state)
    assert (state.previous, state.untried) == (str(machine.generations["two"]), ())
