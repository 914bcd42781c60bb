"""Archives beside Debian's: their lists, and what of them may come.

Each is asked by an apt of its own that knows one key, so that no archive can sign for another, and
a failure names the archive that it is about. Of its index only what the configuration names is
taken (``offers.py``); the names of the rest are remembered, for whoever asks for one of them.

A server can answer with an index that was good once: signed, but of before a fault was mended.
``Valid-Until`` is against this, where an archive has it. Besides, what is locked is evidence of how
far the archive had come: an index older than that is refused.

Tested by ``tests/compat/test_archives.py`` with real archives on a server.
"""

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded, remove_tree, write_durably
from reconix.build.archive import apt
from reconix.build.archive.addresses import Addresses, address_of_other, folder_of
from reconix.build.archive.apt import Apt, AptFailed, Source, Target, parse_record
from reconix.build.archive.offers import Offer, relations
from reconix.build.archive.refusals import ArchiveUnreachable
from reconix.config.lock.hosts import ArchiveLock, Lock
from reconix.config.lock.packages import BadLock, LockedPackage
from reconix.config.schema.archives import OtherArchive, is_flat
from reconix.config.schema.project import Project

_MAX_INDEX_BYTES = 256 << 20
_MAX_KEYRING_BYTES = 4 << 20
_SUITE = re.compile(rb"^(?:Suite|Codename):[ \t]*([^\s]{1,100})[ \t]*$", re.M)
_NAME = re.compile(rb"^Package:[ \t]*([a-z0-9][a-z0-9.+-]{1,254})[ \t]*$", re.M | re.I)


class IndexWentBack(ReconixError):
    """An archive shows an older index than the one that is locked."""

    exit_code = 67

    def __init__(self, archive: str, *, found: str, locked: LockedPackage) -> None:
        super().__init__(
            f"archive {archive}: its index is of {found}, and {locked.name} {locked.version} was "
            f"locked from one of {locked.date}",
            hint="somebody may be hiding newer packages; if its owner has really gone back: "
            f"reconix lock --accept-older {archive}",
        )


@dataclass(frozen=True, slots=True)
class Lists:
    """What archives beside Debian's have."""

    offers: tuple[Offer, ...]
    """What may come."""
    left_out: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By archive: names of packages that may not."""

    def having(self, name: str) -> tuple[str, ...]:
        """Archives that have a package that may not come from there."""
        return tuple(sorted(archive for archive, names in self.left_out.items() if name in names))


@dataclass(frozen=True, slots=True)
class Asking:
    """How archives beside Debian's are asked.

    Attributes:
        folder: of the project.
        project: with its archives.
        debian: where Debian's own are.
        settings: of this machine's apt.
        debian_settings: those that count for Debian's own archives.
        previous: what was locked.
        accepted: archives whose index may be older than that.
    """

    folder: Path
    project: Project
    debian: Addresses
    settings: str
    debian_settings: str
    previous: Lock | None = None
    accepted: frozenset[str] = frozenset()

    def lists(self, architecture: str, work: Path) -> Lists:
        """Fetch what they have for an architecture.

        Args:
            architecture: of the host.
            work: a folder that is kept between runs, used by nobody else.

        Raises:
            ArchiveUnreachable, BadSignature, IndexWentBack: an archive cannot be used.
        """
        found = [
            self._of(name, archive, architecture, work / name)
            for name, archive in sorted(self.project.archives.items())
        ]
        return Lists(
            tuple(offer for lists in found for offer in lists.offers),
            {name: names for lists in found for name, names in lists.left_out.items()},
        )

    def _of(self, name: str, archive: OtherArchive, architecture: str, work: Path) -> Lists:
        sources = self._sources(name, archive)
        settings = self.debian_settings if archive.url is None else self.settings
        settings += _only_key(sources[0].keyring, work / "keys")
        private = Apt.prepare(work / "apt", architecture, sources, settings)
        with progress.stage(f"read the lists of archive {name} for {architecture}"):
            private.update()
        targets = private.targets()
        if not archive.trusted:  # whoever can write there need not replay anything
            self._expect_no_older(name, targets)
        _tell_if_misnamed(name, targets)
        offers, left_out = list[Offer](), set[str]()
        for target, date in ((each, _date(each)) for each in targets):
            for paragraph in _paragraphs(target):
                if archive.matches(package := _name_in(paragraph)):
                    offers.append(_offer(paragraph, name, date))
                elif package:
                    left_out.add(package)
        _tell_if_useless(name, archive, offers)
        return Lists(tuple(offers), {name: frozenset(left_out)})

    def _sources(self, name: str, archive: OtherArchive) -> list[Source]:
        if archive.is_folder and not folder_of(archive, self.folder).is_dir():
            raise ArchiveUnreachable(
                f"archive {name}: there is no folder {folder_of(archive, self.folder)}",
                hint=f"is it built yet? archives.{name}.url is relative to the project",
            )
        address = address_of_other(archive, self.folder, self.debian)
        signed = archive.keyring or Path(self.project.archive.keyring)
        keyring = None if archive.trusted else signed
        components = archive.components or self._components(archive)
        return [
            Source(address, suite, () if is_flat(suite) else components, keyring, name)
            for suite in archive.suites
        ]

    def _components(self, archive: OtherArchive) -> tuple[str, ...]:
        return self.project.archive.components if archive.url is None else ("main",)

    def _expect_no_older(self, name: str, targets: Iterable[Target]) -> None:
        dates = [date for date in map(_date, targets) if date]
        locked = max(self._locked(name), key=lambda package: package.date, default=None)
        if name not in self.accepted and locked and dates and max(dates) < locked.date:
            raise IndexWentBack(name, found=max(dates), locked=locked)

    def _locked(self, name: str) -> Iterator[LockedPackage]:
        """What was locked from the same suites of an archive."""
        now = asked_of(self.project).get(name)
        for host in self.previous.hosts.values() if self.previous else ():
            then = host.archives.get(name)
            if then and now and then.suites == now.suites:
                yield from (package for package in host.packages() if package.archive == name)


def _tell_if_misnamed(name: str, targets: Iterable[Target]) -> None:
    """An index that was signed for another suite; some owners write nonsense, so it is no error."""
    for suite, release in sorted({(target.suite, apt.read_release(target)) for target in targets}):
        said = {word.decode(errors="replace") for word in _SUITE.findall(release)}
        if said and suite not in said and not is_flat(suite):
            progress.note(f"archive {name}: the index of {suite} is one of {_listed(said)}")


def _tell_if_useless(name: str, archive: OtherArchive, offers: Iterable[Offer]) -> None:
    """Patterns that nothing fits: a word was misspelt, or the archive has changed."""
    names = {offer.package.name for offer in offers}
    unused = [each for each in archive.packages if not fnmatch.filter(names, each)]
    if unused:
        progress.note(f"archive {name} has no package that is called {_listed(unused)}")


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(sorted(texts))


def _only_key(keyring: Path | None, folder: Path) -> str:
    """Lines for the configuration of an apt that knows these keys and no other.

    They get a name that it understands: it tells armour by the ending.
    """
    remove_tree(folder)
    folder.mkdir(parents=True)
    if keyring is not None:
        content = read_bounded(keyring, _MAX_KEYRING_BYTES)
        ending = "asc" if b"-----BEGIN PGP" in content else "gpg"
        write_durably(folder / f"keyring.{ending}", content)
    return f'Dir::Etc::trustedparts "{folder.absolute()}";\n'


def asked_of(project: Project) -> Mapping[str, ArchiveLock]:
    """What is asked of each archive beside Debian's, as the lock says it."""
    return {
        name: ArchiveLock(archive.suites, archive.components, archive.packages)
        for name, archive in sorted(project.archives.items())
    }


