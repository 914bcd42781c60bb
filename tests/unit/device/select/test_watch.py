"""What is on trial is confirmed, or left with the reason on record."""

from dataclasses import replace

import pytest
from tests.asking import asking, put
from tests.device_model import Machine
from tests.turned_clock import TurnedClock
from tests.unit.device.conftest import Units

from reconix.boot.trial import Phase, Reason, Result, Verdict, read_state
from reconix.device.select.choose import choose_always
from reconix.device.select.watch import WAIT_SECONDS, mark_bad, watch
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.apply import apply
from reconix.device.update.confirm import confirm
from reconix.store.tree import File

BROKER = {"timeout_seconds": 1, "checks": [{"kind": "container", "container": "broker"}]}
BROKEN = {"timeout_seconds": 1, "checks": [{"kind": "unit", "unit": "nginx.service"}]}


def on_trial(machine: Machine, name: str = "two", **changes: object) -> None:
    machine.boot()
    machine.generation(name, **changes)  # type: ignore[arg-type] # the caller knows the names
    machine.install(name)
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations[name])
    machine.boot()


def verdict(machine: Machine) -> Verdict | None:
    last = read_state(machine.paths.state).last
    assert last is not None
    return last.verdict


def test_a_healthy_generation_is_kept(machine: Machine, units: Units) -> None:
    on_trial(machine)
    assert watch(machine.device)
    assert machine.selected == 2
    assert machine.boot().booted.generation == machine.generations["two"]


def test_a_generation_that_is_not_healthy_is_left_with_the_reason(
    machine: Machine, units: Units
) -> None:
    on_trial(machine, health=BROKEN)
    assert not watch(machine.device)
    assert machine.selected == 1
    assert read_state(machine.paths.state).phase is Phase.REJECTED
    back = machine.boot()
    assert (back.booted.slot, back.restart) == (1, False)
    assert verdict(machine) == Verdict(
        Reason.UNHEALTHY, "unit nginx.service is active", "nginx.service is broken: no such page"
    )


@pytest.mark.parametrize("found", ["healthy", "unhealthy"])
def test_a_generation_is_kept_only_if_its_container_is_healthy(
    machine: Machine, units: Units, found: str
) -> None:
    units.activate("multi-user.target", "container-broker.service")
    units.load("container-broker-health.timer")
    on_trial(machine, health=BROKER)
    (machine.paths.containers / "broker").mkdir(parents=True)
    (machine.paths.containers / "broker" / found).touch()
    assert watch(machine.device) == (found == "healthy")
    if found == "unhealthy":
        machine.boot()
        left = verdict(machine)
        assert left is not None
        assert left.what == "container broker works"


def test_a_rejected_generation_that_still_runs_is_left_at_once(
    machine: Machine, units: Units
) -> None:
    on_trial(machine, health=BROKEN)
    watch(machine.device)
    units.activate("multi-user.target", "nginx.service")
    assert not watch(machine.device)


def test_health_that_cannot_be_read_is_no_health(machine: Machine, units: Units) -> None:
    on_trial(machine, health={"timeout_seconds": 5, "checks": [{"kind": "prayer"}]})
    assert not watch(machine.device)
    machine.boot()
    found = verdict(machine)
    assert found is not None
    assert found.what == "health.json can be read"


def test_a_secret_that_is_missing_is_the_reason_by_its_name(machine: Machine, units: Units) -> None:
    put(machine, "banner", b"hello")
    on_trial(machine, extra=asking())
    assert not watch(machine.device)
    machine.boot()
    assert verdict(machine) == Verdict(
        Reason.UNHEALTHY,
        "secret mqtt-password is there",
        "air.service needs secret mqtt-password",
    )


def test_a_secret_that_is_not_required_is_no_reason(machine: Machine, units: Units) -> None:
    put(machine, "mqtt-password", b"hunter2")
    on_trial(machine, extra=asking())
    assert watch(machine.device)


def test_secrets_that_cannot_be_read_are_no_health(machine: Machine, units: Units) -> None:
    on_trial(machine, extra={"secrets.json": File(b"{}")})
    assert not watch(machine.device)
    machine.boot()
    found = verdict(machine)
    assert found is not None
    assert found.what == "secrets.json can be read"


def test_what_is_committed_is_not_watched(machine: Machine, units: Units) -> None:
    machine.boot()
    assert not machine.paths.is_unproven.exists()
    assert watch(machine.device)
    assert units.calls == []


def test_a_verdict_that_cannot_be_recorded_still_restarts(machine: Machine, units: Units) -> None:
    on_trial(machine, health=BROKEN)
    time = TurnedClock(machine.device.clock.now())
    device = replace(machine.device, clock=time.clock)
    begin = time.moment
    with exclusive_rw(machine.paths):  # somebody holds the lock and does not let go
        assert not watch(device)
    assert time.moment - begin >= WAIT_SECONDS
    assert read_state(machine.paths.state).phase is Phase.ON_TRIAL


def test_an_agent_that_failed_in_a_trial_is_a_reason(machine: Machine) -> None:
    on_trial(machine)
    mark_bad(machine.device, "the agent failed")
    machine.boot()
    assert verdict(machine) == Verdict(Reason.UNHEALTHY, "the agent failed", "")


def test_an_agent_that_failed_elsewhere_is_none(machine: Machine) -> None:
    machine.boot()
    mark_bad(machine.device, "the agent failed")
    assert read_state(machine.paths.state).phase is Phase.IDLE


def test_a_trial_limit_shorter_than_the_checks_counts(machine: Machine, units: Units) -> None:
    limit = File(b'{"receive": true, "trial_timeout_seconds": 1}')
    on_trial(
        machine,
        health={**BROKEN, "timeout_seconds": 600},
        extra={"update.json": limit},
    )
    assert not watch(machine.device)


def test_a_system_that_is_wanted_always_is_asked_for_again_when_healthy(
    machine: Machine, units: Units
) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_always(machine.device, "mqtt")
    for _ in range(3):
        assert machine.boot().booted.system == "mqtt"
        assert machine.paths.is_unproven.exists()
        assert watch(machine.device)
    last = read_state(machine.paths.state).last
    assert last is None or last.result is Result.CONFIRMED


def test_a_system_that_is_wanted_always_and_is_not_healthy_is_given_up(
    machine: Machine, units: Units
) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_always(machine.device, "mqtt")
    seen = []
    for _ in range(9):
        started = machine.boot()
        seen.append(started.booted.system)
    assert seen[:6] == ["mqtt", "default", "mqtt", "default", "mqtt", "default"]
    assert set(seen[6:]) == {"default"}


def test_a_system_is_given_up_after_as_many_failures_as_it_says(machine: Machine) -> None:
    limits = File(b'{"receive": true, "trial_timeout_seconds": 60, "always_attempts": 1}')
    machine.boot()
    machine.generation("two", extra={"update.json": limits})
    machine.install("two")
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations["two"])
    machine.boot()
    with exclusive_rw(machine.paths):
        confirm(machine.device)
        choose_always(machine.device, "mqtt")
    assert [machine.boot().booted.system for _ in range(4)] == ["mqtt", *["default"] * 3]
