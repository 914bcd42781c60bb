"""The files of a project: its configuration, its lock, one of its hosts.

Reading is here; what the parts mean is in ``config/``.

Tested by ``tests/unit/project/test_files.py``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded, write_durably
from reconix.build import nixos
from reconix.build.archive import fetch
from reconix.build.archive.debs import changed_since
from reconix.build.archive.others import asked_of
from reconix.build.host import Workshop
from reconix.build.pins import Pins
from reconix.build.users.known_ids import of_generation, with_ids
from reconix.config import load
from reconix.config.lock.containers import ContainerLock
from reconix.config.lock.document import FILE_NAME, MAX_LOCK_BYTES, parse_lock, print_lock
from reconix.config.lock.hosts import ArchiveLock, HostLock, Lock, SystemLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.lock.wheels import LockedWheel
from reconix.config.merge import Table
from reconix.config.problems import Place
from reconix.config.schema.containers import Container
from reconix.config.schema.hosts import Configuration, Host
from reconix.config.schema.system import System
from reconix.containers.fetching import Images
from reconix.containers.making import ContainerMaker
from reconix.nix.chroot import ChrootStore
from reconix.project.downloads import Downloads
from reconix.project.workplace import Workplace, pick_host

if TYPE_CHECKING:  # what reads wheels is slow to import, and most systems have none
    from reconix.build.software.python.target import Target

Archives = Mapping[str, ArchiveLock]
"""What is asked of archives beside Debian's, by name."""

Asked = Mapping[str, tuple[str, tuple[str, ...]]]
"""What containers are made of, by name: an image or packages."""


class NotLocked(ReconixError):
    """The lock does not say what a system of the configuration consists of."""

    exit_code = 64

    def __init__(self, what: str) -> None:
        super().__init__(f"{FILE_NAME}: {what}", hint="ask the archive: reconix lock")


@lru_cache(maxsize=1)
def _parsed(content: bytes, source: str) -> Lock:
    """A build asks for it several times, and a lock of many packages takes long to parse."""
    return parse_lock(content, source=source)


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """A project as it is on the disk."""

    folder: Path
    configuration: Configuration
    tables: Mapping[str, Mapping[str, Table]] = field(default_factory=dict)
    """By host and system: the values, which know where they were written."""

    @classmethod
    def read(cls, folder: Path) -> "ProjectFiles":
        """The project in a folder."""
        loaded = load.load_and_warn(folder)
        return cls(folder, loaded.configuration, loaded.systems)

    def host(self, name: str | None) -> Host:
        """A host by its name; the only one if no name is given."""
        return pick_host(self.configuration, name)

    def table(self, host: Host, system: str) -> Table:
        """The values of a system; without any if nobody has kept where they were written."""
        return self.tables.get(host.name, {}).get(system, Table({}, Place(host.folder)))

    def workplace(self, host: Host) -> Workplace:
        """The folder for what is made of a host."""
        return Workplace(self.folder, host.name)

    def lock(self) -> Lock | None:
        """What ``reconix.lock`` says, if it is there."""
        path = self.folder / FILE_NAME
        if not path.is_file():
            return None
        return _parsed(read_bounded(path, MAX_LOCK_BYTES), str(path))

    def host_lock(self, host: Host) -> HostLock:
        """What the systems of a host consist of.

        Raises:
            NotLocked: there is no lock, or it answers other questions than are asked now.
        """
        lock = self.lock()
        if lock is None:
            raise NotLocked("it is not there yet")
        found = lock.hosts.get(host.name)
        if found is None:
            raise NotLocked(f"it does not have the host {host.name}")
        for change in _changes(self.configuration, host, found):
            raise NotLocked(f"{change} changed since")
        return found

    def numbered_lock(
        self, store: ChrootStore, host: Host, said: Mapping[str, int] = MappingProxyType({})
    ) -> HostLock:
        """What the systems of a host consist of, with the numbers of users that devices know.

        Args:
            store: has what was built last.
            host: one of the project's.
            said: numbers that are to be given whatever devices know.
        """
        pins = [pin for pin in self.pins(store, host).all() if store.is_valid(pin.path)]
        before = of_generation(store, pins[-1].path, host.systems) if pins else {}
        return with_ids(self.host_lock(host), before, said)

    def remember(self, host: Host, numbers: Mapping[str, int]) -> None:
        """Write into the lock which numbers a host's users have now, if it does not know yet."""
        lock = self.lock()
        if lock is None or lock.hosts[host.name].numbers == numbers:
            return
        known = replace(lock.hosts[host.name], numbers=numbers)
        path = self.folder / FILE_NAME
        try:
            write_durably(path, print_lock(Lock({**lock.hosts, host.name: known})))
        except OSError as error:
            progress.note(f"the lock does not learn the numbers of users: {error}")

    def pins(self, store: ChrootStore, host: Host) -> Pins:
        """The generations of a host that were built."""
        return Pins(store.root, self.configuration.project.name, host.name)

    def workshop(self, store: ChrootStore, downloads: Downloads) -> Workshop:
        """What a build needs; what it fetches is kept."""
        project = self.configuration.project

        def fetched(packages: Iterable[LockedPackage]) -> Mapping[LockedPackage, Path]:
            return fetch.fetch(
                packages, lambda: fetch.locate(project, self.folder), cache=downloads.folder
            )

        def fetched_wheels(
            wheels: Iterable[LockedWheel], target: "Target"
        ) -> Mapping[LockedWheel, Path]:
            from reconix.build.software.python.index import Index
            from reconix.build.software.python.locking import wheel_files

            return wheel_files(wheels, target, Index(downloads.folder), self.folder.absolute())

        images = Images(
            self.folder.absolute(), downloads.folder, lambda: downloads.registries(project)
        )
        return Workshop(store, fetched, fetched_wheels, ContainerMaker(store, images, fetched))


