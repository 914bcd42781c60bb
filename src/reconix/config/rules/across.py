"""What must hold between the systems of one host, which share a disk and a fall-back.

* What one system keeps for all, no other keeps for itself: they would not see each other's data.
* What systems share does not lie within each other: whoever may write to the outer folder decides
  what the inner one is.
* A user has one number on all systems, and nobody else has it: they share a disk.
* The default system starts without the data partition, or it is no fall-back. It may keep data
  there; nothing in it may need them. Examined is what the configuration itself says: units, files
  beside units, and health checks.

Tested by ``tests/unit/config/rules/test_across.py``.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from reconix.config.merge import Scalar, Table, Value, dotted, settings
from reconix.config.problems import Place, Problem
from reconix.config.rules.assertions import place_of, place_of_item
from reconix.config.schema.health import CommandCheck
from reconix.config.schema.hosts import Host
from reconix.config.schema.system import Content, System
from reconix.config.shapes import TableShape
from reconix.config.unit_names import mount_unit

DATA = "/run/reconix/data"
"""Where the device mounts the data partition."""
_UNIT_FILES = "systemd/system/"
_PREFIXES = "@-:+!|"
"""What may stand before a program (systemd.service(5)) or before the path of a condition."""


def about_systems(host: Host, tables: Mapping[str, Table], file: Place) -> Iterator[Problem]:
    """What must hold between the systems of a host.

    Args:
        host: with its systems.
        tables: the merged values of each system.
        file: of the machine.
    """
    yield from _what_is_shared_is_shared_by_all(host, tables, file)
    yield from _what_is_shared_is_apart(host, tables, file)
    yield from _numbers_are_the_same_everywhere(host, tables, file)
    default = host.systems.get(host.machine.boot.default)
    if default is not None:
        yield from _needs_no_data(default, tables[host.machine.boot.default], file)


def _what_is_shared_is_shared_by_all(
    host: Host, tables: Mapping[str, Table], file: Place
) -> Iterator[Problem]:
    shared: dict[str, str] = {}
    for name, system in host.systems.items():
        for path in system.persist.shared:
            shared.setdefault(path, name)
    for name, system in host.systems.items():
        for own in system.persist.paths:
            for path, other in shared.items():
                if other != name and _overlap(own, path):
                    place = place_of_item(tables[name], "persist", "paths", item=own, default=file)
                    fact = f"{name} keeps {own} for itself, but {other} shares {path} with all"
                    hint = "name it in persist.shared of both, or in persist.paths of both"
                    yield Problem(place, "persist.paths", fact, hint)


def _what_is_shared_is_apart(
    host: Host, tables: Mapping[str, Table], file: Place
) -> Iterator[Problem]:
    """Across systems; what one system keeps is compared in ``assertions.py``."""
    for (one, outside), (other, inside) in itertools.permutations(host.systems.items(), 2):
        for outer, inner in itertools.product(outside.persist.shared, inside.persist.shared):
            if outer != inner and PurePosixPath(inner).is_relative_to(outer):
                place = place_of_item(tables[other], "persist", "shared", item=inner, default=file)
                fact = f"{other} shares {inner}, which lies in {outer} that {one} shares"
                hint = f"share {outer} in both, or choose a folder outside of it"
                yield Problem(place, "persist.shared", fact, hint)


def _numbers_are_the_same_everywhere(
    host: Host, tables: Mapping[str, Table], file: Place
) -> Iterator[Problem]:
    """Across systems; users of one system are compared in ``assertions.py``."""
    given = [
        (system, user, wanted.uid)
        for system, each in host.systems.items()
        for user, wanted in each.users.items()
        if wanted.uid is not None
    ]
    for (one, first, number), (other, second, uid) in itertools.combinations(given, 2):
        if one != other and (first == second) != (number == uid):
            place = place_of(tables[other], "users", second, "uid", default=file)
            fact = f"is {uid} in {other}, and {one} gives {first} the number {number}"
            hint = "the systems share a disk: a user has one number, and nobody else has it"
            yield Problem(place, f"users.{second}.uid", fact, hint)


def _overlap(one: str, other: str) -> bool:
    first, second = PurePosixPath(one), PurePosixPath(other)
    return first.is_relative_to(second) or second.is_relative_to(first)


def about_two_systems(host: Host, tables: Mapping[str, Table]) -> Iterator[Problem]:
    """What is hardly meant: two systems that were told apart to keep the same path."""
    seen: dict[str, tuple[str, Place]] = {}
    for name, system in host.systems.items():
        for path in system.persist.paths:
            place = place_of_item(
                tables[name], "persist", "paths", item=path, default=Place(host.folder)
            )
            other, first = seen.setdefault(path, (name, place))
            if first != place:
                fact = f"{path} is kept by {other} as well, and each has its own"
                hint = "if they shall see the same, name it in persist.shared"
                yield Problem(place, "persist.paths", fact, hint)


def about_modules(system: TableShape, tables: Mapping[str, Table]) -> Iterator[Problem]:
    """What is hardly meant: options of a module in no system that switches the module on.

    Args:
        system: the options of a system.
        tables: the merged values of each system.
    """
    for name, option in system.options.items():
        shape = option.shape
        switch = shape.options.get("enable") if isinstance(shape, TableShape) else None
        if switch is not None and switch.default is False:
            values = [each.entries.get(name) for each in tables.values()]
            yield from _useless(name, [value for value in values if isinstance(value, Table)])


def _is_on(value: Value | None) -> bool:
    return isinstance(value, Scalar) and any(setting.value is True for setting in value.settings)


def _useless(name: str, tables: list[Table]) -> Iterator[Problem]:
    """What was written by hand and counts in none of the systems that have it."""
    where: dict[bool, set[tuple[str, Place]]] = {True: set(), False: set()}
    for table in tables:
        is_on = _is_on(table.entries.get("enable"))
        where[is_on] |= {(key, setting.place) for key, setting in settings(table)}
    for key, place in sorted(where[False] - where[True]):
        if place.file.suffix != ".py" and key != "enable":
            fact = f"has no effect: {name}.enable is not set"
            yield Problem(place, f"{name}.{key}", fact, f"write {name}.enable = true")


def _needs_no_data(default: System, table: Table, file: Place) -> Iterator[Problem]:
    kept = (DATA, *default.persist.shared, *default.persist.paths)
    for option, contents in _units(default):
        for name, content in contents.items():
            for line in _lines(content):
                if found := _needed(line, kept):
                    place = place_of(table, option, name, default=file)
                    yield _problem(place, dotted(option, name), found)
    for check in default.health.checks:
        words = check.command if isinstance(check, CommandCheck) else ()
        for word in words:
            if _overlap(word, DATA):
                yield _problem(place_of(table, "health", "checks", default=file), "health", word)


def _lines(content: Content) -> list[str]:
    return content.read().decode(errors="replace").splitlines() if content.is_there else []


def _problem(place: Place, key: str, needed: str) -> Problem:
    fact = f"the default system needs {needed}, which is on the data partition"
    hint = "the default system must start without it: keep it in the generation, or want it only"
    return Problem(place, key, fact, hint)


def _units(system: System) -> Iterator[tuple[str, Mapping[str, Content]]]:
    yield "units", system.units
    drop_ins = {
        name: file
        for name, file in system.files.items()
        if name.startswith(_UNIT_FILES) and file.link is None
    }
    yield "files", drop_ins


def _needed(line: str, kept: tuple[str, ...]) -> str:
    """What of the data a line of a unit cannot do without, or nothing."""
    key, _, value = (part.strip() for part in line.partition("="))
    if key in ("Requires", "Requisite", "BindsTo"):
        mounts = {mount_unit(path) for path in kept}
        return next((unit for unit in value.split() if unit in mounts), "")
    if key == "ExecStart" or re.fullmatch(r"AssertPath\w+|AssertDirectory\w+", key):
        path = (value.split() or [""])[0].lstrip(_PREFIXES)
        inside = any(PurePosixPath(path).is_relative_to(each) for each in kept)
        return path if inside else ""
    return ""
