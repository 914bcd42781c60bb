"""All checks must pass together, and go on passing; what flaps or never comes is left."""

import time
from pathlib import Path

from tests.unit.device.conftest import Units

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


def soon(seconds: float = 0) -> float:
    return time.monotonic() + seconds


def only(*conditions: Condition, stable: int = 0, retries: int = 0) -> Health:
    return Health(5, tuple(map(Check, conditions)), stable, retries)


def shell(script: str) -> CommandSucceeds:
    return CommandSucceeds(("sh", "-c", script))


def at_tries(folder: Path, *numbers: int) -> CommandSucceeds:
    """A command that fails exactly at these tries."""
    counter = folder / "tries"
    failing = "|".join(map(str, numbers))
    return shell(f"echo >> {counter}; case $(wc -l < {counter}) in {failing}) exit 1;; esac")


def test_all_checks_that_pass_are_health(units: Units) -> None:
    units.activate("multi-user.target", "nginx.service")
    health = only(STARTED.condition, NGINX, FewUnitsFailed(0), CommandSucceeds(("true",)))
    assert await_health(health, soon(5)) is None


def test_the_first_check_that_fails_is_the_reason(units: Units) -> None:
    found = await_health(only(STARTED.condition, NGINX, shell("exit 1")), soon())
    said = "nginx.service is broken: no such page"
    assert found == Unhealthy("unit nginx.service is active", said)


def test_a_unit_that_systemd_has_given_up_is_not_waited_for(units: Units) -> None:
    units.give_up("nginx.service")
    began = time.monotonic()
    found = await_health(only(NGINX), soon(60))
    assert found is not None and found.check == "unit nginx.service is active"
    assert time.monotonic() - began < 30


def test_what_is_not_healthy_yet_may_become_so(tmp_path: Path) -> None:
    assert await_health(only(at_tries(tmp_path, 1, 2)), soon(30)) is None
    assert len((tmp_path / "tries").read_text().splitlines()) == 3


def test_it_must_stay_healthy(tmp_path: Path) -> None:
    began = time.monotonic()
    assert await_health(only(at_tries(tmp_path, 2), stable=3, retries=1), soon(60)) is None
    assert time.monotonic() - began >= 4
    assert len((tmp_path / "tries").read_text().splitlines()) >= 5


def test_what_flaps_more_often_than_it_may_is_not_healthy(tmp_path: Path) -> None:
    found = await_health(only(at_tries(tmp_path, 2, 4), stable=5, retries=1), soon(60))
    assert found is not None
    assert len((tmp_path / "tries").read_text().splitlines()) == 4


def test_b6_a_unit_that_is_started_again_and_again_is_not_healthy(units: Units) -> None:
    """B6: it is active whenever somebody looks."""
    units.activate("nginx.service")
    restarts = shell(f"date +InvocationID=%s%N > {units.invocation}")
    found = await_health(only(NGINX, restarts, stable=30, retries=1), soon(60))
    expected = Unhealthy("unit nginx.service is active", "it was started again in between")
    assert found == expected


def test_a_stable_time_that_does_not_fit_any_more_is_no_health() -> None:
    found = await_health(only(shell("true"), stable=30), soon(2))
    assert found is not None
    assert found.check == "all checks pass for 30 s"


def test_who_waits_is_told_what_for() -> None:
    told: list[str] = []
    await_health(only(shell("false")), soon(2.5), note=told.append)
    assert told == ["waiting until command `sh -c false` succeeds"]
