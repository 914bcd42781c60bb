"""Where systemd has the folders of a unit whose user it makes up.

A unit with ``DynamicUser=`` has its state at ``/var/lib/private/NAME``, and ``/var/lib/NAME`` is a
link to it. If that place persists, it is a folder and cannot become a link: the unit ends with
238/STATE_DIRECTORY, each time. What can persist is the folder behind the link.

Source: systemd.exec(5), *DynamicUser=* and *StateDirectory=*.
Tested by ``tests/unit/config/rules/test_dynamic_user.py``; that such a unit starts, by
``tests/vm/test_services.py``.
"""

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from reconix.base.unit_text import assignments
from reconix.config.merge import Table
from reconix.config.origins import place_of, place_of_item
from reconix.config.problems import Place, Problem
from reconix.config.schema.system import System

_PARENTS = {
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
}
_TRUE = ("1", "yes", "y", "true", "t", "on")
_SERVICES = "systemd/system/"


def links(unit: str, texts: Iterable[str]) -> tuple[str, ...]:
    """What a unit has as links into ``private``: their paths.

    Args:
        unit: its name.
        texts: of the unit and its drop-ins, in order.
    """
    is_dynamic = False
    found: dict[str, list[str]] = {key: [] for key in _PARENTS}
    for key, value in assignments(texts, "Service"):
        if key == "DynamicUser":
            is_dynamic = value.lower() in _TRUE
        elif key in found:
            found[key] = [*found[key], *_names(value, unit)] if value else []
    paths = (f"{_PARENTS[key]}/{name}" for key, names in found.items() for name in names)
    return tuple(paths) if is_dynamic else ()


def _names(value: str, unit: str) -> Iterator[str]:
    """The folders in a value; a colon separates a folder from further links to it."""
    whole, prefix, rest = unit.rpartition(".")[0], *unit.rpartition(".")[0].partition("@")[::2]
    specifiers = {"n": unit, "N": whole, "p": prefix, "i": rest, "%": "%"}
    try:
        words = shlex.split(value)
    except ValueError:
        words = value.split()
    for word in words:
        name = re.sub(r"%(.)", lambda at: specifiers.get(at[1], at[0]), word.partition(":")[0])
        yield name.rstrip("/")


def taken(system: System, unit: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What is mounted where a unit needs a link: the path, and the one that it should be."""
    mounted = [*system.persist.shared, *system.persist.paths]
    mounted += [volume.path for volume in system.volumes.values()]
    for link in links(unit, texts):
        for path in map(PurePosixPath, mounted):
            if path.is_relative_to(link):
                parent = next(each for each in _PARENTS.values() if link.startswith(f"{each}/"))
                yield str(path), f"{parent}/private/{path.relative_to(parent)}"


def told(unit: str, path: str) -> str:
    """What is wrong with a path, for people."""
    return f"systemd needs {path} as a link: {unit} has DynamicUser= and would not start"


def check_dynamic_users(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """Folders that persist where a unit of the configuration needs a link."""
    for unit, texts in _own_units(system):
        for path, behind in taken(system, unit, texts):
            yield problem(unit, path, behind, table, file)


def problem(unit: str, path: str, behind: str, table: Table, file: Place) -> Problem:
    """The error, at the place where the path was written."""
    place = place_of(table, "persist", default=file)
    for option in ("shared", "paths"):
        place = place_of_item(table, "persist", option, item=path, default=place)
    return Problem(place, "persist", told(unit, path), f'persist "{behind}" instead')


def _own_units(system: System) -> Iterator[tuple[str, list[str]]]:
    for name, unit in system.units.items():
        if unit.is_there:
            drop_ins = [
                file.read().decode(errors="replace")
                for path, file in sorted(system.files.items())
                if path.startswith(f"{_SERVICES}{name}.d/") and file.link is None
                if file.is_there
            ]
            yield name, [unit.read().decode(errors="replace"), *drop_ins]