def _paragraphs(target: Target) -> Iterator[bytes]:
    """Those of an index; without the file there are none."""
    if not target.file.exists():
        return
    content = read_bounded(target.file, _MAX_INDEX_BYTES)
    yield from re.split(rb"\n(?:[ \t]*\n)+", content)


def _name_in(paragraph: bytes) -> str:
    found = _NAME.search(paragraph)
    return found[1].decode() if found else ""


def _date(target: Target) -> str:
    """When the index was made; empty if nobody says so."""
    content = apt.read_release(target)
    return apt.parse_date(content) if content else ""


def _offer(paragraph: bytes, archive: str, date: str) -> Offer:
    """One package of an index that was signed, which does not make it sound.

    Raises:
        AptFailed: it lacks a field, or has a malformed one.
    """
    from debian.deb822 import Deb822  # late: slow to import, and an unchanged build needs none

    control = Deb822(paragraph)
    try:
        record = parse_record(control)
        package = LockedPackage(
            name=record.name,
            version=record.version,
            architecture=record.architecture,
            size_bytes=record.size_bytes,
            sha256=record.sha256,
            archive=archive,
            path=record.path.removeprefix("./"),
            date=date,
            source=record.source,
        )
        offer = Offer(package, relations(control))
    except (AptFailed, BadLock, ValueError) as error:
        what = f"its entry for {_name_in(paragraph)!r} is malformed: {error}"
        raise AptFailed(f"archive {archive}: {what}", hint="tell its owner") from error
    if package.name != _name_in(paragraph):
        what = f"{_name_in(paragraph)!r} and {package.name!r} are one entry"
        raise AptFailed(f"archive {archive}: {what}", hint="tell its owner")
    return offer


def contents_in(
    targets: Iterable[Target], names: Set[str]
) -> Mapping[tuple[str, str], Set[Digest]]:
    """What indexes say that versions of packages are; apt shows one of two that look alike."""
    from debian.deb822 import Deb822  # late, as above

    found: dict[tuple[str, str], set[Digest]] = {}
    for target in targets:
        content = read_bounded(target.file, _MAX_INDEX_BYTES) if target.file.exists() else b""
        for name in sorted(names):
            for paragraph in _about(b"\n" + content, name):
                record = parse_record(Deb822(paragraph))
                found.setdefault((record.name, record.version), set()).add(record.sha256)
    return found


def _about(content: bytes, name: str) -> Iterator[bytes]:
    """The paragraphs of an index about a package, which begin with its name."""
    begin = b"\nPackage: " + name.encode() + b"\n"
    at = content.find(begin)
    while at >= 0:
        end = content.find(b"\n\n", at + 1)
        yield content[at + 1 : end if end >= 0 else None]
        at = content.find(begin, at + 1)
