"""Resolving packages: what each system consists of, according to the archives today.

This is the only source of new pins. For every system of a host apt's own solver is asked for the
essential packages and those that the system names (``build/archive/apt.py``); what it answers goes
into the lock with size, hash and place. Further things are asked for each host:

* the kernel: the solver is asked for the package that the configuration names, and only the images
  are kept. What else it would install is for machines that make their own initrd;
* the boot loader, what the firmware of the board needs, and the program of the initrd: the named
  packages, to take files out of them;
* each container that is made of packages: the essential ones and those that it names. Images are
  found in ``containers/locking.py``.

The solver sees three kinds of archives: Debian's; of others what may come from them
(``others.py``); the package files of the project (``debs.py``). Where a package that it chose comes
from is found in ``attribution.py``.

Tested by ``tests/unit/build/archive/test_resolve.py``, and on real archives by
``tests/compat/test_apt.py``, ``tests/compat/test_archives.py`` and ``tests/compat/test_debs.py``.
"""

import difflib
import fcntl
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import lock_file
from reconix.build.archive import apt
from reconix.build.archive.addresses import Addresses, NoArchive, addresses
from reconix.build.archive.apt import Apt, Source, Unsolvable
from reconix.build.archive.attribution import Attribution
from reconix.build.archive.debs import Debs
from reconix.build.archive.logins import Files
from reconix.build.archive.offers import Offer, Offers, expect_one_content, place_of, preferences
from reconix.build.archive.others import Asking, Lists, asked_of
from reconix.config.lock.containers import ContainerLock
from reconix.config.lock.hosts import HostLock, Lock, SystemLock, keep_dates, keep_numbers
from reconix.config.lock.packages import DEBIAN, INITRD, LOADER, LockedPackage
from reconix.config.schema.hosts import Configuration, Host
from reconix.config.schema.project import Archive, Project
from reconix.config.schema.system import System

