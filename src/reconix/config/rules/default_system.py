"""The default system starts without the data partition, or it is not a fall-back.

It may keep data there; nothing in it may need them. Examined is what the configuration itself says:
units, files beside units, and health checks.

Tested by ``tests/unit/config/rules/test_default_system.py``.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from reconix.base.unit_names import mount_unit
from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.rules.persist import overlap
from reconix.config.schema.content import Content
from reconix.config.schema.health import CommandCheck
from reconix.config.schema.hosts import Host
from reconix.config.schema.system import System

_DATA = "/run/reconix/data"
"""Where the device mounts the data partition."""
_UNIT_FILES = "systemd/system/"
_PREFIXES = "@-:+!|"
"""What may precede a program (systemd.service(5)) or the path of a condition."""


def check_default_system(host: Host, tables: Mapping[str, Table], file: Place) -> Iterator[Problem]:
    """What must hold for the default system of a host."""
    default = host.systems.get(host.machine.boot.default)
    if default is not None:
        yield from _needs_no_data(default, tables[host.machine.boot.default], file)


def _needs_no_data(default: System, table: Table, file: Place) -> Iterator[Problem]:
    kept = (_DATA, *default.persist.shared, *default.persist.paths)
    for option, contents in _units(default):
        for name, content in contents.items():
            for line in _lines(content):
                if found := _needed(line, kept):
                    place = place_of(table, option, name, default=file)
                    yield _problem(place, dotted(option, name), found)
    for check in default.health.checks:
        words = check.command if isinstance(check, CommandCheck) else ()
        for word in words:
            if overlap(word, _DATA):
                yield _problem(place_of(table, "health", "checks", default=file), "health", word)


def _lines(content: Content) -> list[str]:
    return content.read().decode(errors="replace").splitlines() if content.is_there else []


def _problem(place: Place, key: str, needed: str) -> Problem:
    fact = f"the default system needs {needed}, which is on the data partition"
    hint = "keep it in the generation, or use Wants= instead of Requires="
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
