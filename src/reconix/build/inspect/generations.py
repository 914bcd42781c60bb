"""What is different between two generations: their objects, their systems, their packages.

Answers are values; ``cli/store.py`` shows them. Any two closures can be compared; only what is laid
out as a generation has systems, and only the systems of Debian have packages.

Tested by ``tests/unit/build/inspect/test_generations.py``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconix.build.inspect import packages
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath

_SYSTEMS = "systems"


@dataclass(frozen=True, slots=True)
class Change:
    """Objects of one name that are not the same in two closures."""

    name: str
    before: tuple[StorePath, ...]  # empty: added
    after: tuple[StorePath, ...]  # empty: removed
    before_bytes: int  # of their archives
    after_bytes: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What is different between two closures, usually generations."""

    changes: tuple[Change, ...]  # sorted by name
    packages: tuple[packages.PackageChange, ...]  # of Debian, in the systems; sorted by name
    touched: tuple[str, ...]  # systems that are not the same, or only in one
    identical: tuple[str, ...]  # systems that are the same object, hence the same to the last byte


def difference(store: ChrootStore, before: StorePath, after: StorePath) -> Difference:
    """Compare two closures object by object, and two generations system by system.

    Raises:
        NotValid: one of them is not here.
    """
    old, new = _by_name(store, before), _by_name(store, after)
    changes = [
        _change(store, name, old.get(name, set()), new.get(name, set()))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    old_systems, new_systems = systems_of(store, before), systems_of(store, after)
    names = sorted(old_systems.keys() | new_systems.keys())
    same = [name for name in names if old_systems.get(name) == new_systems.get(name)]
    return Difference(
        changes=tuple(changes),
        packages=packages.compare(
            _packages(store, old_systems, same), _packages(store, new_systems, same)
        ),
        touched=tuple(name for name in names if name not in same),
        identical=tuple(same),
    )


def systems_of(store: ChrootStore, generation: StorePath) -> dict[str, StorePath]:
    """The systems of a generation by name; empty for any other object."""
    folder = store.path(generation) / _SYSTEMS
    if not folder.is_dir():
        return {}
    links = sorted(link for link in folder.iterdir() if link.is_symlink())
    return {link.name: StorePath.containing(str(link.readlink())) for link in links}


def _packages(
    store: ChrootStore, systems: Mapping[str, StorePath], same: Iterable[str]
) -> dict[str, dict[str, packages.Package]]:
    """The packages of the systems that are not the same."""
    return {
        name: packages.packages_of(store, toplevel)
        for name, toplevel in systems.items()
        if name not in same
    }


def _by_name(store: ChrootStore, top: StorePath) -> dict[str, set[StorePath]]:
    found: dict[str, set[StorePath]] = {}
    for path in store.closure(top):
        found.setdefault(path.name, set()).add(path)
    return found


def _change(store: ChrootStore, name: str, before: set[StorePath], after: set[StorePath]) -> Change:
    return Change(
        name=name,
        before=tuple(sorted(before - after)),
        after=tuple(sorted(after - before)),
        before_bytes=sum(store.info(path).nar_size_bytes for path in before - after),
        after_bytes=sum(store.info(path).nar_size_bytes for path in after - before),
    )
