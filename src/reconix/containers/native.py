"""Roots of Debian packages for containers: made like the root of a system, and smaller.

The same code installs the packages (``build/root/debian.py``), so a file that the system has too is
the same content, and a device keeps it once. The numbers of users follow from the packages of this
root alone, as a container has all numbers for itself.

What the root of a system has for the agent stays behind when images are made, and so does what is
read at a desk: documents but for copyright files, and translations unless ``locales`` is installed.

    root/   the tree, in which lie ``metadata`` and ``losses``

Tested by ``tests/unit/containers/test_native.py`` and, with real packages,
``tests/compat/test_build.py``.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from reconix.base.architecture import Architecture
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
"""What the root of a container does not have."""

_DOCUMENTS, _COPYRIGHT = b"usr/share/doc", b"copyright"
_MANUALS = (b"usr/share/info", b"usr/share/lintian", b"usr/share/man")
_TRANSLATIONS, _SPEAKS = b"usr/share/locale", "locales"


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
    return {
        name: _described(store, made[recipe], containers[name].packages)
        for name, recipe in recipes_of.items()
    }


def _recipe(container: ContainerLock, lock: HostLock) -> Recipe:
    kind = "root of a native container"
    return cached_recipes.packages_recipe(kind, NAME, container.packages, lock)


def _maker(packages: Sequence[LockedPackage], lock: HostLock, fetch: Fetch) -> recipes.Make:
    def make(into: Path) -> None:
        files = list(fetch(packages).values())
        into.mkdir()
        debian.build_root(files, lock.suites[0], Architecture(lock.architecture), into / ROOT)

    return make


def _described(store: ChrootStore, path: StorePath, packages: Sequence[LockedPackage]) -> ImageTree:
    """The tree with what packages say of their files."""
    content = read_bounded(store.path(path) / ROOT / metadata.FILE, MAX_SIDECAR_BYTES)
    found = parse_entries(content, source=f"{path}/{ROOT}/{metadata.FILE}")
    own = {ITSELF: CLOSED, ROOT.encode(): metadata.PROGRAM}
    inner = {_inside(name): said for name, said in found}
    omitted = [*map(os.fsencode, _OF_SYSTEMS), *_read_at_a_desk(store.path(path) / ROOT, packages)]
    entries = tuple(sorted({**own, **inner}.items()))
    return described(store, Sidecar(path, entries, tuple(sorted(map(_inside, omitted)))))


def _read_at_a_desk(root: Path, packages: Sequence[LockedPackage]) -> Iterator[bytes]:
    """Paths of documents and translations; folders that packages bring for them stay."""
    speaks = any(package.name == _SPEAKS for package in packages)
    for folder in _MANUALS if speaks else (*_MANUALS, _TRANSLATIONS):
        yield from _below(root, folder)
    for package in _below(root, _DOCUMENTS):
        yield from (path for path in _below(root, package) if not path.endswith(b"/" + _COPYRIGHT))


def _below(root: Path, folder: bytes) -> Iterator[bytes]:
    """What is in a folder; nothing if it is none, or a link to one."""
    place = root / os.fsdecode(folder)
    if place.is_dir() and not place.is_symlink():
        yield from (b"%s/%s" % (folder, os.fsencode(each.name)) for each in place.iterdir())


def _inside(path: bytes) -> bytes:
    return b"%s/%s" % (ROOT.encode(), path)
