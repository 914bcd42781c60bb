"""What a generation has, part by part: how large each is, and which systems have it.

A part is what somebody could remove: a package, the kernel, a folder of the project. Its size is
what a device needs for it: the contents of its files, each once. A content that several parts have
is counted with the first of them, and packages come before everything else. What images take for
names, owners and small files is told apart.

Equal files of a store are one file, so nothing is read: contents are told by inode. Only a program
and a plain file that are equal are two in a store and one on a device; what could be such a pair is
compared.

Tested by ``tests/unit/composition/test_parts.py``, the sum against what a device has.
"""

import enum
import os
import posixpath
import stat
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.files import read_bounded
from reconix.build.inspect.packages import MAX_STATUS_BYTES, STATUS, parse_status
from reconix.build.software.owners import Owners
from reconix.composition.toplevel_parts import ToplevelParts
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import LINKS_TO_SIDECARS, is_sidecar
from reconix.store.generation import Generation
from reconix.store.images.nodes import MAX_INLINE_BYTES
from reconix.store.paths import StorePath
from reconix.store.sidecar import MAX_SIDECAR_BYTES, parse_sidecar


class Kind(enum.IntEnum):
    """Which kind of part; a content that several have is counted with the first of these."""

    PACKAGE = 0
    PROJECT = 1
    CONTAINER = 2
    """Besides what packages of the system have as well."""
    KERNEL = 3
    AGENT = 4
    OBJECT = 5
    """Of a store of Nix."""
    GENERATED = 6
    MADE = 7
    """When packages were installed."""
    BOOT = 8
    """Besides kernel and initrd."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part."""

    name: str
    version: str = ""
    kind: Kind = Kind.OBJECT

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()


@dataclass(frozen=True, slots=True)
class Content:
    """One content of the pool."""

    size_bytes: int
    part: Part
    area: str
    """The folder that it is in, in short: ``usr/share/doc``."""
    systems: frozenset[str]
    """Which have it; none if it is only there for the boot partition."""

    @property
    def order(self) -> tuple[Kind, str, str, str]:
        """Of several names of a content the first one counts."""
        return (self.part.kind, self.part.name, self.part.version, self.area)


_MADE = Part("(made when packages were installed)", kind=Kind.MADE)
_GENERATED = Part("(generated files)", kind=Kind.GENERATED)
_BOOT = Part("(boot partition)", kind=Kind.BOOT)
_INITRD = Part("(initrd)", kind=Kind.KERNEL)
_AGENT = Part("(agent)", kind=Kind.AGENT)
_INITRD_NAME = "initrd"


def contents(store: ChrootStore, generation: Generation) -> list[Content]:
    """All contents of a generation, each once.

    Args:
        store: has it.
        generation: one that was built.

    Raises:
        BadStatus, BadSidecar: a root was altered.
    """
    survey = _Survey(store)
    own = {generation.path: _BOOT, generation.boot: _BOOT}
    survey.add(own, own, frozenset())
    for system in generation.systems:
        objects = store.closure(system.toplevel)
        parts = ToplevelParts.read(store, system.toplevel)
        names = _names(parts, system.toplevel, objects) if parts else {}
        survey.add(objects, names, frozenset({system.name}), parts.root if parts else None)
    return list(_merged(survey.found.values()))


def owned(store: ChrootStore, owners: Mapping[str, Iterable[StorePath]]) -> list[Content]:
    """The contents of some objects, each once, with all whose objects have it as its ``systems``.

    Args:
        store: has them.
        owners: the objects of each, by a name; sidecars say what of them is not on a device.

    Raises:
        BadSidecar: one was altered.
    """
    survey = _Survey(store)
    for name, objects in owners.items():
        survey.add(objects, {}, frozenset({name}))
    return list(_merged(survey.found.values()))


def _names(
    parts: ToplevelParts, toplevel: StorePath, objects: Iterable[StorePath]
) -> dict[StorePath, Part]:
    """The parts of objects that are one part each."""
    version = parts.linux.name.removeprefix("linux-").removeprefix("modules-")
    kernel = Part("kernel", version, Kind.KERNEL)
    return {
        **{path: _INITRD for path in objects if path.name == _INITRD_NAME},
        **({parts.agent: _AGENT} if parts.agent else {}),
        **{path: Part(at, kind=Kind.PROJECT) for path, at in parts.trees},
        **{path: Part(path.name, kind=Kind.PROJECT) for path in parts.layers},
        **{
            path: Part(f"container {name}", kind=Kind.CONTAINER) if name else _GENERATED
            for path, name in parts.containers
        },
        **{path: kernel for path in objects if path.name == f"linux-{version}"},
        parts.linux: kernel,
        parts.etc: _GENERATED,
        toplevel: _GENERATED,
    }


