"""What works but is hardly meant: told as a note, never as an error.

A rule belongs here if there is a configuration for which breaking it is right; if there is none, it
belongs into ``assertions.py``.
"""

import difflib
from collections.abc import Iterator

from reconix.config.merge import List, Table, Value, dotted
from reconix.config.problems import Place, Problem
from reconix.config.rules import ineffective
from reconix.config.rules.assertions import place_of, place_of_item
from reconix.config.schema.health import UnitCheck
from reconix.config.schema.system import System

_USELESS = {"unattended-upgrades", "apt-listchanges", "needrestart", "apticron", "cron-apt"}
"""They look after packages where these are installed one by one."""
_SSH = {"dropbear.service", "ssh.service"}


def about_system(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What is hardly meant in one system."""
    yield from _useless_removals(table, "")
    yield from _users_without_a_key(system, table, file)
    yield from _trials_that_check_nothing(system, file)
    yield from _sections_without_effect(system, table, file)
    yield from _checked_units_are_misspelt(system, table, file)
    yield from _windows_without_effect(system, table, file)
    yield from _files_without_effect(system, table, file)
    yield from _units_that_never_start(system, table, file)
    yield from _packages_without_use(system, table, file)


def _useless_removals(value: Value, key: str) -> Iterator[Problem]:
    if isinstance(value, Table):
        for name, child in value.entries.items():
            yield from _useless_removals(child, dotted(key, name))
    elif isinstance(value, List):
        added = {item.value for item in value.added}
        for item in value.removed:
            if item.value not in added:
                fact = f"takes out {item.written}, which nobody adds"
                yield Problem(item.place, key, fact, "is it spelt so? otherwise leave it out")


def _users_without_a_key(system: System, table: Table, file: Place) -> Iterator[Problem]:
    for name, user in system.users.items():
        has_key = user.authorized_keys or user.authorized_keys_files
        if _SSH & set(system.services.enable) and not has_key:
            place = place_of(table, "users", name, default=file)
            hint = "add authorized_keys or authorized_keys_files"
            yield Problem(place, dotted("users", name), "has no key and cannot log in", hint)


def _trials_that_check_nothing(system: System, file: Place) -> Iterator[Problem]:
    if not system.health.checks:
        fact = "nothing is checked: a new generation is kept as soon as it has booted"
        yield Problem(file, "health.checks", fact, "name what must work, for example { tcp = 22 }")


def _sections_without_effect(system: System, table: Table, file: Place) -> Iterator[Problem]:
    for name, option in (("minify", system.minify.enable), ("containers", system.containers)):
        if option:
            place = place_of(table, name, default=file)
            yield Problem(place, name, "has no effect yet", "this version builds without it")


def _checked_units_are_misspelt(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """A unit that nobody enables may be one of a package's; only a build knows (decision 0019)."""
    known = [*system.services.enable, *system.units]
    for check in system.health.checks:
        if isinstance(check, UnitCheck) and check.unit not in known:
            near = difflib.get_close_matches(check.unit, known, n=1, cutoff=0.85)
            if near:
                place = place_of_item(table, "health", "checks", item=check, default=file)
                fact = f"waits for {check.unit}, which nobody enables"
                yield Problem(place, "health.checks", fact, f"did you mean {near[0]}?")


def about_updates(system: System, url: str | None, table: Table, file: Place) -> Iterator[Problem]:
    """What is hardly meant about updates, given the address in ``reconix.toml``."""
    place = place_of(table, "update", "every", default=file)
    if system.update.every is not None and url is None:
        hint = "name the place in reconix.toml, or leave this out"
        yield Problem(place, "update.every", "has no effect: update.url is not set", hint)
    elif system.update.every is not None and not system.update.receive:
        hint = "leave one of the two out"
        yield Problem(place, "update.every", "has no effect: update.receive is false", hint)


def _windows_without_effect(system: System, table: Table, file: Place) -> Iterator[Problem]:
    place = place_of(table, "update", "window", default=file)
    update = system.update
    if update.window is not None and not (update.automatic and update.receive):
        because = "update.receive" if update.automatic else "update.automatic"
        fact = f"has no effect: {because} is false"
        yield Problem(place, "update.window", fact, "leave one of the two out")


def _files_without_effect(system: System, table: Table, file: Place) -> Iterator[Problem]:
    for path, fact, hint in ineffective.about(system):
        place = place_of(table, "files", path, default=file)
        yield Problem(place, dotted("files", path), fact, hint)


def _units_that_never_start(system: System, table: Table, file: Place) -> Iterator[Problem]:
    for name, unit in system.units.items():
        condition = ineffective.never_holds(unit.read()) if unit.is_there else None
        if condition:
            place = place_of(table, "units", name, default=file)
            fact = f"never starts: {condition} does not hold on a device"
            hint = "write ConditionPathExists=!<a file that it makes, in a folder that persists>"
            yield Problem(place, dotted("units", name), fact, hint)


def _packages_without_use(system: System, table: Table, file: Place) -> Iterator[Problem]:
    for package in system.packages:
        if package in _USELESS:
            place = place_of_item(table, "packages", item=package, default=file)
            hint = "updates are generations: reconix lock takes the newest packages"
            yield Problem(place, "packages", f"{package} has nothing to do on a device", hint)
