"""Which package a path of a root belongs to.

dpkg writes down for each package what it brought. Not everything there is was brought by a package:
some of it is made while packages are installed. What can be said with certainty is said:

    listed        a package brought it; a folder may be brought by many
    diverted      a package brought it, and another one had dpkg move it out of the way
    compiled      what Python compiled when it was installed is that of its source
    recorded      what dpkg keeps about a package, or for itself
    linked        a link that nobody brought leads to what somebody brought: alternatives, units
    made          none of these

Paths are relative to the root. Folders that a root only links to, ``bin`` for one, may stand in a
list under either name: the place where it really is counts.

Source: dpkg-query(1), dpkg-divert(1), update-alternatives(1).
Tested by ``tests/unit/build/software/test_owners.py`` and, against ``dpkg --search``,
``tests/compat/test_build.py``.
"""

import enum
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.base.files import read_bounded
from reconix.build.software.links import follow, link_target

_DPKG = "dpkg"
_RECORDS = "var/lib/dpkg/"
INFO = f"{_RECORDS}info"
_DIVERSIONS = f"{_RECORDS}diversions"
LISTS = "lists"
"""Beside the folders of a minified root, which has no records of dpkg: what is left of each
package."""
_MAX_LIST_BYTES = 64 << 20
_COMPILED = re.compile(r"(?P<folder>.*/)__pycache__/(?P<name>[^/]+)\.cpython-\d+(\.opt-\d)?\.pyc")
_RECORD = re.compile(rf"{INFO}/(?P<name>[a-z0-9][a-z0-9+.-]*?)(?::[a-z0-9-]+)?\.[a-z0-9_-]+")
_SCRIPTS = ("preinst", "postinst")
_NAMED = re.compile(rb"(?<![\w./-])/[\w.+:@~/-]+")


class How(enum.Enum):
    """How we know to whom a path belongs."""

    LISTED = "listed"
    DIVERTED = "diverted"
    COMPILED = "compiled"
    RECORDED = "recorded"
    LINKED = "linked"
    MADE = "made"


@dataclass(frozen=True, slots=True)
class Owner:
    """To whom a path belongs."""

    how: How
    packages: tuple[str, ...] = ()
    """Sorted; several only for folders. None if it was made."""
    through: str = ""
    """The path that belongs to them instead: of a link its target, of what is compiled its source,
    of what is diverted the path that the package calls it."""


class Owners:
    """The packages of the paths of one root."""

    def __init__(
        self, root: Path, lists: Mapping[str, Iterable[str]], diversions: "Diversions"
    ) -> None:
        self.root = root
        self._folders = dict(_linked_folders(root))
        self._listed: dict[str, list[str]] = {}
        self._diverted: dict[str, str] = {}
        self._named: dict[str, dict[str, None]] | None = None
        for package, paths in sorted(lists.items()):
            for path in paths:
                self._add(package, path, diversions)

    def _add(self, package: str, path: str, diversions: "Diversions") -> None:
        place = self.real(path)
        if path in diversions and diversions[path].by != package:
            moved = self.real(diversions[path].to)
            self._diverted[moved] = place
            place = moved
        self._listed.setdefault(place, []).append(package)

    @classmethod
    def read(cls, root: Path) -> "Owners":
        """What dpkg wrote down in a root."""
        lists = {
            file.name.removesuffix(".list").partition(":")[0]: parse_list(_read(file))
            for folder in (INFO, LISTS)
            for file in sorted((root / folder).glob("*.list"))
        }
        file = root / _DIVERSIONS
        return cls(root, lists, parse_diversions(_read(file)) if file.is_file() else {})

    def real(self, path: str) -> str:
        """A path with the name that its topmost folder really has: ``usr/bin/sh``."""
        first, slash, rest = path.partition("/")
        target = self._folders.get(first) if slash or first in self._folders else None
        return f"{target}{slash}{rest}" if target else path

    def of(self, path: str) -> Owner:
        """To whom a path belongs; one with ``real`` folders above it."""
        listed = self._listed.get(path)
        if listed:
            through = self._diverted.get(path, "")
            return Owner(How.DIVERTED if through else How.LISTED, tuple(listed), through)
        return self._derived(path) or self._linked(path) or Owner(How.MADE)

    def _derived(self, path: str) -> Owner | None:
        compiled = _COMPILED.fullmatch(path)
        source = f"{compiled['folder']}{compiled['name']}.py" if compiled else ""
        if source in self._listed:
            return Owner(How.COMPILED, tuple(self._listed[source]), source)
        if not path.startswith(_RECORDS):
            return None
        recorded = _RECORD.fullmatch(path)
        return Owner(How.RECORDED, (recorded["name"] if recorded else _DPKG,))

    def _linked(self, path: str) -> Owner | None:
        if not (self.root / path).is_symlink():
            return None
        target = follow(self._target, path)
        found = self._listed.get(target) if target else None
        return Owner(How.LINKED, tuple(found), target) if target and found else None

    def _target(self, path: str) -> str | None:
        return link_target(self.root / path)

    def makers(self, path: str) -> tuple[str, ...]:
        """The packages whose scripts name a path that was made when they were installed."""
        if self._named is None:
            self._named = {}
            for package, named in _named_by_scripts(self.root / INFO):
                self._named.setdefault(named, {})[package] = None
        return tuple(self._named.get(path, ()))


