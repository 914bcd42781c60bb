"""Settings that change nothing.

They were written to have an effect, so a warning is due.

Tested by ``tests/unit/config/rules/test_warnings.py``
and ``tests/unit/config/rules/test_no_effect.py``.
"""

from collections.abc import Iterator, Mapping

from reconix.config.merge import List, Scalar, Table, Value, dotted, settings
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.hosts import Host
from reconix.config.schema.system import System
from reconix.config.shapes import TableShape


def warn_about_settings(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """Settings without effect in one system."""
    yield from _useless_removals(table, "")
    yield from _sections_without_effect(system, table, file)
    yield from _windows_without_effect(system, table, file)


def warn_about_updates(host: Host, tables: Mapping[str, Table]) -> Iterator[Problem]:
    """Systems that look for updates where there are none to be had."""
    for name, system in host.systems.items():
        yield from _looking_nowhere(system, host.updates.url, tables[name], Place(host.folder))


def warn_about_modules(system: TableShape, tables: Mapping[str, Table]) -> Iterator[Problem]:
    """Options of a module in no system that switches the module on.

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


def _useless(name: str, tables: list[Table]) -> Iterator[Problem]:
    """What was written by hand and counts in none of the systems that have it."""
    where: dict[bool, set[tuple[str, Place]]] = {True: set(), False: set()}
    for table in tables:
        is_on = _is_on(table.entries.get("enable"))
        where[is_on] |= {(key, setting.place) for key, setting in settings(table)}
    for key, place in sorted(where[False] - where[True]):
        if place.file.suffix != ".py" and key != "enable":
            fact = f"has no effect: {name}.enable is not set"
            yield Problem(place, f"{name}.{key}", fact, f"set {name}.enable = true")


def _is_on(value: Value | None) -> bool:
    return isinstance(value, Scalar) and any(setting.value is True for setting in value.settings)


def _useless_removals(value: Value, key: str) -> Iterator[Problem]:
    if isinstance(value, Table):
        for name, child in value.entries.items():
            yield from _useless_removals(child, dotted(key, name))
    elif isinstance(value, List):
        added = {item.value for item in value.added}
        for item in value.removed:
            if item.value not in added:
                fact = f"removes {item.written}, which is not in the list"
                yield Problem(item.place, key, fact, "check the spelling, or remove this")


def _sections_without_effect(system: System, table: Table, file: Place) -> Iterator[Problem]:
    if system.minify.strict and not system.minify.trap:
        place = place_of(table, "minify", "strict", default=file)
        fact = "has no effect: minify.trap is not set"
        yield Problem(place, "minify.strict", fact, "set minify.trap = true")
    for name in ("keep", "programs", "devices_files", "trap"):
        if getattr(system.minify, name) and not system.minify.enable:
            place = place_of(table, "minify", name, default=file)
            fact = "has no effect: minify.enable is not set"
            yield Problem(place, f"minify.{name}", fact, "set minify.enable = true")


def _looking_nowhere(
    system: System, url: str | None, table: Table, file: Place
) -> Iterator[Problem]:
    place = place_of(table, "update", "every", default=file)
    if system.update.every is not None and url is None:
        hint = "set update.url in reconix.toml, or remove this"
        yield Problem(place, "update.every", "has no effect: update.url is not set", hint)
    elif system.update.every is not None and not system.update.receive:
        hint = "remove one of the two"
        yield Problem(place, "update.every", "has no effect: update.receive is false", hint)


def _windows_without_effect(system: System, table: Table, file: Place) -> Iterator[Problem]:
    place = place_of(table, "update", "window", default=file)
    update = system.update
    if update.window is not None and not (update.automatic and update.receive):
        because = "update.receive" if update.automatic else "update.automatic"
        fact = f"has no effect: {because} is false"
        yield Problem(place, "update.window", fact, "remove one of the two")
