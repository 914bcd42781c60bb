"""What others than Debian offer, as an archive of its own that apt's solver sees beside Debian's.

apt can prefer one archive to another, but it tells archives apart by what they say of themselves,
or by the name of their server: an archive can call itself Debian, and two may lie on one server.
So the solver never sees another archive. Its index is fetched and its signature checked by an apt
that knows nothing else (``others.py``). What may come from it is written into a folder here, which
the solver takes for an archive with a name that only we give. What must not come does not exist
there: neither as what was asked for, nor as what something depends on.

    <folder>/<archive>/Packages    what may come from it, the fields that a solver needs
    <folder>/<archive>/Release     Origin: reconix-<archive>

An index can say of a package that it is essential, and it would come into every system unasked.
That is Debian's to say, so such fields are left out.

Source: Debian Policy, section 5.3 (*Binary package control files*); apt_preferences(5).
Tested by ``tests/unit/build/archive/test_offers.py`` and ``tests/compat/test_archives.py``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import write_durably
from reconix.build.archive.apt import Source, address_of
from reconix.config.lock.packages import PROJECT, LockedPackage

NAMED = 990
"""Preferred to what has no preference, 500, whatever its version; see apt_preferences(5)."""
KEPT = 995
OURS = 1001
_NEVER = -1
_RELATIONS = (
    *("Pre-Depends", "Depends", "Recommends", "Suggests", "Enhances"),
    *("Conflicts", "Breaks", "Replaces", "Provides"),
)
_RELATION = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9.+_-]*(:[a-z0-9-]+)?"
    r"( ?\( ?(<<|<=|=|>=|>>|<|>) ?[0-9A-Za-z.+~:-]+ ?\))?( ?\[[a-z0-9! -]+\])?( ?<[a-z0-9.! -]+>)*"
)
_MULTI_ARCH = ("same", "foreign", "allowed", "no")


class TwoContents(ReconixError):
    """A package of one name and version has two contents."""

    exit_code = 67

    def __init__(self, name: str, version: str, contents: Iterable[tuple[str, Digest]]) -> None:
        """Name both places.

        Args:
            name: of the package.
            version: of it.
            contents: where which content is.
        """
        each = (f"in {where} it is sha256:{digest.hex()}" for where, digest in sorted({*contents}))
        super().__init__(
            f"{name} {version} is not one file: {', '.join(each)}",
            hint=f"give what you build a version of its own, such as {version}+1, or take it from "
            "one place only",
        )


def place_of(package: LockedPackage) -> str:
    """Where a package comes from, for people."""
    return package.path if package.is_of_project else f"archive {package.archive}"


@dataclass(frozen=True, slots=True, order=True)
class Offer:
    """A package that can be had beside Debian's."""

    package: LockedPackage
    relations: tuple[tuple[str, str], ...]
    """Fields of its control file that a solver needs."""

    @property
    def stanza(self) -> str:
        """Its paragraph in our index."""
        package = self.package
        source = package.source
        fields = {
            "Package": package.name,
            "Version": package.version,
            "Architecture": package.architecture,
            **({"Source": f"{source.name} ({source.version})"} if source else {}),
            **dict(self.relations),
            "Filename": f"./{package.file_name}",
            "Size": str(package.size_bytes),
            "SHA256": package.sha256.hex(),
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items())