@dataclass(slots=True)
class _Found:
    """A content, and whether its file is a program: that tells two equal files of a store apart."""

    content: Content
    place: Path
    is_program: bool


@dataclass(slots=True)
class _Survey:
    """Goes through objects, each once, and remembers whose they are."""

    store: ChrootStore
    found: dict[int, _Found] = field(default_factory=dict)
    """By inode."""
    _files: dict[StorePath, list[tuple[int, _Found]]] = field(default_factory=dict)

    def add(
        self,
        objects: Iterable[StorePath],
        names: Mapping[StorePath, Part],
        systems: frozenset[str],
        root: StorePath | None = None,
    ) -> None:
        """Add the contents of some objects as those of some systems."""
        listed = list(objects)
        omitted = self._omitted(listed)
        for path in listed:
            if is_sidecar(path):
                continue
            if path not in self._files:
                place, part = self.store.path(path), names.get(path, Part(path.name))
                namer = _PackageNamer(place) if path == root else _Namer(part)
                self._files[path] = list(_scan(place, namer, omitted.get(path, frozenset())))
            for inode, found in self._files[path]:
                self._count(inode, found, systems)

    def _count(self, inode: int, found: _Found, systems: frozenset[str]) -> None:
        known = self.found.setdefault(inode, found)
        everybody = known.content.systems | systems
        first = min(known.content, found.content, key=lambda each: each.order)
        if everybody != known.content.systems or first is not known.content:
            content = replace(first, systems=everybody)
            self.found[inode] = _Found(content, known.place, known.is_program)

    def _omitted(self, objects: Iterable[StorePath]) -> dict[StorePath, frozenset[str]]:
        """What stands in objects and is not on a device, as their sidecars say."""
        found = {}
        for path in filter(is_sidecar, objects):
            content = read_bounded(self.store.path(path), MAX_SIDECAR_BYTES)
            sidecar = parse_sidecar(content, source=str(path))
            found[sidecar.subject] = frozenset(map(os.fsdecode, sidecar.omitted))
        return found


class _Namer:
    """Says of each file of an object which part it is."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def part(self, _path: str) -> Part:
        return self._part


class _PackageNamer(_Namer):
    """Says of each file of a Debian root which package it is of."""

    def __init__(self, root: Path) -> None:
        super().__init__(_MADE)
        self._owners = Owners.read(root)
        status = parse_status(read_bounded(root / STATUS, MAX_STATUS_BYTES))
        self._parts = {
            name: Part(name, package.version, Kind.PACKAGE) for name, package in status.items()
        }

    def part(self, path: str) -> Part:
        for name in self._owners.of(path).packages:
            if name in self._parts:
                return self._parts[name]
        return self._part


def _scan(place: Path, namer: _Namer, omitted: frozenset[str]) -> Iterator[tuple[int, _Found]]:
    """The files of an object whose contents are in the pool of a device."""
    for path, status in walk(place, omitted):
        if status.st_size > MAX_INLINE_BYTES:
            area = posixpath.dirname(path)
            content = Content(status.st_size, namer.part(path), _area(area), frozenset())
            file = place / path if path else place
            yield status.st_ino, _Found(content, file, bool(status.st_mode & stat.S_IXUSR))


def walk(
    place: Path, omitted: Container[str] = frozenset()
) -> Iterator[tuple[str, os.stat_result]]:
    """All regular files of an object, by path; one that is a file itself has the path ``""``.

    Args:
        place: of the object.
        omitted: paths that are left out, with all below them.
    """
    status = place.lstat()
    if stat.S_ISREG(status.st_mode):
        yield "", status
        return
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(place / folder) as entries:
            for entry in entries:
                path = posixpath.join(folder, entry.name)
                if path in omitted:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if path != os.fsdecode(LINKS_TO_SIDECARS):
                        waiting.append(path)
                elif entry.is_file(follow_symlinks=False):
                    yield path, entry.stat(follow_symlinks=False)


def _area(folder: str) -> str:
    """A folder in short, so that a package has few of them."""
    steps = folder.split("/")
    return "/".join(steps[: 3 if steps[0] == "usr" else 2])


def _merged(found: Iterable[_Found]) -> Iterator[Content]:
    """Contents, those that a store has as a program and as a plain file once."""
    by_size: dict[int, list[_Found]] = {}
    for each in found:
        by_size.setdefault(each.content.size_bytes, []).append(each)
    for alike in by_size.values():
        if len({each.is_program for each in alike}) < 2:
            yield from (each.content for each in alike)
        else:
            yield from _compared(alike)


def _compared(alike: Iterable[_Found]) -> Iterator[Content]:
    known: dict[Digest, Content] = {}
    for each in alike:
        digest = Digest.of_file(each.place)
        other = known.get(digest, each.content)
        first = min(other, each.content, key=lambda content: content.order)
        known[digest] = replace(first, systems=other.systems | each.content.systems)
    yield from known.values()
