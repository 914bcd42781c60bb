"""Health checks fit in the time of a trial, and check what is there.

Tested by ``tests/unit/config/rules/test_assertions.py``
and ``tests/unit/config/rules/test_warnings.py``.
"""

import difflib
from collections.abc import Iterator

from reconix.config.merge import Table
from reconix.config.origins import place_of, place_of_item
from reconix.config.problems import Place, Problem
from reconix.config.schema.health import ContainerCheck, FreeCheck, UnitCheck
from reconix.config.schema.system import System

_NEVER_FREE = ("/usr/", "/nix/", "/bin/", "/sbin/", "/lib/", "/lib64/")
"""Below these everything comes from images."""


def check_health(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold between the times of the checks and of the trial."""
    if system.health.timeout >= system.update.trial_timeout:
        place = place_of(table, "health", "timeout", default=file)
        fact = f"{system.health.timeout} s leaves no time to confirm"
        hint = f"update.trial_timeout is {system.update.trial_timeout} s and must be longer"
        yield Problem(place, "health.timeout", fact, hint)
    if system.health.stable >= system.health.timeout:
        place = place_of(table, "health", "stable", default=file)
        fact = f"{system.health.stable} s does not fit"
        hint = f"health.timeout is {system.health.timeout} s and must be longer"
        yield Problem(place, "health.stable", fact, hint)
    yield from _checked_room_is_read_only(system, table, file)
    yield from _checked_containers_are_there(system, table, file)


def _checked_containers_are_there(system: System, table: Table, file: Place) -> Iterator[Problem]:
    for check in system.health.checks:
        if isinstance(check, ContainerCheck) and check.container not in system.containers:
            place = place_of_item(table, "health", "checks", item=check, default=file)
            near = difflib.get_close_matches(check.container, system.containers, n=1)
            known = ", ".join(sorted(system.containers)) or "none"
            hint = f"did you mean {near[0]}?" if near else f"there are: {known}"
            fact = f"the system has no container {check.container}"
            yield Problem(place, "health.checks", fact, hint)


def _checked_room_is_read_only(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What is mounted from images always looks full."""
    for check in system.health.checks:
        if isinstance(check, FreeCheck) and f"{check.free}/".startswith(_NEVER_FREE):
            place = place_of_item(table, "health", "checks", item=check, default=file)
            fact = f"{check.free} is read-only and never has free space"
            hint = "the room for updates is that of /run/reconix/system"
            yield Problem(place, "health.checks", fact, hint)


def warn_about_health(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """Trials that check nothing, or that wait for what is probably misspelt."""
    yield from _trials_that_check_nothing(system, file)
    yield from _checked_units_are_misspelt(system, table, file)


def _trials_that_check_nothing(system: System, file: Place) -> Iterator[Problem]:
    if not system.health.checks and not system.checked_containers:
        fact = "nothing is checked: a new generation is confirmed as soon as it has booted"
        yield Problem(file, "health.checks", fact, "add a check, for example { tcp = 22 }")


def _checked_units_are_misspelt(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """A unit that is not enabled may be one of a package's; only a build knows (decision 0019)."""
    known = [*system.services.enable, *system.units]
    for check in system.health.checks:
        if isinstance(check, UnitCheck) and check.unit not in known:
            near = difflib.get_close_matches(check.unit, known, n=1, cutoff=0.85)
            if near:
                place = place_of_item(table, "health", "checks", item=check, default=file)
                fact = f"waits for {check.unit}, which is not enabled"
                yield Problem(place, "health.checks", fact, f"did you mean {near[0]}?")
