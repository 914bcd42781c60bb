"""Resolving packages: what each system consists of, according to the archives today.

This is the only source of new pins. For every system of a host apt's own solver is asked for the
essential packages and those that the system names (``build/archive/apt.py``); what it answers goes
into the lock with size, hash and place. Three further things are asked for each host:

* the kernel: the solver is asked for the package that the configuration names, and only the images
  are kept. What else it would install is for machines that make their own initrd;
* the boot loader and the program of the initrd: the named packages, to take files out of them.

Addresses of archives need not be written down: they are those that apt of the build machine uses
for Debian, unless ``reconix.toml`` names others.

Tested by ``tests/unit/build/archive/test_resolve.py`` and ``tests/compat/test_apt.py``.
"""

import difflib
import fcntl
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import lock_file
from reconix.build.archive import apt
from reconix.build.archive.apt import (
    SECURITY,
    Apt,
    AptFailed,
    Chosen,
    Listing,
    Record,
    Source,
    Target,
    Unsolvable,
)
from reconix.config.lock.hosts import HostLock, Lock, SystemLock, keep_dates, keep_numbers
from reconix.config.lock.packages import INITRD, LOADER, LockedPackage
from reconix.config.schema.hosts import Configuration, Host
from reconix.config.schema.project import Archive
from reconix.config.schema.system import System

ESSENTIAL = "?essential"
_KERNEL_IMAGE = re.compile(r"linux-(image|modules|binary)-[0-9].*")
_DEBIAN_SUITE = re.compile(
    r"(stable|oldstable|oldoldstable|testing|unstable|sid|experimental|"
    r"buster|bullseye|bookworm|trixie|forky|duke)(-updates|-backports|-security|/updates)?"
)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A package that the configuration names and no suite has."""

    name: str
    wanted_by: str
    """``host:system``."""
    near: tuple[str, ...]
    """What may have been meant."""

    def __str__(self) -> str:
        advice = f" (did you mean {' or '.join(self.near)}?)" if self.near else ""
        return f"{self.name} for {self.wanted_by}{advice}"


class PackageNotFound(ReconixError):
    """The configuration names packages that no suite has."""

    exit_code = 65

    def __init__(self, unknown: Sequence[Unknown], *, suites: Sequence[str]) -> None:
        super().__init__(
            f"{', '.join(suites)} have no package {', no package '.join(map(str, unknown))}",
            hint="correct `packages` in machine.toml or in the file of the system",
        )
        self.unknown = tuple(unknown)


class NoKernel(ReconixError):
    """The package that should bring the kernel brings none."""

    exit_code = 65


class NoArchive(ReconixError):
    """The address of the Debian archive is not known."""

    exit_code = 66


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the Debian archives are; ``None``: not known."""

    main: str | None
    security: str | None

    def of(self, suite: str) -> str:
        """The archive that has a suite.

        Raises:
            NoArchive: its address is not known.
        """
        option = "security" if suite.endswith(SECURITY) else "main"
        address = self.security if suite.endswith(SECURITY) else self.main
        if address is None:
            raise NoArchive(
                f"apt on this machine has no archive for the suite {suite}",
                hint=f'write its address into reconix.toml: [archive] {option} = "http://…"',
            )
        return address


def addresses(archive: Archive) -> Addresses:
    """Where the archives are: from ``reconix.toml``, or else from apt of this machine."""
    if archive.main and archive.security:
        return Addresses(archive.main.rstrip("/"), archive.security.rstrip("/"))
    found = choose_addresses(apt.machine_targets())
    main, security = archive.main or found.main, archive.security or found.security
    return Addresses(main and main.rstrip("/"), security and security.rstrip("/"))


def choose_addresses(targets: Iterable[Target]) -> Addresses:
    """The Debian archives among those that apt uses: the first of each kind that has HTTP."""
    debian = [
        target
        for target in targets
        if _DEBIAN_SUITE.fullmatch(target.suite)
        and target.origin in ("Debian", "")
        and target.address.startswith(("http://", "https://"))
    ]
    security = [t.address for t in debian if t.suite.endswith((SECURITY, "/updates"))]
    main = [t.address for t in debian if not t.suite.endswith((SECURITY, "/updates"))]
    return Addresses(next(iter(main), None), next(iter(security), None))


def resolve(configuration: Configuration, *, work: Path, previous: Lock | None = None) -> Lock:
    """Ask apt what every system of every host consists of.

    Args:
        configuration: the project.
        work: a folder for apt's lists that is kept between runs.
        previous: the lock so far; packages that it has keep their dates, hosts their numbers.

    Raises:
        NoArchive, ArchiveUnreachable, BadSignature: the archives cannot be asked.
        PackageNotFound, Unsolvable: they do not have what the configuration wants.
    """
    archive = configuration.project.archive
    where = addresses(archive)
    hosts = {}
    for architecture in sorted({h.architecture.value for h in configuration.hosts.values()}):
        with _prepared(archive, where, architecture, work) as private:
            resolver = _Resolver(private, archive)
            for host in configuration.hosts.values():
                if host.architecture.value == architecture:
                    hosts[host.name] = resolver.host(host)
    lock = Lock(dict(sorted(hosts.items())))
    return keep_numbers(previous, keep_dates(previous, lock)) if previous else lock


