"""``uv.lock``: one lock for all Pythons and platforms, as ``uv`` writes it.

It holds more than one environment needs. What belongs to it is found as ``uv sync`` does: from the
project itself along its dependencies, those with a marker only where the marker holds.

Source: the documentation of uv, *Locking and syncing*; version 1 of the format, any revision.
Tested by ``tests/unit/build/software/python/test_uv_lock.py``, with a file of ``uv lock``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name

from reconix.build.software.python.target import BadMarker
from reconix.build.software.python.wanted import (
    BadEnvironment,
    ListedFile,
    Question,
    Wanted,
    best,
    digest_of,
    expect_name,
    no_wheel,
)
from reconix.config.problems import Place, Problem

_VERSION = 1
_FOLDERS = ("virtual", "editable", "directory")
_EXTRAS = "optional-dependencies"
_TABLE = re.compile(r"^\[\[package\]\]", re.MULTILINE)

_Table = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Package:
    """One table of the lock."""

    table: _Table
    place: Place

    def text(self, key: str) -> str:
        value = self.table.get(key)
        return value if isinstance(value, str) else ""

    @property
    def name(self) -> str:
        return canonicalize_name(self.text("name"))

    @property
    def version(self) -> str:
        return self.text("version")

    @property
    def source(self) -> _Table:
        return _table(self.table.get("source"))

    @property
    def folder(self) -> str | None:
        """Where it is, if it is a folder of the project."""
        return next((str(self.source[k]) for k in _FOLDERS if k in self.source), None)

    @property
    def is_only_a_list(self) -> bool:
        """Whether it stands for its dependencies, and is nothing itself."""
        return "virtual" in self.source


def read(content: str, document: _Table, question: Question) -> list[Wanted]:
    """What a ``uv.lock`` wants.

    Args:
        content: of the file, to find lines in it.
        document: the same, as TOML has it.
        question: what is asked for.

    Raises:
        BadEnvironment: something in it cannot be had as a wheel, or it is no such file.
    """
    if document.get("version") != _VERSION:
        fact = f"version {document.get('version')} of uv.lock is not known"
        question.wrong(fact, "update reconix, or use: uv export --format pylock.toml", line=1)
    lines = [content.count("\n", 0, found.start()) + 1 for found in _TABLE.finditer(content)]
    tables = [_table(each) for each in _list(document.get("package"))]
    lines += [0] * (len(tables) - len(lines))
    packages = [
        _Package(table, Place(question.file, line))
        for table, line in zip(tables, lines, strict=False)
    ]
    reader = _Reader(packages, question)
    wanted = [*reader.wanted()]
    if reader.problems:
        raise BadEnvironment(reader.problems)
    return wanted


class _Reader:
    def __init__(self, packages: Sequence[_Package], question: Question) -> None:
        self.problems: list[Problem] = []
        self._question = question
        self._packages: dict[str, list[_Package]] = {}
        for package in packages:
            self._packages.setdefault(package.name, []).append(package)

    def wanted(self) -> Iterator[Wanted]:
        """What is reached from the project itself, each once."""
        root = self._root()
        waiting = [(root, ""), *((root, extra) for extra in self._known_extras(root))]
        waiting += self._needs_of_groups(root)
        reached: dict[int, _Package] = {}
        asked: set[tuple[int, str]] = set()
        while waiting:
            package, extra = waiting.pop()
            reached[id(package)] = package
            if (id(package), extra) not in asked:
                asked.add((id(package), extra))
                waiting += self._needs(package, extra)
        for package in sorted(reached.values(), key=lambda each: each.name):
            if package.name not in self._question.own and not package.is_only_a_list:
                yield from self._wheel(package)

    def _root(self) -> _Package:
        """The project itself; of several, the one of which there is a wheel."""
        roots = [p for each in self._packages.values() for p in each if p.folder is not None]
        own = [root for root in roots if root.name in self._question.own]
        here = [root for root in roots if root.folder == "."]
        found = next((each for each in (own, here, roots) if len(each) == 1), None)
        if found is None:
            names = ", ".join(sorted(root.name for root in roots))
            fact = f"it is not clear for which project it is: {names or 'there is none'}"
            self._question.wrong(fact, f"name the wheel of one in {self._question.option}.wheels")
        return found[0]

    def _known_extras(self, root: _Package) -> Iterator[str]:
        known = {canonicalize_name(name) for name in _table(root.table.get(_EXTRAS))}
        for extra in self._question.extras:
            if canonicalize_name(extra) in known:
                yield canonicalize_name(extra)
            else:
                self._unknown("extra", extra, root)

    def _needs_of_groups(self, root: _Package) -> "Iterator[tuple[_Package, str]]":
        groups = _table(root.table.get("dev-dependencies"))
        known = {canonicalize_name(name): needs for name, needs in groups.items()}
        for group in self._question.groups:
            if canonicalize_name(group) in known:
                yield from self._followed(root, known[canonicalize_name(group)])
            else:
                self._unknown("group", group, root)

    def _unknown(self, what: str, name: str, root: _Package) -> None:
        hint = f"correct {self._question.option}.{what}s"
        self.problems.append(Problem(root.place, "", f"{root.name} has no {what} {name}", hint))

    def _needs(self, package: _Package, extra: str) -> "Iterator[tuple[_Package, str]]":
        """What a package needs, or one of its extras needs besides; each with an extra or none."""
        if extra:
            optional = _table(package.table.get(_EXTRAS)).items()
            for name, needs in optional:
                if canonicalize_name(name) == extra:
                    yield from self._followed(package, needs)
        else:
            yield from self._followed(package, package.table.get("dependencies"))

    def _followed(self, package: _Package, needs: object) -> "Iterator[tuple[_Package, str]]":
        for need in map(_table, _list(needs)):
            if self._holds(package, need.get("marker")):
                found = self._find(package, need)
                if found is not None:
                    yield found, ""
                    for extra in _list(need.get("extra")):
                        yield found, canonicalize_name(str(extra))

    def _holds(self, package: _Package, marker: object) -> bool:
        try:
            return self._question.target.holds(Marker(str(marker)) if marker else None)
        except (InvalidMarker, BadMarker):
            self._damaged(package, f"{package.name} has a marker that is not understood: {marker}")
            return False

    def _find(self, package: _Package, need: _Table) -> _Package | None:
        name, version = canonicalize_name(str(need.get("name"))), need.get("version")
        known = self._packages.get(name, [])
        found = [each for each in known if version in (None, each.version)]
        if "source" in need:
            found = [each for each in found if each.source == need["source"]]
        if len(found) == 1:
            return found[0]
        entries = "no entry" if not found else f"{len(found)} entries"
        self._damaged(package, f"{package.name} needs {name}, for which the lock has {entries}")
        return None

    def _wheel(self, package: _Package) -> Iterator[Wanted]:
        tables = map(_table, _list(package.table.get("wheels")))
        listed = [_listed(package, each, self._question.file.parent) for each in tables]
        try:
            chosen = best(listed, self._question.target)
            expect_name(chosen, package.name, package.version)
        except ValueError as error:
            self._damaged(package, str(error))
            return
        if chosen is None:
            names = [each.name for each in listed]
            self.problems.append(no_wheel(self._question, _source(package), package.place, names))
        elif (digest := digest_of(chosen.sha256)) is None:
            self._damaged(package, f"{chosen.name} has no SHA-256 hash")
        else:
            yield Wanted(
                name=package.name,
                version=package.version,
                hashes=(digest,),
                place=package.place,
                origin=chosen.origin,
                file=chosen.file,
                file_name=chosen.name,
            )

    def _damaged(self, package: _Package, fact: str) -> None:
        self.problems.append(Problem(package.place, "", fact, "lock again: uv lock"))


def _listed(package: _Package, wheel: _Table, folder: Path) -> ListedFile:
    """A wheel of the lock; one from an index is asked for there, wherever that is."""
    url, path = str(wheel.get("url", "")), str(wheel.get("path", wheel.get("filename", "")))
    name = unquote(urlsplit(url).path.rpartition("/")[2]) or path.rpartition("/")[2]
    digest = str(wheel.get("hash", ""))
    if "url" in package.source:
        return ListedFile(name, digest, str(package.source["url"]))
    if "path" in package.source:
        return ListedFile(name, digest, file=folder / str(package.source["path"]))
    return ListedFile(name, digest)


def _source(package: _Package) -> str:
    """What ``pip wheel`` makes a wheel of."""
    if package.folder is not None:
        return package.folder
    git = package.source.get("git")
    if git:
        address, _, commit = str(git).partition("#")
        return f"git+{address.partition('?')[0]}@{commit}"
    return f"{package.name}=={package.version}"


def _table(value: object) -> _Table:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
