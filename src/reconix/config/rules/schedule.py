"""A schedule names systems that exist and can follow it, one at a time.

A system of Nix has no agent of ours that would end its hours, so it takes no part.

Tested by ``tests/unit/config/rules/test_schedule.py``.
"""

import itertools
from collections.abc import Iterator, Mapping

from reconix.config.merge import Table
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.hosts import Host
from reconix.config.schema.values import DAYS, MINUTES_OF_DAY, Hours

_WEEK = len(DAYS) * MINUTES_OF_DAY


def check_schedule(
    host: Host, table: Table, tables: Mapping[str, Table], file: Place
) -> Iterator[Problem]:
    """What must hold for the schedule of a host."""
    schedule = host.machine.schedule
    named = [("schedule.hours", hours.system) for hours in schedule.hours]
    if schedule.otherwise is not None:
        named.append(("schedule.otherwise", schedule.otherwise))
    for key, name in named:
        if problem := _problem(host, tables, name):
            place = place_of(table, *key.split("."), default=file)
            yield Problem(place, key, *problem)
    place = place_of(table, "schedule", "hours", default=file)
    for one, other in itertools.combinations(schedule.hours, 2):
        if overlap(one, other):
            hint = "end one when the other begins"
            yield Problem(place, "schedule.hours", f"{one} and {other} overlap", hint)


def _problem(host: Host, tables: Mapping[str, Table], name: str) -> tuple[str, str] | None:
    if name in host.nixos:
        return (f"{name} is built by Nix and cannot follow a schedule", "start it by hand")
    if name not in tables:
        known = ", ".join(tables) or "none"
        return (f"unknown system {name!r}", f"this host has: {known}")
    return None


def overlap(one: Hours, other: Hours) -> bool:
    """Whether there is a minute of the week that both have."""
    moved = [
        (begin + week, end + week) for begin, end in other.spans() for week in (-_WEEK, 0, _WEEK)
    ]
    return any(begin < last and first < end for begin, end in one.spans() for first, last in moved)
