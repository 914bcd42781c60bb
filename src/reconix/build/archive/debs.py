"""Package files of the project, as ``debs`` names them.

A file in ``dist/`` has just come out of a build, and nobody has looked at it: it may be cut short,
be for another architecture, or not be a package at all. All that is found here, before a solver
sees it, in words that name the file. What is in it is a matter between it and dpkg, as for every
package.

Tested by ``tests/compat/test_debs.py`` with files that ``dpkg-deb`` made, and damaged ones.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from reconix.base import process, progress, text
from reconix.base.digests import Digest
from reconix.base.process import CommandFailed
from reconix.build.archive.apt import source_of
from reconix.build.archive.control import BadPackage, name_in, read_control
from reconix.build.archive.offers import Offer, relations
from reconix.config.lock.hosts import SystemLock
from reconix.config.lock.packages import PROJECT, BadLock, LockedPackage
from reconix.config.project_paths import in_project
from reconix.config.schema.hosts import Configuration
from reconix.config.schema.system import System

_READ_BYTES = 1 << 20
_NAMED = re.compile(r"([^_]+)_([^_]+)_([^_]+)\.deb")


class Debs:
    """The package files of a project for one architecture, each read once."""

    def __init__(self, project: Path, architecture: str) -> None:
        self._project, self._architecture = project, architecture
        self._read: dict[Path, Offer] = {}

    def of_project(self, configuration: Configuration) -> tuple[Offer, ...]:
        """Those of all systems that have this architecture."""
        return tuple(
            offer
            for host in configuration.hosts.values()
            if host.architecture.value == self._architecture
            for system in host.systems.values()
            for offer in self.offers(system.deb_files())
        )

    def offers(self, files: Iterable[Path]) -> tuple[Offer, ...]:
        """What the files of one system are.

        Raises:
            BadPackage: one of them cannot be installed, or two of them are the same package.
        """
        found: dict[str, tuple[Path, Offer]] = {}
        for file in files:
            offer = self._offer(file)
            other, _ = found.setdefault(offer.package.name, (file, offer))
            if other != file:
                raise BadPackage(
                    file,
                    f"and {other} are both the package {offer.package.name}",
                    "a system can have one of them: remove the older, or make the pattern narrower",
                )
        return tuple(offer for _, offer in found.values())

    def _offer(self, file: Path) -> Offer:
        if file not in self._read:
            self._read[file] = read_deb(file, self._project, self._architecture)
        return self._read[file]


def changed_since(system: System, lock: SystemLock, project: Path) -> str | None:
    """A package file of a system that is new, gone or another one than is locked."""
    locked = {
        package.path: package.sha256
        for package in (*lock.packages, *lock.kernel)
        if package.is_of_project
    }
    found = {in_project(path, project) or path.name: path for path in system.deb_files()}
    for name in sorted(locked.keys() | found.keys()):
        if name not in locked or name not in found:
            return name
        if Digest.of_file(found[name]) != locked[name]:
            return name
    return None


def read_deb(file: Path, project: Path, architecture: str) -> Offer:
    """What a package file of a project is.

    Raises:
        BadPackage: it cannot be installed, and why.
    """
    from debian.deb822 import Deb822  # late: slow to import, and an unchanged build needs none

    content = read_control(file)
    name_in(content, file)
    _expect_whole(file)
    control = Deb822(content)
    try:
        package = LockedPackage(
            name=control["Package"],
            version=control["Version"],
            architecture=control["Architecture"],
            size_bytes=file.stat().st_size,
            sha256=Digest.of_file(file),
            archive=PROJECT,
            path=in_project(file, project) or file.name,
            date="",
            source=source_of(control),
        )
        offer = Offer(package, relations(control))
    except KeyError as error:
        raise BadPackage(file, f"has a control file without {error.args[0]}") from error
    except (BadLock, ValueError) as error:
        raise BadPackage(file, f"has a malformed control file: {error}") from error
    _expect_architecture(offer.package, file, architecture)
    _tell_if_misnamed(control, file)
    return offer


def _expect_whole(file: Path) -> None:
    """Read all that is in it: a file that was cut short has a sound beginning."""
    try:
        with process.reading("dpkg-deb", "--fsys-tarfile", file) as content:
            while content.read(_READ_BYTES):
                pass
    except CommandFailed as error:
        raise BadPackage(
            file,
            f"is damaged: {text.last_words(error.output)}",
            "was it copied while it was being written? build it again",
        ) from error


def _expect_architecture(package: LockedPackage, file: Path, architecture: str) -> None:
    if package.architecture not in (architecture, "all"):
        raise BadPackage(
            file,
            f"is for {package.architecture}, and the host is {architecture}",
            f"build it for {architecture}, or make the pattern narrower: *_{architecture}.deb",
        )


def _tell_if_misnamed(control: Mapping[str, str], file: Path) -> None:
    """Nothing depends on the name of a file, but whoever reads it believes it."""
    said = (control["Package"], control["Version"].partition(":")[2] or control["Version"])
    named = _NAMED.fullmatch(file.name)
    if named and (named[1], named[2].replace("%3a", ":").rpartition(":")[2]) != said:
        progress.note(f"{file} says that it is {' '.join(said)}: is its name of an older build?")