@dataclass(frozen=True, slots=True)
class Diversion:
    """What one package calls this way lies elsewhere, because another one wanted the place."""

    to: str
    by: str
    """The package whose own path is not moved; ``:`` if an administrator wanted it."""


Diversions = Mapping[str, Diversion]
"""By the path that is diverted."""


def parse_list(content: bytes) -> Iterator[str]:
    """The paths that a package brought, as it calls them; the root itself is left out."""
    for line in os.fsdecode(content).split("\n"):
        path = line.strip("/")
        if path and path != ".":
            yield path


def print_lists(owners: Owners, origins: Mapping[str, str]) -> dict[str, bytes]:
    """What a minified root has of each package, as dpkg would list it.

    Args:
        owners: of the full root.
        origins: for each path of the minified root the path in the full one.
    """
    lists: dict[str, list[str]] = {}
    for path, origin in sorted(origins.items()):
        for package in owners.of(origin).packages:
            lists.setdefault(package, []).append(f"/{path}\n")
    return {f"{package}.list": os.fsencode("".join(lines)) for package, lines in lists.items()}


def parse_diversions(content: bytes) -> dict[str, Diversion]:
    """What is diverted: three lines each."""
    lines = os.fsdecode(content).split("\n")
    return {
        path.strip("/"): Diversion(to.strip("/"), by)
        for path, to, by in zip(lines[0::3], lines[1::3], lines[2::3], strict=False)
    }


def _named_by_scripts(info: Path) -> Iterator[tuple[str, str]]:
    """Each package and what its scripts name, and the folders above that."""
    for file in sorted(info.iterdir()) if info.is_dir() else ():
        if file.suffix[1:] in _SCRIPTS:
            package = file.name.rpartition(".")[0].partition(":")[0]
            for named in set(_NAMED.findall(_read(file))):
                for path in _with_parents(os.fsdecode(named)):
                    yield package, path


def _with_parents(path: str) -> Iterator[str]:
    path = path.rstrip(".").strip("/")
    while path:
        yield path
        path = path.rpartition("/")[0]


def _linked_folders(root: Path) -> Iterator[tuple[str, str]]:
    """Folders at the top that are links, and where to: ``bin`` and ``usr/bin``."""
    for entry in root.iterdir():
        if entry.is_symlink():
            yield entry.name, posixpath.normpath(str(entry.readlink())).strip("/")


def _read(file: Path) -> bytes:
    return read_bounded(file, _MAX_LIST_BYTES)