@contextmanager
def _prepared(archive: Archive, where: Addresses, architecture: str, work: Path) -> Iterator[Apt]:
    """Prepare apt for one architecture with current lists, locked against other users."""
    keyring = Path(archive.keyring)
    if not keyring.is_file():
        raise NoArchive(
            f"there is no keyring {keyring} to verify the archive with",
            hint="apt install debian-archive-keyring, or set archive.keyring in reconix.toml",
        )
    sources = [
        Source(where.of(suite), suite, archive.components, keyring) for suite in archive.suites
    ]
    identity = Digest.of("".join(s.line(architecture) + "\n" for s in sources).encode())
    folder = work / f"{architecture}-{identity.hex()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    with lock_file(folder / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ours = archive.main is not None or archive.security is not None
        settings = apt.machine_settings(with_freshness=not ours)
        private = Apt.prepare(folder, architecture, sources, settings)
        with progress.stage(f"read the lists of {', '.join(archive.suites)} for {architecture}"):
            private.update()
        yield private


class _Resolver:
    """Asks one apt; the same question only once."""

    def __init__(self, private: Apt, archive: Archive) -> None:
        self._apt, self._archive = private, archive
        self._names = private.names()
        self._dates = private.dates()
        self._answers: dict[tuple[str, ...], tuple[LockedPackage, ...]] = {}

    def host(self, host: Host) -> HostLock:
        self._check_names(host)
        tools = self._solve(f"host {host.name}", [INITRD, LOADER])
        systems = {}
        for name, system in host.systems.items():
            with progress.stage(f"choose the packages of {host.name}:{name}"):
                systems[name] = self._system(f"{host.name}:{name}", system)
        return HostLock(
            architecture=host.architecture.value,
            suites=self._archive.suites,
            components=self._archive.components,
            loader=tuple(package for package in tools if package.name == LOADER),
            initrd=tuple(package for package in tools if package.name == INITRD),
            systems=systems,
        )

    def _system(self, who: str, system: System) -> SystemLock:
        asked = tuple(sorted(set(system.packages)))
        kernel = self._solve(who, [system.kernel.package])
        images = tuple(package for package in kernel if _KERNEL_IMAGE.fullmatch(package.name))
        if not images:
            raise NoKernel(
                f"{who}: the package {system.kernel.package} brings no kernel",
                hint="name one such as linux-image-amd64 in kernel.package",
            )
        return SystemLock(
            asked=asked,
            packages=self._solve(who, [ESSENTIAL, *asked]),
            asked_kernel=system.kernel.package,
            kernel=images,
        )

    def _solve(self, who: str, wanted: Sequence[str]) -> tuple[LockedPackage, ...]:
        key = tuple(wanted)
        if key not in self._answers:
            try:
                self._answers[key] = self._locked(self._apt.solve(wanted))
            except Unsolvable as error:
                raise Unsolvable(f"{who}: {error}", hint=error.hint) from error
        return self._answers[key]

    def _check_names(self, host: Host) -> None:
        """Find all names that do not exist before anything is solved."""
        wanted = [(f"host {host.name}", name) for name in (INITRD, LOADER)]
        for system_name, system in host.systems.items():
            who = f"{host.name}:{system_name}"
            wanted += [(who, name) for name in (system.kernel.package, *system.packages)]
        unknown = [
            Unknown(name, who, tuple(self._apt.providers(name) or near_names(name, self._names)))
            for who, name in wanted
            if name not in self._names
        ]
        if unknown:
            raise PackageNotFound(unknown, suites=self._archive.suites)

    def _locked(self, chosen: Sequence[Chosen]) -> tuple[LockedPackage, ...]:
        records = self._apt.records(chosen)
        listings = self._apt.listings(package.name for package in chosen)
        return lock_packages(chosen, records, listings, self._dates)


def lock_packages(
    chosen: Iterable[Chosen],
    records: Iterable[Record],
    listings: Iterable[Listing],
    dates: Mapping[tuple[str, str], str],
) -> tuple[LockedPackage, ...]:
    """Put together what apt says about packages in several answers.

    Args:
        chosen: the packages, with the addresses of their files.
        records: what indexes say about them; a version may be in several indexes.
        listings: in which suites their versions stand.
        dates: when the index of a suite at an address was made.

    Raises:
        AptFailed: the answers do not fit together.
    """
    by_version: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        by_version.setdefault((record.name, record.version), []).append(record)
    by_name: dict[str, list[Listing]] = {}
    for listing in listings:
        by_name.setdefault(listing.name, []).append(listing)
    return tuple(
        sorted(
            _locked(
                package,
                by_version.get((package.name, package.version), []),
                by_name.get(package.name, []),
                dates,
            )
            for package in chosen
        )
    )


def _locked(
    package: Chosen,
    records: Iterable[Record],
    listings: Iterable[Listing],
    dates: Mapping[tuple[str, str], str],
) -> LockedPackage:
    """One package: its address names the archive, its index the hash, its suite the date."""
    places = [
        (dates[listing.address, listing.suite], listing)
        for listing in listings
        if listing.version == package.version
        and package.url.startswith(listing.address + "/")
        and (listing.address, listing.suite) in dates
    ]
    fitting = {
        record.sha256: record for record in records if record.size_bytes == package.size_bytes
    }
    if not places or len(fitting) != 1:
        raise AptFailed(f"apt's package lists disagree about {package.name} {package.version}")
    (record,) = fitting.values()
    date, listing = min(places, key=lambda place: (place[0], place[1].suite))
    return LockedPackage(
        name=package.name,
        version=package.version,
        architecture=package.architecture,
        size_bytes=package.size_bytes,
        sha256=record.sha256,
        archive="debian-security" if listing.suite.endswith(SECURITY) else "debian",
        path=urllib.parse.unquote(package.url.removeprefix(listing.address + "/")),
        date=date,
        source=record.source,
    )


def near_names(name: str, names: Iterable[str]) -> list[str]:
    """Names of packages similar to one that does not exist."""
    alike = [other for other in names if other[0] == name[0] or name in other]
    return difflib.get_close_matches(name, sorted(alike), n=3, cutoff=0.75)