def relations(control: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The fields of a control file that a solver needs, each on one line.

    Raises:
        ValueError: one of them is malformed: apt would understand nothing of the whole index.
    """
    found = [(name, _relation(name, control[name])) for name in _RELATIONS if name in control]
    if (multi := control.get("Multi-Arch")) is not None:
        if multi not in _MULTI_ARCH:
            raise ValueError(f"Multi-Arch: {multi[:80]!r}")
        found.append(("Multi-Arch", multi))
    return tuple((name, value) for name, value in found if value)


def _relation(name: str, value: str) -> str:
    """Alternatives of alternatives, as Debian Policy spells them in section 7.1."""
    groups = [group for group in " ".join(value.split()).split(",") if group.strip()]
    choices = [[choice.strip() for choice in group.split("|")] for group in groups]
    for choice in (choice for group in choices for choice in group):
        if not _RELATION.fullmatch(choice):
            raise ValueError(f"{name}: {choice[:80]!r}")
    return ", ".join(" | ".join(group) for group in choices)


def expect_one_content(packages: Sequence[LockedPackage]) -> None:
    """Refuse two contents of one package.

    Args:
        packages: of one name and version.

    Raises:
        TwoContents: they are not the same file.
    """
    if len({package.sha256 for package in packages}) > 1:
        contents = ((place_of(package), package.sha256) for package in packages)
        raise TwoContents(packages[0].name, packages[0].version, contents)


class Offers:
    """All that can be had beside Debian's, each package once."""

    def __init__(self, offers: Iterable[Offer]) -> None:
        """Collect them.

        Raises:
            TwoContents: one of them has two contents.
        """
        self._found: dict[tuple[str, str], list[Offer]] = {}
        for offer in sorted(offers):
            key = (offer.package.name, offer.package.version)
            others = self._found.setdefault(key, [])
            expect_one_content([offer.package, *(other.package for other in others)])
            if offer.package.archive not in {other.package.archive for other in others}:
                others.append(offer)

    @property
    def archives(self) -> tuple[str, ...]:
        """Who offers something, sorted."""
        return tuple(sorted({offer.package.archive for offer in self.all()}))

    def all(self) -> tuple[Offer, ...]:
        """Every offer, sorted."""
        return tuple(sorted(offer for found in self._found.values() for offer in found))

    def of(self, name: str, version: str) -> tuple[LockedPackage, ...]:
        """Who offers a version of a package; all of them have the same file."""
        return tuple(offer.package for offer in self._found.get((name, version), []))

    def write(self, folder: Path) -> list[Source]:
        """Make archives of them, one for each who offers something, for apt to use."""
        return [self._write(folder / archive, archive) for archive in self.archives]

    def _write(self, folder: Path, archive: str) -> Source:
        folder.mkdir(parents=True, exist_ok=True)
        mine = (offer for offer in self.all() if offer.package.archive == archive)
        index = "\n".join(offer.stanza for offer in mine).encode()
        release = (
            f"Origin: {origin(archive)}\nLabel: {origin(archive)}\n"
            f"Date: Thu, 01 Jan 1970 00:00:00 UTC\n"
            f"SHA256:\n {Digest.of(index).hex()} {len(index)} Packages\n"
        )
        _write(folder / "Packages", index)
        _write(folder / "Release", release.encode())
        return Source(address_of(folder), "./", (), None)


def _write(path: Path, content: bytes) -> None:
    """Write a file if it is to change: apt makes its cache anew for each file that is newer."""
    if not path.exists() or path.read_bytes() != content:
        write_durably(path, content)


def origin(archive: str) -> str:
    """What an archive calls itself that we made."""
    return f"reconix-{archive}"


def preferences(
    archives: Iterable[str], debs: Iterable[LockedPackage], kept: Iterable[LockedPackage]
) -> str:
    """What the solver must take, prefer and leave, see apt_preferences(5).

    Args:
        archives: who offers something; what they offer goes before Debian's.
        debs: files of the project that the system has; it has no other file of the project.
        kept: what is to stay as it is, if it can still be had.
    """
    pins = [
        _pin("*", f"release o={origin(each)}", _NEVER if each == PROJECT else NAMED)
        for each in archives
    ]
    pins += [_pin(each.name, f"version {each.version}", OURS) for each in sorted(debs)]
    pins += [_pin(each.name, f"version {each.version}", KEPT) for each in sorted(kept)]
    return "\n".join(pins)


def _pin(package: str, pin: str, priority: int) -> str:
    return f"Package: {package}\nPin: {pin}\nPin-Priority: {priority}\n"
