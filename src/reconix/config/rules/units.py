"""Units are wanted or not, and those that are wanted can start.

Tested by ``tests/unit/config/rules/test_assertions.py``
and ``tests/unit/config/rules/test_warnings.py``.
"""

import re
from collections.abc import Iterator

from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.health import UnitCheck
from reconix.config.schema.system import System

_CLOCKS = {"chrony.service", "systemd-timesyncd.service"}
_NEVER = re.compile(
    r"^Condition(FirstBoot=\s*(yes|true|on|1)|NeedsUpdate=\s*/(etc|var))\s*$", re.MULTILINE
)
"""The identity is there before systemd starts, and /etc and /var are as new as /usr."""


def check_units(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold between the units of a system."""
    yield from _units_are_wanted_or_not(system, table, file)
    yield from _one_program_sets_the_clock(system, table, file)


def warn_about_units(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """Units with a condition that no start of a device fulfils."""
    for name, unit in system.units.items():
        condition = _never_holds(unit.read()) if unit.is_there else None
        if condition:
            place = place_of(table, "units", name, default=file)
            fact = f"never starts: {condition} is never true on a device"
            hint = "use ConditionPathExists=!<a file that it creates in a folder that persists>"
            yield Problem(place, dotted("units", name), fact, hint)


def _units_are_wanted_or_not(system: System, table: Table, file: Place) -> Iterator[Problem]:
    checked = {check.unit for check in system.health.checks if isinstance(check, UnitCheck)}
    for unit in sorted(set(system.services.enable) & set(system.services.disable)):
        place = place_of(table, "services", "disable", default=file)
        yield Problem(place, "services.disable", f"{unit} is also enabled", "keep one of the two")
    for option, wanted in (
        ("services.enable", set(system.services.enable)),
        ("health.checks", checked),
    ):
        for unit in sorted(wanted & set(system.services.mask)):
            place = place_of(table, *option.split("."), default=file)
            hint = "remove it from services.mask, or from here"
            yield Problem(place, option, f"{unit} is masked and can never start", hint)


def _one_program_sets_the_clock(system: System, table: Table, file: Place) -> Iterator[Problem]:
    if set(system.services.enable) >= _CLOCKS:
        place = place_of(table, "services", "enable", default=file)
        fact = f"{' and '.join(sorted(_CLOCKS))} would both set the clock"
        yield Problem(place, "services.enable", fact, "disable time.ntp or chrony")


def _never_holds(unit: bytes) -> str:
    """The condition of a unit that no start of a device fulfils, or nothing."""
    found = _NEVER.search(unit.decode(errors="replace"))
    return found[0].strip() if found else ""
