"""What an update reaches: the parts of each system of a device that are others afterwards.

A system is compared with the one of its name, part by part, as its toplevel names them
(``build/toplevel.py``); containers by their identity, which is how the agent compares them. What is
different in a part is told as far as it has names: packages with their versions, generated files,
files of a tree.

Tested by ``tests/unit/composition/test_reach.py``.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from reconix.base.files import read_bounded
from reconix.build.inspect import packages
from reconix.build.inspect.differences import first_differences
from reconix.build.inspect.packages import Package
from reconix.composition.toplevel_parts import ToplevelParts, containers_of
from reconix.device.settings.containers import Container
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import Generation
from reconix.store.paths import StorePath

MAX_DETAILS = 12
_MAX_FILE_BYTES = 1 << 20
_ROOT, _ETC = "root", "etc"
_NAMED = {
    _ROOT: "packages",
    _ETC: "settings in /etc",
    "agent": "agent",
    "boot.json": "kernel, initrd, parameters",
    "modules": "modules of the kernel",
    "layers": "files over packages",
    "sidecars": "owners and modes",
    "health.json": "health checks",
    "update.json": "how updates are taken",
    "schedule.json": "schedule",
    "secrets.json": "secrets",
    "persist": "what is kept",
}
"""What is in a toplevel besides trees and containers, and what it is called here."""


class Became(Enum):
    """What became of a system or a part of it."""

    SAME = "same"
    CHANGED = "changed"
    NEW = "new"
    GONE = "gone"

    @classmethod
    def of(cls, old: object, new: object) -> "Became":
        """What became of something, of which ``None`` says that it is not there."""
        if old == new:
            return cls.SAME
        if old is None:
            return cls.NEW
        return cls.GONE if new is None else cls.CHANGED


@dataclass(frozen=True, slots=True)
class PartChange:
    """A part of a system, and what became of it.

    Attributes:
        name: what it is.
        became: that.
        is_container: whether it is one, which may be interrupted alone.
        details: what is different in it, the first lines.
    """

    name: str
    became: Became
    is_container: bool = False
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SystemChange:
    """A system, and what became of it; parts are told of one that has changed."""

    name: str
    became: Became
    parts: tuple[PartChange, ...] = ()


def system_changes(
    store: ChrootStore, base: Generation | None, target: Generation
) -> tuple[SystemChange, ...]:
    """What an update makes of each system, by name.

    Args:
        store: has both generations.
        base: what a device has; ``None``: nothing that is known.
        target: what it shall have.
    """
    before = {} if base is None else {each.name: each.toplevel for each in base.systems}
    after = {each.name: each.toplevel for each in target.systems}
    return tuple(
        _system(store, name, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
    )


def _system(
    store: ChrootStore, name: str, old: StorePath | None, new: StorePath | None
) -> SystemChange:
    became = Became.of(old, new)
    if old is None or new is None or old == new:
        return SystemChange(name, became)
    one, other = (ToplevelParts.read(store, path) for path in (old, new))
    if one is None or other is None:
        return SystemChange(name, became)
    parts = [*_named(store, old, new), *_trees(store, one, other), *_containers(store, old, new)]
    return SystemChange(name, became, tuple(parts))


def _named(store: ChrootStore, old: StorePath, new: StorePath) -> Iterator[PartChange]:
    for entry, name in _NAMED.items():
        one, other = (_content(store.path(path) / entry) for path in (old, new))
        became = Became.of(one, other)
        if one is None and other is None:
            continue
        details = tuple(_details(store, entry, old, new)) if became is Became.CHANGED else ()
        yield PartChange(name, became, details=details)


def _content(path: Path) -> object:
    """What stands at an entry of a toplevel, to be compared; ``None`` if there is nothing."""
    if path.is_symlink():
        return path.readlink()
    if path.is_dir():
        return {each.name: _content(each) for each in path.iterdir()}
    return read_bounded(path, _MAX_FILE_BYTES) if path.exists() else None


def _details(store: ChrootStore, entry: str, old: StorePath, new: StorePath) -> Iterator[str]:
    """What is different in a part that has names for it."""
    if entry == _ROOT:
        yield from itertools.islice(_packages(store, old, new), MAX_DETAILS)
    elif entry == _ETC:
        one, other = (
            StorePath.containing(str((store.path(p) / entry).readlink())) for p in (old, new)
        )
        yield from first_differences(store, one, other)


def _packages(store: ChrootStore, old: StorePath, new: StorePath) -> Iterator[str]:
    one, other = ({"": packages.packages_of(store, path)} for path in (old, new))
    for change in packages.compare(one, other):
        yield f"{change.name} {_version(change.before)} → {_version(change.after)}"


def _version(package: Package | None) -> str:
    return "(none)" if package is None else package.version


def _trees(store: ChrootStore, old: ToplevelParts, new: ToplevelParts) -> Iterator[PartChange]:
    before, after = ({at: path for path, at in each.trees} for each in (old, new))
    for at in sorted(before.keys() | after.keys()):
        one, other = before.get(at), after.get(at)
        details = first_differences(store, one, other) if one and other and one != other else ()
        yield PartChange(f"tree {at}", Became.of(one, other), details=details)


def _containers(store: ChrootStore, old: StorePath, new: StorePath) -> Iterator[PartChange]:
    before, after = (_by_name(containers_of(store, path)) for path in (old, new))
    became = {
        name: Became.of(_identity(before.get(name)), _identity(after.get(name)))
        for name in sorted(before.keys() | after.keys())
    }
    for name, each in became.items():
        joined = after[name].joins if name in after else ""
        follows = each is Became.SAME and became.get(joined, Became.SAME) is not Became.SAME
        details = (f"is in the network of {joined}",) if follows else ()
        yield PartChange(name, Became.CHANGED if follows else each, True, details)


def _by_name(containers: tuple[Container, ...]) -> Mapping[str, Container]:
    return {each.name: each for each in containers}


def _identity(container: Container | None) -> object:
    return None if container is None else container.identity
