"""What the configuration promises about what is built: budgets, and systems that are frozen.

A team that ships a device wants to hear of it when a system has grown, or when a change that was
meant for one system reaches another. Both are visible from the store alone: a system is a closure,
its size is the sum of its objects, and two systems are the same if their toplevels have one path.

When a frozen system has changed, the way to each difference is told: from the toplevel through the
links that lead into other objects, down to the file.

    etc → nginx/nginx.conf differs
    root → usr/bin/curl is new

Tested by ``tests/unit/build/inspect/test_promises.py``.
"""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.config.schema.system import System
from reconix.config.schema.values import print_size
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import read_generation
from reconix.store.paths import STORE_DIR, StorePath

_MAX_TOLD = 10
_BLOCK = 1 << 20


class BudgetExceeded(ReconixError):
    """A system, or all of a host together, has become larger than it may be."""

    exit_code = 63

    def __init__(self, what: str, *, size_bytes: int, budget_bytes: int) -> None:
        super().__init__(
            f"{what} has {size_bytes} bytes, its budget is {budget_bytes}: "
            f"{size_bytes - budget_bytes} too many",
            hint=f"take something out, or raise budget (now {print_size(budget_bytes)})",
        )


class FrozenChanged(ReconixError):
    """A system that is frozen would be changed."""

    exit_code = 63

    def __init__(self, system: str, reasons: list[str]) -> None:
        told = "".join(f"\n  {reason}" for reason in reasons[:_MAX_TOLD])
        more = "\n  and more" if len(reasons) > _MAX_TOLD else ""
        super().__init__(
            f"the system {system} is frozen and would change:{told}{more}",
            hint="undo what reaches it, or remove frozen from it for this build",
        )


def check(
    store: ChrootStore, systems: Mapping[str, System], new: StorePath, old: StorePath | None
) -> None:
    """Hold a generation against what was promised of it.

    Args:
        store: where it is.
        systems: those of the configuration, by name.
        new: the generation.
        old: the one before, if there is one.

    Raises:
        BudgetExceeded: a system is too large.
        FrozenChanged: a frozen system is not what it was.
    """
    toplevels = _toplevels(store, new)
    before = _toplevels(store, old) if old else {}
    for name, system in systems.items():
        if system.budget is not None:
            _check_budget(store, f"the system {name}", toplevels[name], system.budget)
        changed = name in before and before[name] != toplevels[name]
        if system.frozen and changed:
            found = differences(store, before[name], toplevels[name])
            raise FrozenChanged(name, list(itertools.islice(found, _MAX_TOLD + 1)))


def _toplevels(store: ChrootStore, generation: StorePath) -> dict[str, StorePath]:
    found = read_generation(store.store_dir, generation)
    return {system.name: system.toplevel for system in found.systems}


def check_generation(store: ChrootStore, generation: StorePath, budget: int | None) -> None:
    """Hold all systems of a host together against their budget, if they have one.

    Raises:
        BudgetExceeded: they are too large.
    """
    if budget is not None:
        _check_budget(store, "the generation", generation, budget)


def _check_budget(store: ChrootStore, what: str, path: StorePath, budget: int) -> None:
    size = sum(store.info(each).nar_size_bytes for each in store.closure(path))
    if size > budget:
        raise BudgetExceeded(what, size_bytes=size, budget_bytes=budget)


def differences(store: ChrootStore, old: StorePath, new: StorePath) -> Iterator[str]:
    """How two objects differ, and the objects that they link to: a line for each file."""
    yield from _differences(store, store.path(old), store.path(new), "")


def _differences(store: ChrootStore, old: Path, new: Path, way: str) -> Iterator[str]:
    names = {path.name for folder in (old, new) for path in folder.iterdir()}
    for name in sorted(names):
        one, other, place = old / name, new / name, f"{way}{name}"
        if not one.is_symlink() and not one.exists():
            yield f"{place} is new"
        elif not other.is_symlink() and not other.exists():
            yield f"{place} is gone"
        elif one.is_symlink() and other.is_symlink():
            yield from _linked(store, str(one.readlink()), str(other.readlink()), place)
        elif one.is_symlink() or other.is_symlink() or one.is_dir() != other.is_dir():
            yield f"{place} is of another kind"
        elif one.is_dir():
            yield from _differences(store, one, other, f"{place}/")
        elif not _same(one, other):
            yield f"{place} differs"


def _linked(store: ChrootStore, old: str, new: str, place: str) -> Iterator[str]:
    if old == new:
        return
    one, other = _inside(store, old), _inside(store, new)
    if one is not None and other is not None and one.is_dir() and other.is_dir():
        yield from _differences(store, one, other, f"{place} → ")
    else:
        yield f"{place} leads to {new} instead of {old}"


def _inside(store: ChrootStore, target: str) -> Path | None:
    """Where the target of a link is on this machine, if it is in the store."""
    basename, _, rest = target.removeprefix(f"{STORE_DIR}/").partition("/")
    if not target.startswith(f"{STORE_DIR}/"):
        return None
    return store.path(StorePath.parse(f"{STORE_DIR}/{basename}")) / rest


def _same(one: Path, other: Path) -> bool:
    """Whether two files are equal; equal ones are usually one, because a store links them."""
    first, second = one.stat(), other.stat()
    if first.st_ino == second.st_ino and first.st_dev == second.st_dev:
        return True
    if (first.st_size, first.st_mode) != (second.st_size, second.st_mode):
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while block := left.read(_BLOCK):
            if block != right.read(_BLOCK):
                return False
    return True
