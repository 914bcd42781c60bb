"""Trees: folders of the project as objects of a system, each at its place.

    /opt/air          → tree-opt-air          the folder, bound at its place
    /usr/local/air    → tree-usr-local-air    usr/local/air/…, laid over the root

What the tree of a Nix store cannot say is in a sidecar: everything belongs to the owner of the
tree; files are 0644, programs and folders 0755; the set-user-ID bit is where the configuration
names it. Folders around a tree below ``/usr``, and those in it that packages have too, are as
packages have them. One generation cannot describe an object in two ways, so the name of one that is
described in an unusual way says so: ``tree-opt-air-<part of a hash>``. The name does not depend on
what is in the tree: by its name an update knows what a tree was before.

Tested by ``tests/unit/build/software/test_trees.py``.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from reconix.base import progress
from reconix.build.root.described import Packages
from reconix.build.root.metadata import OURS, PROGRAM
from reconix.build.software import source
from reconix.build.software.placed import Bound, Layer
from reconix.build.software.source import Node, Source
from reconix.build.users.accounts import Accounts
from reconix.config.merge import dotted
from reconix.config.schema.software import Tree
from reconix.config.schema.system import System
from reconix.nix.chroot import ChrootStore
from reconix.store.images.nodes import LINK, Metadata
from reconix.store.nar import Entry, Event, FolderBegin, FolderEnd
from reconix.store.paths import StorePath
from reconix.store.sidecar import ITSELF, Entries, Sidecar, print_entries, print_sidecar
from reconix.store.tree import File

_LAYERED = "usr/"
_SET_USER_ID = 0o4000
_HASH_DIGITS = 8


@dataclass(frozen=True, slots=True)
class FoundTree:
    """A tree of the configuration, with what its folder holds."""

    place: str
    """On the device."""
    tree: Tree
    source: Source

    @property
    def key(self) -> str:
        """Its option, for messages."""
        return dotted("trees", self.place)

    @property
    def inside(self) -> str:
        """Its place, relative to the root."""
        return self.place[1:]

    @property
    def is_layer(self) -> bool:
        """Whether it is laid over the root, because packages have their files there."""
        return self.inside.startswith(_LAYERED)

    def folders_around(self) -> list[str]:
        """The folders from the root to the tree, the tree excluded."""
        parts = self.inside.split("/")
        return ["/".join(parts[:count]) for count in range(1, len(parts))]


@dataclass(slots=True)
class Trees:
    """The trees of the systems of a host; a folder that several have is read once.

    Attributes:
        store: where they go.
    """

    store: ChrootStore
    _sources: dict[tuple[Path, tuple[str, ...]], Source] = field(default_factory=dict)
    _objects: dict[tuple[str, str, int], StorePath] = field(default_factory=dict)

    def find(self, system: System) -> list[FoundTree]:
        """Look through the folders of a system.

        Raises:
            BadSource: something in one cannot come onto a device.
        """
        return [self.look(place, tree) for place, tree in sorted(system.trees.items())]

    def look(self, place: str, tree: Tree) -> FoundTree:
        """Look through one folder.

        Raises:
            BadSource: something in it cannot come onto a device.
        """
        return FoundTree(place, tree, self._source(tree))

    def _source(self, tree: Tree) -> Source:
        key = (Path(tree.source), tree.exclude)
        if key not in self._sources:
            with progress.stage(f"read {tree.source.name}"):
                self._sources[key] = source.read(*key)
        return self._sources[key]

    def add(self, found: FoundTree, accounts: Accounts, packages: Packages) -> Bound | Layer:
        """Add the object of a tree and its sidecar.

        Args:
            found: the tree.
            accounts: everybody on the system.
            packages: the root in which it appears.

        Raises:
            SourceChanged: the folder was written to.
            UnknownAccount: the configuration names an owner that the system does not have.
        """
        described = _Described.of(found, accounts, packages)
        path = self._object(found, described.name)
        content = File(print_sidecar(Sidecar(path, described.entries)))
        sidecar = self.store.add_files(content, Sidecar(path).name, [path])
        return Layer(path, sidecar) if found.is_layer else Bound(found.place, path, sidecar)

    def _object(self, found: FoundTree, name: str) -> StorePath:
        key = (name, found.place, id(found.source))
        if key not in self._objects:
            self._objects[key] = self.store.add_again(lambda: _events(found), name)
        return self._objects[key]


def _events(found: FoundTree) -> Iterator[Event]:
    if not found.is_layer:
        yield from found.source.events()
        return
    parts = found.inside.split("/")
    yield FolderBegin()
    for part in parts:
        yield Entry(part.encode())
        yield FolderBegin()
    yield from found.source.inner_events()
    yield from (FolderEnd() for _ in (*parts, ""))


@dataclass(frozen=True, slots=True)
class _Described:
    """The name of an object, and what its sidecar says."""

    name: str
    entries: Entries

    @classmethod
    def of(cls, found: FoundTree, accounts: Accounts, packages: Packages) -> "_Described":
        tree = found.tree
        user, group = accounts.uid(tree.owner), accounts.gid(tree.group)
        own = _Own(
            PROGRAM._replace(user=user, group=group), frozenset(map(str.encode, tree.set_id))
        )
        around = {
            path.encode(): packages.folder(path) or PROGRAM for path in found.folders_around()
        }
        inner = {node.path: own.of(node) for node in found.source.nodes}
        if not found.is_layer:
            return cls(_name(found, own, {}), _sorted({ITSELF: own.folder, **inner}))
        place = found.inside.encode()
        own_folder = packages.folder(found.inside) or own.folder
        below = {b"%s/%s" % (place, path): each for path, each in inner.items()}
        kept = {path: _of_packages(packages, path, each) for path, each in below.items()}
        unusual = {**around, place: own_folder}
        return cls(
            _name(found, own, {**unusual, **_changed(below, kept)}),
            _sorted({ITSELF: PROGRAM, **unusual, **kept}),
        )


@dataclass(frozen=True, slots=True)
class _Own:
    """What a tree says of its nodes."""

    folder: Metadata
    set_id: frozenset[bytes]

    def of(self, node: Node) -> Metadata:
        """What is said of one."""
        if node.target:
            return LINK._replace(user=self.folder.user, group=self.folder.group)
        if node.is_folder:
            return self.folder
        mode = PROGRAM.mode if node.is_program else OURS.mode
        return self.folder._replace(mode=mode | (_SET_USER_ID if node.path in self.set_id else 0))


def _of_packages(packages: Packages, path: bytes, own: Metadata) -> Metadata:
    """Of a folder that packages have too, what they say."""
    is_folder = own.mode == PROGRAM.mode and packages.entries.get(path) is not None
    return (packages.folder(os.fsdecode(path)) if is_folder else None) or own


def _changed(
    one: Mapping[bytes, Metadata], other: Mapping[bytes, Metadata]
) -> dict[bytes, Metadata]:
    return {path: found for path, found in other.items() if one[path] != found}


def _sorted(entries: Mapping[bytes, Metadata]) -> Entries:
    return tuple(sorted(entries.items()))


def _name(found: FoundTree, own: _Own, around: Mapping[bytes, Metadata]) -> str:
    """What the object is called: the same only if the same would be said of the same content."""
    plain = f"tree-{found.inside.replace('/', '-').replace('@', '_')}"
    unusual = {path: each for path, each in around.items() if each != PROGRAM}
    if own == _Own(PROGRAM, frozenset()) and not unusual:
        return plain
    said = {**unusual, **dict.fromkeys(own.set_id, PROGRAM), ITSELF: own.folder}
    return f"{plain}-{sha256(print_entries(_sorted(said))).hexdigest()[:_HASH_DIGITS]}"
