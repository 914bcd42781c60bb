"""The system that is asked about, and what is known of it: configured, locked, built.

A question is about the configuration as it is now, not about what was built last. Its lock must fit
it. Whether it was built is asked of the store: by recipe for the root, so that a changed setting
does not hide the packages, or by the packages of a generation that is kept; and as a whole for what
a device shows.

Tested by ``tests/unit/composition/test_subject.py`` and ``tests/unit/cli/test_why.py``.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from reconix.base.errors import UsageError
from reconix.base.files import read_bounded
from reconix.build import cached_recipes, recipes
from reconix.build.inspect import evaluate
from reconix.build.inspect.generations import systems_of
from reconix.build.inspect.packages import MAX_STATUS_BYTES, STATUS
from reconix.composition import requests
from reconix.composition.device_view import DeviceView
from reconix.composition.installed import parse_installed
from reconix.composition.requests import Requests
from reconix.composition.toplevel_parts import ToplevelParts
from reconix.config.load import Loaded, load_with_places
from reconix.config.lock.hosts import HostLock, SystemLock
from reconix.config.merge import Table
from reconix.config.schema.hosts import Host
from reconix.config.schema.system import System
from reconix.nix.chroot import ChrootStore
from reconix.project.downloads import Downloads
from reconix.project.files import ProjectFiles
from reconix.project.workplace import NotBuilt, pick_host
from reconix.store.paths import StorePath


@dataclass(frozen=True, slots=True)
class HostSubject:
    """A host of a project that is locked."""

    loaded: Loaded
    files: ProjectFiles
    host: Host
    lock: HostLock

    @classmethod
    def read(cls, folder: Path, name: str | None) -> "HostSubject":
        """The host of that name, or the only one.

        Raises:
            UsageError: there is no such host.
            NotLocked: the lock does not say what it consists of.
        """
        loaded = load_with_places(folder)
        files = ProjectFiles(folder, loaded.configuration)
        host = pick_host(loaded.configuration, name)
        return cls(loaded, files, host, files.host_lock(host))

    @property
    def machine(self) -> Table:
        """What the machine's files say."""
        return self.loaded.machines[self.host.name]

    def path_in_project(self, path: Path) -> str:
        """A path as seen from the project, wherever that lies."""
        return os.path.relpath(path, self.loaded.configuration.folder)

    def system(self, name: str) -> "SystemSubject":
        """One of its systems.

        Raises:
            UsageError: there is none of that name, or Nix builds it.
        """
        known = ", ".join(self.host.systems)
        if name in self.host.nixos:
            raise UsageError(
                f"{self.host.name}:{name} is built by Nix, which knows its parts",
                hint="ask about its store paths: reconix store why, reconix store size",
            )
        if not name:
            raise UsageError(f"which system of {self.host.name}?", hint=f"it has: {known}")
        if name not in self.host.systems:
            raise UsageError(f"{self.host.name} has no system {name!r}", hint=f"it has: {known}")
        return SystemSubject(self, name)

    def toplevels(
        self, store: ChrootStore, downloads: Downloads, *names: str
    ) -> dict[str, StorePath]:
        """The toplevels of some systems, as they are configured now.

        Raises:
            NotBuilt: one of them has not been built.
        """
        lock = self.files.numbered_lock(store, self.host)
        workshop = self.files.workshop(store, downloads)
        found = evaluate.known_toplevels(workshop, self.host, lock, names)
        for name in names:
            if name not in found:
                raise self.not_built(name)
        return found

    def roots(self, store: ChrootStore, *names: str) -> dict[str, Path]:
        """The Debian roots of some systems.

        Raises:
            NotBuilt: one of them has not been built.
        """
        found = {}
        for name in names:
            root = self.system(name).root(store)
            if root is None:
                raise self.not_built(name)
            found[name] = root
        return found

    def not_built(self, name: str) -> NotBuilt:
        """The error for a system that has to be built first."""
        return NotBuilt(
            f"{self.host.name}:{name} has not been built as it is configured now",
            hint=f"build it first: reconix build {self.host.name}",
        )


@dataclass(frozen=True, slots=True)
class SystemSubject:
    """One system of a locked host."""

    of: HostSubject
    name: str

    def __str__(self) -> str:
        return f"{self.of.host.name}:{self.name}"

    @property
    def system(self) -> System:
        """Machine and system file, merged."""
        return self.of.host.systems[self.name]

    @property
    def table(self) -> Table:
        """The values that it was made from, with their places."""
        return self.of.loaded.systems[self.of.host.name][self.name]

    @property
    def locked(self) -> SystemLock:
        """Which packages it consists of."""
        return self.of.lock.systems[self.name]

    def asked(self) -> Requests:
        """Who asked for each of its packages that was asked for by name or as a file."""
        folder = self.of.loaded.configuration.folder
        debs = requests.for_debs(self.table, folder, self.locked.packages)
        return {**requests.for_packages(self.system, self.table), **debs}

    def root(self, store: ChrootStore | None) -> Path | None:
        """Where its Debian root lies, if just these packages were installed before."""
        if store is None:
            return None
        path = recipes.known(store, cached_recipes.root_recipe(self.locked, self.of.lock))
        return store.path(path) if path else self._kept_root(store)

    def _kept_root(self, store: ChrootStore) -> Path | None:
        """The root of a generation that is kept: another release of reconix may have built it."""
        wanted = {(each.name, each.version) for each in self.locked.packages}
        for pin in reversed(self.of.files.pins(store, self.of.host).all()):
            toplevel = (
                systems_of(store, pin.path).get(self.name) if store.is_valid(pin.path) else None
            )
            parts = ToplevelParts.read(store, toplevel) if toplevel else None
            if parts and _packages(store.path(parts.root)) == wanted:
                return store.path(parts.root)
        return None

    def view(self, store: ChrootStore | None, downloads: Downloads) -> DeviceView:
        """Its files, as a device shows them.

        Raises:
            NotBuilt: it has not been built as it is configured now.
        """
        if store is None:
            raise self.of.not_built(self.name)
        toplevels = self.of.toplevels(store, downloads, self.name)
        return DeviceView.read(store, self.system, toplevels[self.name])


def _packages(root: Path) -> set[tuple[str, str]]:
    """Names and versions of what is installed in a root."""
    status = parse_installed(read_bounded(root / STATUS, MAX_STATUS_BYTES))
    return {(each.name, each.version) for each in status}
