"""Who asked for something: the option in the configuration, with its place.

A file says ``packages = ["nginx"]``, or ``mosquitto.enable = true``, and a module adds packages and
files because of it. The merged values of a system know where each of them was written; where that
is a module, the options that made it take part are asked in turn. So the answer is always a line of
the project, never one of our code.

    hosts/gateway/systems/mqtt.toml:3:10   mosquitto.enable → the package mosquitto

Tested by ``tests/unit/composition/test_requests.py``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.config.lock.packages import LockedPackage
from reconix.config.merge import List, Setting, Table, Value, dotted, settings
from reconix.config.problems import Place
from reconix.config.project_paths import whole
from reconix.config.schema.system import OF_WIFI, RESOLVER, System
from reconix.config.schema.values import FilePattern

_MODULE = ".py"

IMPLIED: Mapping[str, str] = {name: "network" for name in (RESOLVER, *OF_WIFI)}
"""Packages that an option brings without naming them (``config/load.py``), and which option."""


@dataclass(frozen=True, slots=True)
class Request:
    """A line of the configuration that asked for something."""

    option: str
    """Dotted."""
    place: Place
    modules: tuple[str, ...] = ()
    """By which modules it came to that, the last one first; empty if the line says it itself."""


Requests = dict[str, tuple[Request, ...]]
"""By the name of what was asked for."""


def for_packages(system: System, table: Table) -> Requests:
    """Who asked for each package of a system that was asked for by name.

    Args:
        system: machine and system file, merged.
        table: the values that it was made from.
    """
    return {
        name: for_item(table, "packages", item=name) or for_option(table, IMPLIED.get(name, ""))
        for name in system.packages
    }


def for_debs(table: Table, folder: Path, packages: Iterable[LockedPackage]) -> Requests:
    """Who asked for each package that is a file of the project.

    Args:
        table: the values of a system.
        folder: of the project.
        packages: of its lock.
    """
    _, value = _value(table, ("debs",))
    patterns = value.items if isinstance(value, List) else ()
    files = {each.name: folder / each.path for each in packages if each.is_of_project}
    found = {}
    for name, file in files.items():
        naming = [each for each in patterns if _stands_for(each.value, file)]
        lines = (request for each in naming for request in _traced(table, "debs", each))
        if asked := distinct(lines):
            found[name] = asked
    return found


def _stands_for(pattern: object, file: Path) -> bool:
    return isinstance(pattern, FilePattern) and whole(file) in pattern.files()


def for_option(table: Table, *keys: str) -> tuple[Request, ...]:
    """Who set an option, or anything below it; nothing if nobody did."""
    key, value = _value(table, keys)
    if value is None or not keys:
        return ()
    return distinct(
        request
        for option, setting in settings(value, key)
        for request in _traced(table, option, setting)
    )


def for_files(table: Table, *paths: str) -> tuple[Request, ...]:
    """Who asked for the files at some paths, or below them."""
    files = table.entries.get("files")
    names = files.entries if isinstance(files, Table) else {}
    return distinct(
        request
        for name in sorted(names)
        if any(name == path or name.startswith(f"{path}/") for path in paths)
        for request in for_option(table, "files", name)
    )


def for_item(table: Table, *keys: str, item: object) -> tuple[Request, ...]:
    """Who added an item to a list."""
    key, value = _value(table, keys)
    items = value.items if isinstance(value, List) else ()
    return distinct(
        request for each in items if each.value == item for request in _traced(table, key, each)
    )


def _value(table: Table, keys: Iterable[str]) -> tuple[str, Value | None]:
    """An option, dotted, and its value if it was set."""
    key = ""
    value: Value | None = table
    for each in keys:
        value = value.entries.get(each) if isinstance(value, Table) else None
        key = dotted(key, each)
    return key, value


def _traced(
    table: Table, option: str, setting: Setting, above: tuple[str, ...] = ()
) -> tuple[Request, ...]:
    """The lines that a setting comes from, through modules."""
    return distinct(
        request
        for place in (setting.place, *setting.also)
        for request in _at(table, option, place, above)
    )


def _at(table: Table, option: str, place: Place, above: tuple[str, ...]) -> tuple[Request, ...]:
    if place.file.suffix != _MODULE:
        return (Request(option, place, above),)
    module = place.file.stem
    own = table.entries.get(module)
    if module in above or own is None:
        return ()
    return distinct(
        request
        for key, each in settings(own, module)
        for request in _traced(table, key, each, (*above, module))
    )


def distinct(requests: Iterable[Request]) -> tuple[Request, ...]:
    """Each line once, and what switches something on before its details."""
    found = dict.fromkeys(requests)
    return tuple(sorted(found, key=lambda each: not each.option.endswith(".enable")))
