"""All checks must pass together, and go on passing; what flaps or never comes is left."""

from pathlib import Path

import pytest
from tests.turned_clock import TurnedClock
from tests.unit.device.conftest import Units

from reconix.base.clock import REAL
from reconix.device.settings.health import (
    STARTED,
    Check,
    CommandSucceeds,
    Condition,
    FewUnitsFailed,
    Health,
    UnitActive,
)
from reconix.device.trial.monitor import Unhealthy, await_health

NGINX = UnitActive("nginx.service")


@pytest.fixture
def time() -> TurnedClock:
    """It passes only where the monitor pauses."""
    return TurnedClock()


def only(*conditions: Condition, stable: int = 0, retries: int = 0) -> Health:
    return Health(5, tuple(map(Check, conditions)), stable, retries)


def shell(script: str) -> CommandSucceeds:
    return CommandSucceeds(("sh", "-c", script))


def at_tries(folder: Path, *numbers: int) -> CommandSucceeds:
    """A command that fails exactly at these tries."""
    counter = folder / "tries"
    failing = "|".join(map(str, numbers))
    return shell(f"echo >> {counter}; case $(wc -l < {counter}) in {failing}) exit 1;; esac")


def test_all_checks_that_pass_are_health(units: Units, time: TurnedClock) -> None:
    units.activate("multi-user.target", "nginx.service")
    health = only(STARTED.condition, NGINX, FewUnitsFailed(0), CommandSucceeds(("true",)))
    assert await_health(health, 5, clock=time.clock) is None


def test_the_first_check_that_fails_is_the_reason(units: Units, time: TurnedClock) -> None:
    found = await_health(only(STARTED.condition, NGINX, shell("exit 1")), 0, clock=time.clock)
    said = "nginx.service is broken: no such page"
    assert found == Unhealthy("unit nginx.service is active", said)


def test_a_unit_that_systemd_has_given_up_is_not_waited_for(
    units: Units, time: TurnedClock
) -> None:
    units.give_up("nginx.service")
    found = await_health(only(NGINX), 60, clock=time.clock)
    assert found is not None and found.check == "unit nginx.service is active"
    assert time.moment < 30


def test_what_is_not_healthy_yet_may_become_so(tmp_path: Path, time: TurnedClock) -> None:
    assert await_health(only(at_tries(tmp_path, 1, 2)), 30, clock=time.clock) is None
    assert len((tmp_path / "tries").read_text().splitlines()) == 3


def test_it_must_stay_healthy(tmp_path: Path, time: TurnedClock) -> None:
    assert (
        await_health(only(at_tries(tmp_path, 2), stable=3, retries=1), 60, clock=time.clock) is None
    )
    assert time.moment == 5
    assert len((tmp_path / "tries").read_text().splitlines()) >= 5


def test_what_flaps_more_often_than_it_may_is_not_healthy(
    tmp_path: Path, time: TurnedClock
) -> None:
    found = await_health(only(at_tries(tmp_path, 2, 4), stable=5, retries=1), 60, clock=time.clock)
    assert found is not None
    assert len((tmp_path / "tries").read_text().splitlines()) == 4


def test_b6_a_unit_that_is_started_again_and_again_is_not_healthy(
    units: Units, time: TurnedClock
) -> None:
    """B6: it is active whenever somebody looks."""
    units.activate("nginx.service")
    restarts = shell(f"date +InvocationID=%s%N > {units.invocation}")
    found = await_health(only(NGINX, restarts, stable=30, retries=1), 60, clock=time.clock)
    expected = Unhealthy("unit nginx.service is active", "it was restarted in between")
    assert found == expected


def test_a_stable_time_that_does_not_fit_any_more_is_no_health(time: TurnedClock) -> None:
    found = await_health(only(shell("true"), stable=30), 2, clock=time.clock)
    assert found is not None
    assert found.check == "all checks pass for 30 s"


def test_what_the_deadline_cuts_short_is_not_the_reason_if_there_is_another(tmp_path: Path) -> None:
    """A machine that is so busy that systemd does not answer in time says nothing of a unit."""
    began = tmp_path / "began"
    slow = shell(f"[ ! -e {began} ] || exec sleep 60; touch {began}")
    found = await_health(only(slow, shell("false")), REAL.now() + 2)
    assert found is not None and found.check == "command `sh -c false` succeeds"
    found = await_health(only(slow), REAL.now() + 1)
    assert found is not None and found.check == str(slow)


def test_who_waits_is_told_what_for(time: TurnedClock) -> None:
    told: list[str] = []
    await_health(only(shell("false")), 2.5, note=told.append, clock=time.clock)
    assert told == ["waiting until command `sh -c false` succeeds"]
