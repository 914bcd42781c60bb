"""Folders that persist are apart, are shared or not, and hide nothing.

* What one system shares with all, no other persists for itself: they would not see each other's
  data.
* Shared folders are not inside each other: a program that may write to the outer folder decides
  what the inner one is.
* What a generation brings does not persist: an update would change nothing.

Tested by ``tests/unit/config/rules/test_assertions.py``
and ``tests/unit/config/rules/test_persist.py``.
"""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from reconix.config.merge import Table
from reconix.config.origins import place_of, place_of_item
from reconix.config.problems import Place, Problem
from reconix.config.schema.hosts import Host
from reconix.config.schema.system import System

_HOLD_OTHERS = tuple(map(PurePosixPath, ("/", "/etc", "/etc/systemd", "/etc/systemd/system")))
_NEVER_KEPT = (
    "/etc/reconix",
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/nix",
    "/boot",
    "/run",
    "/dev",
    "/proc",
    "/sys",
)


def check_persist(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for the folders that a system keeps."""
    yield from _folders_are_apart(system, table, file)
    yield from _what_decides_is_not_kept(system, table, file)


def check_persist_of_all(host: Host, tables: Mapping[str, Table], file: Place) -> Iterator[Problem]:
    """What must hold between the folders that the systems of a host keep."""
    yield from _what_is_shared_is_shared_by_all(host, tables, file)
    yield from _what_is_shared_is_apart(host, tables, file)


def warn_about_persist(host: Host, tables: Mapping[str, Table]) -> Iterator[Problem]:
    """Paths that two systems keep, each its own, and that were written once for each."""
    seen: dict[str, tuple[str, Place]] = {}
    for name, system in host.systems.items():
        for path in system.persist.paths:
            place = place_of_item(
                tables[name], "persist", "paths", item=path, default=Place(host.folder)
            )
            other, first = seen.setdefault(path, (name, place))
            if first != place:
                fact = f"{path} is also persisted by {other}, and each has its own copy"
                hint = "to share it, list it in persist.shared"
                yield Problem(place, "persist.paths", fact, hint)


def _folders_are_apart(system: System, table: Table, file: Place) -> Iterator[Problem]:
    persist = system.persist
    paths = [("shared", path) for path in persist.shared] + [("paths", p) for p in persist.paths]
    for (_, one), (option, other) in itertools.permutations(paths, 2):
        inside = PurePosixPath(other).is_relative_to(one)
        if inside and (one != other or option == "paths"):
            place = place_of(table, "persist", option, default=file)
            fact = f"{other} is already persisted by {one}"
            hint = f'keep one of the two: persist.{option} = {{ remove = ["{other}"] }}'
            yield Problem(place, f"persist.{option}", fact, hint)


def _what_decides_is_not_kept(system: System, table: Table, file: Place) -> Iterator[Problem]:
    for option in ("shared", "paths"):
        for path in getattr(system.persist, option):
            if _is_of_the_generation(PurePosixPath(path)):
                place = place_of_item(table, "persist", option, item=path, default=file)
                fact = f"{path} belongs to the generation or to the running system"
                hint = (
                    "persisted, it would hide what an update brings; name the folder of one program"
                )
                yield Problem(place, f"persist.{option}", fact, hint)


def _is_of_the_generation(path: PurePosixPath) -> bool:
    """Whether it would replace what the configuration decides: which users exist, what runs."""
    return path in _HOLD_OTHERS or any(path.is_relative_to(each) for each in _NEVER_KEPT)


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
                if other != name and overlap(own, path):
                    place = place_of_item(tables[name], "persist", "paths", item=own, default=file)
                    fact = f"{name} persists {own} for itself, but {other} shares {path} with all"
                    hint = "list it in persist.shared of both, or in persist.paths of both"
                    yield Problem(place, "persist.paths", fact, hint)


def _what_is_shared_is_apart(
    host: Host, tables: Mapping[str, Table], file: Place
) -> Iterator[Problem]:
    for (one, outside), (other, inside) in itertools.permutations(host.systems.items(), 2):
        for outer, inner in itertools.product(outside.persist.shared, inside.persist.shared):
            if outer != inner and PurePosixPath(inner).is_relative_to(outer):
                place = place_of_item(tables[other], "persist", "shared", item=inner, default=file)
                fact = f"{other} shares {inner}, which is inside {outer}, shared by {one}"
                hint = f"share {outer} in both, or choose a folder outside it"
                yield Problem(place, "persist.shared", fact, hint)


def overlap(one: str, other: str) -> bool:
    """Whether one of two paths is inside the other."""
    first, second = PurePosixPath(one), PurePosixPath(other)
    return first.is_relative_to(second) or second.is_relative_to(first)