ESSENTIAL = "?essential"
_KERNEL_IMAGE = re.compile(r"linux-(image|modules|binary)-[0-9].*")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A package that the configuration names and no suite has."""

    name: str
    wanted_by: str
    """``host:system``, and which container of it."""
    near: tuple[str, ...]
    """What may have been meant."""
    left_out_of: tuple[str, ...] = ()
    """Archives that have it, but of which it may not come."""

    def __str__(self) -> str:
        if self.left_out_of:
            archive = self.left_out_of[0]
            also = f"archive {archive} has it; add it to archives.{archive}.packages"
            return f"{self.name} for {self.wanted_by} ({also})"
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


class TwoPlaces(ReconixError):
    """Two systems take the same file from different places, and a lock has one for each."""

    exit_code = 65


class NoKernel(ReconixError):
    """The package that should bring the kernel brings none."""

    exit_code = 65


def resolve(
    configuration: Configuration,
    *,
    work: Path,
    previous: Lock | None = None,
    keep: bool = False,
    accepted: frozenset[str] = frozenset(),
) -> Lock:
    """Ask apt what every system of every host consists of.

    Args:
        configuration: the project.
        work: a folder for apt's lists that is kept between runs.
        previous: the lock so far; packages that it has keep their dates, hosts their numbers.
        keep: whether what it has stays, as far as the archives still have it.
        accepted: archives beside Debian's that may have an older index than the lock.

    Raises:
        NoArchive, ArchiveUnreachable, BadSignature, IndexWentBack: the archives cannot be asked.
        BadPackage: a package file of the project cannot be installed.
        PackageNotFound, Unsolvable: they do not have what the configuration wants.
        TwoContents: they do not agree what a package is.
    """
    found = {h.architecture.value for h in configuration.hosts.values()}
    debs = {each: Debs(configuration.folder, each) for each in sorted(found)}
    files = {each: debs[each].of_project(configuration) for each in debs}
    asking = _asking(configuration, previous, accepted)
    hosts = {}
    for architecture in debs:
        kept = previous.hosts if previous and keep else {}
        with _prepared(asking, architecture, files[architecture], work) as world:
            resolver = _Resolver(world, configuration.project, debs[architecture], kept)
            for host in configuration.hosts.values():
                if host.architecture.value == architecture:
                    hosts[host.name] = resolver.host(host)
    _expect_one_file_each(hosts.values())
    lock = Lock(dict(sorted(hosts.items())))
    return keep_numbers(previous, keep_dates(previous, lock)) if previous else lock


def _expect_one_file_each(hosts: Iterable[HostLock]) -> None:
    """A deb of one system may be in another from an archive."""
    by_id: dict[str, set[LockedPackage]] = {}
    for host in hosts:
        for package in host.packages():
            by_id.setdefault(package.id, set()).add(package)
    for packages in by_id.values():
        expect_one_content(sorted(packages))
        one, *others = sorted(packages, key=lambda each: (each.archive, each.path))
        for other in others:
            if (one.archive, one.path) != (other.archive, other.path):
                raise TwoPlaces(
                    f"{one.id} is {place_of(one)} in one system and {place_of(other)} in another",
                    hint="it is the same file: let all systems take it from the same place",
                )


def _asking(
    configuration: Configuration, previous: Lock | None, accepted: frozenset[str]
) -> Asking:
    archive = configuration.project.archive
    logins = Files.of_machine().settings()
    ours = archive.main is not None or archive.security is not None
    return Asking(
        configuration.folder,
        configuration.project,
        addresses(archive),
        settings=apt.machine_settings() + logins,
        debian_settings=apt.machine_settings(with_freshness=not ours) + logins,
        previous=previous,
        accepted=accepted,
    )


@dataclass(frozen=True, slots=True)
class _World:
    """All that can be had for one architecture."""

    apt: Apt
    lists: Lists
    offers: Offers


@contextmanager
def _prepared(
    asking: Asking, architecture: str, debs: Sequence[Offer], work: Path
) -> Iterator[_World]:
    """Prepare apt for one architecture with current lists, locked against other users."""
    archive = asking.project.archive
    sources = _debian_sources(archive, asking.debian)
    identity = Digest.of("".join(s.line(architecture) + "\n" for s in sources).encode())
    folder = work / f"{architecture}-{identity.hex()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    with lock_file(folder / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lists = asking.lists(architecture, folder / "others")
        offers = Offers([*lists.offers, *debs])
        sources += offers.write(folder / "offers")
        private = Apt.prepare(folder, architecture, sources, asking.debian_settings)
        with progress.stage(f"read the lists of {', '.join(archive.suites)} for {architecture}"):
            private.update()
        yield _World(private, lists, offers)


def _debian_sources(archive: Archive, where: Addresses) -> list[Source]:
    keyring = Path(archive.keyring)
    if not keyring.is_file():
        raise NoArchive(
            f"there is no keyring {keyring} to verify the archive with",
            hint="apt install debian-archive-keyring, or set archive.keyring in reconix.toml",
        )
    return [Source(where.of(suite), suite, archive.components, keyring) for suite in archive.suites]


class _Resolver:
    """Asks one apt; the same question only once."""

    def __init__(
        self, world: _World, project: Project, debs: Debs, kept: Mapping[str, HostLock]
    ) -> None:
        self._world, self._project, self._debs, self._kept = world, project, debs, kept
        self._apt = world.apt
        self._names = self._apt.names()
        self._attribution = Attribution(world.apt, world.offers)
        self._answers: dict[tuple[str, ...], tuple[LockedPackage, ...]] = {}

    def host(self, host: Host) -> HostLock:
        self._check_names(host)
        before = self._kept.get(host.name)
        kept = (*before.loader, *before.initrd) if before else ()
        loaders = (LOADER, *host.machine.boot.firmware_packages)
        tools = self._solve(f"host {host.name}", [INITRD, *loaders], _Wish((), kept))
        systems = {}
        for name, system in host.systems.items():
            with progress.stage(f"choose the packages of {host.name}:{name}"):
                locked = before.systems.get(name) if before else None
                systems[name] = self._system(f"{host.name}:{name}", system, locked)
        return HostLock(
            architecture=host.architecture.value,
            suites=self._project.archive.suites,
            components=self._project.archive.components,
            loader=tuple(package for package in tools if package.name in loaders),
            initrd=tuple(package for package in tools if package.name == INITRD),
            systems=systems,
            archives=asked_of(self._project),
        )

    def _system(self, who: str, system: System, before: SystemLock | None) -> SystemLock:
        debs = tuple(offer.package for offer in self._debs.offers(system.deb_files()))
        programs = {each.name for each in debs if not _KERNEL_IMAGE.fullmatch(each.name)}
        names = tuple(sorted(set(system.packages)))
        wish = self._wish(debs, before.packages if before else ())
        kernel = self._kernel(who, system, wish, before)
        if unused := [each for each in debs if each.name not in programs and each not in kernel]:
            raise NoKernel(
                f"{who}: {unused[0].path} is a kernel, and kernel.package is "
                f"{system.kernel.package}, which does not bring it",
                hint=f'write kernel.package = "{unused[0].name}", or leave the file out of debs',
            )
        return SystemLock(
            asked=names,
            packages=self._solve(who, [ESSENTIAL, *sorted({*names, *programs})], wish),
            asked_kernel=system.kernel.package,
            kernel=kernel,
            containers=self._containers(who, system, debs, before),
        )

    def _containers(
        self,
        who: str,
        system: System,
        debs: tuple[LockedPackage, ...],
        before: SystemLock | None,
    ) -> Mapping[str, ContainerLock]:
        """Those that are made of packages; each is asked for alone."""
        found = {}
        for name, container in sorted(system.containers.items()):
            if container.image is None:
                names = tuple(sorted(set(container.packages)))
                locked = before.containers.get(name) if before else None
                wish = self._wish(debs, locked.packages if locked else ())
                packages = self._solve(f"{who}, container {name}", [ESSENTIAL, *names], wish)
                found[name] = ContainerLock(asked_packages=names, packages=packages)
        return found

    def _kernel(
        self, who: str, system: System, wish: "_Wish", before: SystemLock | None
    ) -> tuple[LockedPackage, ...]:
        """The images and modules; the package that leads to them is not locked."""
        package = system.kernel.package
        if before and before.asked_kernel == package and self._stays(before.kernel, wish.debs):
            return before.kernel
        found = self._solve(who, [package], wish)
        images = tuple(each for each in found if _KERNEL_IMAGE.fullmatch(each.name))
        if not images:
            raise NoKernel(
                f"{who}: the package {package} brings no kernel",
                hint="name one such as linux-image-amd64 in kernel.package",
            )
        return images

    def _stays(self, kernel: Sequence[LockedPackage], debs: Sequence[LockedPackage]) -> bool:
        """Whether a kernel that was locked can be had, and would still come from there."""
        own = {each for each in kernel if each.is_of_project}
        others = [each for each in kernel if each not in own]
        found = self._apt.listings(package.name for package in others)
        listed = {(listing.name, listing.version) for listing in found}
        return own == {each for each in debs if _KERNEL_IMAGE.fullmatch(each.name)} and all(
            self._may_stay(each) and self._is_there(each, listed) for each in others
        )

    def _is_there(self, package: LockedPackage, listed: Set[tuple[str, str]]) -> bool:
        """Whether Debian has the version, or another archive the very file."""
        if package.archive in DEBIAN:
            return (package.name, package.version) in listed
        offered = self._world.offers.of(package.name, package.version)
        return any(package.sha256 == each.sha256 for each in offered)

    def _may_stay(self, package: LockedPackage) -> bool:
        """Whether it would come from there today, according to ``archives``."""
        named = {
            name
            for name, archive in self._project.archives.items()
            if archive.matches(package.name)
        }
        return package.archive in (named or DEBIAN)

    def _wish(self, debs: tuple[LockedPackage, ...], locked: tuple[LockedPackage, ...]) -> "_Wish":
        """The files of the project, and all else that was locked and may stay."""
        names = {each.name for each in debs}
        kept = (each for each in locked if self._may_stay(each) and each.name not in names)
        return _Wish(debs, tuple(kept))

    def _solve(self, who: str, wanted: Sequence[str], wish: "_Wish") -> tuple[LockedPackage, ...]:
        try:
            return self._answer(wanted, wish)
        except Unsolvable as error:
            if not wish.kept:
                raise Unsolvable(f"{who}: {error}", hint=self._hint(error)) from error
        progress.note(f"{who}: what is locked cannot all be kept")
        return self._solve(who, wanted, _Wish(wish.debs))

    def _answer(self, wanted: Sequence[str], wish: "_Wish") -> tuple[LockedPackage, ...]:
        preferred = preferences(self._world.offers.archives, wish.debs, wish.kept)
        key = (preferred, *(deb.path for deb in wish.debs), *wanted)
        if key not in self._answers:
            chosen = self._apt.solve(wanted, preferred)
            self._answers[key] = self._attribution.locked(chosen, wish.debs)
        return self._answers[key]

    def _hint(self, error: Unsolvable) -> str:
        """What is missing may be in an archive from which it may not come."""
        names = sorted(set(re.findall(r"Depends: ([a-z0-9][a-z0-9.+-]+)", str(error))))
        for archive in sorted(self._project.archives):
            there = [name for name in names if archive in self._world.lists.having(name)]
            if there:
                which = f"archives.{archive}.packages"
                return f"archive {archive} has {', '.join(there)}: add what is missing to {which}"
        return error.hint

    def _check_names(self, host: Host) -> None:
        """Find all names that do not exist before anything is solved."""
        loaders = (LOADER, *host.machine.boot.firmware_packages)
        wanted = [(f"host {host.name}", name) for name in (INITRD, *loaders)]
        for system_name, system in host.systems.items():
            who = f"{host.name}:{system_name}"
            wanted += [(who, name) for name in (system.kernel.package, *system.packages)]
            for container, each in sorted(system.containers.items()):
                wanted += [(f"{who}, container {container}", name) for name in each.packages]
        unknown = [
            Unknown(
                name,
                who,
                tuple(self._apt.providers(name) or near_names(name, self._names)),
                self._world.lists.having(name),
            )
            for who, name in wanted
            if name not in self._names
        ]
        if unknown:
            asked_where = (*self._project.archive.suites, *self._project.archives)
            raise PackageNotFound(unknown, suites=asked_where)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What goes before what the solver would choose."""

    debs: tuple[LockedPackage, ...]
    kept: tuple[LockedPackage, ...] = ()


def near_names(name: str, names: Iterable[str]) -> list[str]:
    """Names of packages similar to one that does not exist."""
    alike = [other for other in names if other[0] == name[0] or name in other]
    return difflib.get_close_matches(name, sorted(alike), n=3, cutoff=0.75)