def _changes(configuration: Configuration, host: Host, lock: HostLock) -> Iterator[str]:
    """What is asked for now and was not when the lock was written."""
    archive = configuration.project.archive
    if lock.architecture != host.architecture.value:
        yield f"the architecture of {host.name} has"
    if lock.suites != archive.suites:
        yield f"`archive.suites` ({' '.join(lock.suites)}) have"
    if lock.components != archive.components:
        yield f"`archive.components` ({' '.join(lock.components)}) have"
    if {*host.machine.boot.firmware_packages} - {package.name for package in lock.loader}:
        yield f"the packages of boot.firmware_files and boot.slot_files of {host.name} have"
    yield from _changed_archives(asked_of(configuration.project), lock.archives)
    for name, system in host.systems.items():
        changed = _changed_system(system, lock.systems.get(name), configuration.folder)
        if changed is not None:
            what, does = changed
            yield f"{what} of {host.name}:{name} {does}"
    for name, wanted in host.nixos.items():
        built = lock.nix.get(name)
        if built is None or built.asked != nixos.asked(host, wanted):
            yield f"what Nix builds for {host.name}:{name} has"


def _asked_of(containers: Mapping[str, ContainerLock]) -> Asked:
    return {name: (each.asked, each.asked_packages) for name, each in containers.items()}


def _wanted_of(containers: Mapping[str, Container]) -> Asked:
    return {
        name: (each.image or "", tuple(sorted(set(each.packages))))
        for name, each in containers.items()
    }


def _changed_system(
    system: System, locked: SystemLock | None, folder: Path
) -> tuple[str, str] | None:
    """What of a system is another question now, and the verb for it."""
    asked = (tuple(sorted(set(system.packages))), system.kernel.package)
    if locked is None or (locked.asked, locked.asked_kernel) != asked:
        return "the packages", "have"
    if (file := changed_since(system, locked, folder)) is not None:
        return str(file), "has"
    if locked.python.keys() | system.python.keys() and _asks_other_wheels(system, locked):
        return "what the Python environments", "ask for has"
    if _asked_of(locked.containers) != _wanted_of(system.containers):
        return "what the containers", "are made of has"
    return None


def _asks_other_wheels(system: System, locked: SystemLock) -> bool:
    from reconix.build.software.python.locking import digest_of_question

    asked = {name: found.asked for name, found in locked.python.items()}
    return asked != {name: digest_of_question(wanted) for name, wanted in system.python.items()}


def _changed_archives(now: Archives, then: Archives) -> Iterator[str]:
    for name in sorted(now.keys() | then.keys()):
        if now.get(name) != then.get(name):
            yield f"`archives.{name}` has"
