"""What each system of each host consists of, and the lock as a whole.

``numbers`` is what builds have learnt and must not forget: the numbers of users and groups, to whom
what devices keep belongs (``build/users/static_ids.py``). ``ranges`` is the same for containers.
Both are only ever added to.

Specified in ``docs/spec/lock.md``. Tested by ``tests/unit/config/lock/test_document.py``.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from reconix.base.digests import Digest
from reconix.config.lock.containers import ContainerLock, expect_ranges, with_ranges
from reconix.config.lock.packages import BadLock, LockedPackage
from reconix.config.lock.wheels import LockedWheel, PythonLock
from reconix.store.paths import StorePath

_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\$?")
_NOBODY = 65534


@dataclass(frozen=True, slots=True)
class SystemLock:
    """What one system consists of, and what was asked for."""

    asked: tuple[str, ...]
    packages: tuple[LockedPackage, ...]
    asked_kernel: str
    kernel: tuple[LockedPackage, ...]
    python: Mapping[str, PythonLock] = field(default_factory=dict)
    """Its Python environments, by name."""
    containers: Mapping[str, ContainerLock] = field(default_factory=dict)
    """By name."""


@dataclass(frozen=True, slots=True)
class NixLock:
    """What a system that Nix built is, and what was asked for."""

    asked: str
    """A store path, or a flake and an attribute."""
    toplevel: StorePath
    closure: Digest
    """SHA-256 of the manifest of the toplevel's closure (``store/manifest.py``)."""


@dataclass(frozen=True, slots=True)
class ArchiveLock:
    """What was asked of an archive beside Debian's; its address is no part of the lock."""

    suites: tuple[str, ...]
    components: tuple[str, ...]
    packages: tuple[str, ...]
    """Patterns: what may come from it."""


@dataclass(frozen=True, slots=True)
class HostLock:
    """What the systems of one host consist of."""

    architecture: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    loader: tuple[LockedPackage, ...]
    initrd: tuple[LockedPackage, ...]
    systems: Mapping[str, SystemLock]
    nix: Mapping[str, NixLock] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    """Of users and groups, by name, on all its systems."""
    archives: Mapping[str, ArchiveLock] = field(default_factory=dict)
    """Beside Debian's, by name."""
    ranges: Mapping[str, int] = field(default_factory=dict)
    """Of users and groups of containers, by container, on all its systems; see ``first_id``."""

    def __post_init__(self) -> None:
        expect_ranges(self.ranges)
        for name, number in self.numbers.items():
            if not _USER.fullmatch(name) or not 0 < number < _NOBODY:
                raise BadLock(f"{name!r} cannot have the number {number}")
        if len(set(self.numbers.values())) < len(self.numbers):
            raise BadLock("two users have the same number")

    def packages(self) -> Iterator[LockedPackage]:
        """Every package that the host needs, some more than once."""
        yield from self.loader
        yield from self.initrd
        for system in self.systems.values():
            yield from system.packages
            yield from system.kernel
            for container in system.containers.values():
                yield from container.packages


@dataclass(frozen=True, slots=True)
class Lock:
    """Everything that a project's builds take in; within it, an id means one package."""

    hosts: Mapping[str, HostLock]

    def __post_init__(self) -> None:
        packages = self.packages()
        for one, other in itertools.pairwise(packages):
            if one.id == other.id:
                raise BadLock(f"{one.id} refers to two files: {one.sha256} and {other.sha256}")

    def packages(self) -> tuple[LockedPackage, ...]:
        """Every package once, sorted."""
        return tuple(sorted({p for host in self.hosts.values() for p in host.packages()}))

    def wheels(self) -> tuple[LockedWheel, ...]:
        """Every wheel once, sorted."""
        systems = (system for host in self.hosts.values() for system in host.systems.values())
        locks = (each for system in systems for each in system.python.values())
        return tuple(sorted({wheel for each in locks for wheel in each.wheels}))


def keep_dates(old: Lock, new: Lock) -> Lock:
    """The new lock, with the old dates for packages that the old one has.

    The index of an archive is made anew several times a day, even when nothing in it changes. With
    the date of the first sight, to lock again writes the same bytes. A snapshot archive still has
    the file at that date.
    """
    dates = {(package.id, package.sha256): package.date for package in old.packages()}

    def dated(packages: tuple[LockedPackage, ...]) -> tuple[LockedPackage, ...]:
        return tuple(replace(p, date=dates.get((p.id, p.sha256), p.date)) for p in packages)

    def redated_system(system: SystemLock) -> SystemLock:
        containers = {
            name: replace(each, packages=dated(each.packages))
            for name, each in system.containers.items()
        }
        packages, kernel = dated(system.packages), dated(system.kernel)
        return replace(system, packages=packages, kernel=kernel, containers=containers)

    def redated(host: HostLock) -> HostLock:
        systems = {name: redated_system(system) for name, system in host.systems.items()}
        return replace(host, loader=dated(host.loader), initrd=dated(host.initrd), systems=systems)

    return Lock({name: redated(host) for name, host in new.hosts.items()})


def keep_numbers(old: Lock, new: Lock) -> Lock:
    """The new lock, with the numbers that the old one knows: archives know nothing of them."""
    return Lock(
        {name: _with_numbers(host, old.hosts.get(name)) for name, host in new.hosts.items()}
    )


def _with_numbers(host: HostLock, old: HostLock | None) -> HostLock:
    return replace(host, numbers=old.numbers, ranges=old.ranges) if old else host


def assign_ranges(lock: Lock) -> Lock:
    """The lock, with a range for each container that has none."""
    return Lock({name: _with_ranges(host) for name, host in lock.hosts.items()})


def _with_ranges(host: HostLock) -> HostLock:
    names = {name for system in host.systems.values() for name in system.containers}
    return replace(host, ranges=with_ranges(host.ranges, names))
