"""Roots of Debian packages for containers: made like the root of a system, and smaller.

The same code installs the packages (``build/root/debian.py``), so a file that the system has too is
the same content, and a device keeps it once. The numbers of users follow from the packages of this
root alone, as a container has all numbers for itself.

What the root of a system has for the agent stays behind when images are made.

    root/   the tree, in which lie ``metadata`` and ``losses``

Tested by ``tests/unit/containers/test_native.py`` and, with real packages,
``tests/compat/test_build.py``.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from reconix.base.files import read_bounded
from reconix.build import cached_recipes, recipes
from reconix.build.recipes import Recipe
from reconix.build.root import debian, losses, metadata
from reconix.config.lock.containers import ContainerLock
from reconix.config.lock.hosts import HostLock
from reconix.config.lock.packages import LockedPackage
from reconix.containers.runtime.places import ROOT
from reconix.containers.trees import CLOSED, ImageTree, described
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.sidecar import ITSELF, MAX_SIDECAR_BYTES, Sidecar, parse_entries

NAME = "container-debian"

Fetch = Callable[[Sequence[LockedPackage]], Mapping[LockedPackage, Path]]

_OF_SYSTEMS = (losses.FILE, metadata.FILE, "usr/bin/reconix-device", "usr/lib/modules")
"""What the root of a container does not have; sorted."""


def native_trees(
    store: ChrootStore, lock: HostLock, containers: Mapping[str, ContainerLock], fetch: Fetch
) -> dict[str, ImageTree]:
    """The roots of containers that are made of packages; equal package sets share one.

    Args:
        store: where they go.
        lock: of the host.
        containers: these, by name.
        fetch: gives the files of packages.
    """
    recipes_of = {name: _recipe(found, lock) for name, found in containers.items()}
    makers = {
        recipes_of[name]: _maker(found.packages, lock, fetch) for name, found in containers.items()
    }
    made = recipes.realise_all(store, "install the packages of containers", makers)
    return {name: _described(store, made[recipe]) for name, recipe in recipes_of.items()}


def _recipe(container: ContainerLock, lock: HostLock) -> Recipe:
    kind = "root of a native container"
    return cached_recipes.packages_recipe(kind, NAME, container.packages, lock)


def _maker(packages: Sequence[LockedPackage], lock: HostLock, fetch: Fetch) -> recipes.Make:
    def make(into: Path) -> None:
        files = list(fetch(packages).values())
        into.mkdir()
        debian.build_root(files, lock.suites[0], lock.architecture, into / ROOT)

    return make


def _described(store: ChrootStore, path: StorePath) -> ImageTree:
    """The tree with what packages say of their files."""
    content = read_bounded(store.path(path) / ROOT / metadata.FILE, MAX_SIDECAR_BYTES)
    found = parse_entries(content, source=f"{path}/{ROOT}/{metadata.FILE}")
    own = {ITSELF: CLOSED, ROOT.encode(): metadata.PROGRAM}
    inner = {_inside(name): said for name, said in found}
    omitted = tuple(_inside(name.encode()) for name in _OF_SYSTEMS)
    return described(store, Sidecar(path, tuple(sorted({**own, **inner}.items())), omitted))


def _inside(path: bytes) -> bytes:
    return b"%s/%s" % (ROOT.encode(), path)
