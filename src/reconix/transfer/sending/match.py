"""What of a new tree an old one has already.

To describe a tree by its difference to what the device has, three questions must be quick to
answer: are two nodes equal, is this node anywhere, and which old folder or file is most like this
new one. So every tree is read once into nodes that know their *key*, a digest of all that they
contain. Equal keys are equal nodes. An index gives the first place of each key.

What is new but not strange has an old name: the same one, or the same but for a version. So names
are compared without their numbers, first the whole path, then the last name alone. Where names tell
nothing, contents do (``similar.py``).

Files that share an inode share their content: in a store where equal files are linked, the many
roots of a generation are read once.

Tested by ``tests/unit/transfer/sending/test_match.py``.
"""

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from reconix.base.files import chunks
from reconix.store.nar import BadTree
from reconix.transfer.format.costs import entry_bytes, folder_space
from reconix.transfer.format.plan import Location, end_check, entry_check, folder_check
from reconix.transfer.receiving.sources import listed_bytes
from reconix.transfer.sending.similar import Similar

_MANY_NAMESAKES = 64  # a name like README tells nothing


@dataclass(frozen=True, slots=True)
class FileNode:
    """A regular file; there are many, so they share the folder that they stand in."""

    key: bytes
    size_bytes: int
    executable: bool
    folder: Path
    name: bytes

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.folder / os.fsdecode(self.name)


@dataclass(frozen=True, slots=True)
class LinkNode:
    """A symbolic link."""

    key: bytes
    target: bytes


@dataclass(frozen=True, slots=True)
class FolderNode:
    """A folder and, in sums, what is below it."""

    key: bytes
    entries: tuple[tuple[bytes, "Node"], ...]  # sorted by name
    check: int
    folders: int  # how many folders, itself included
    folder_space_bytes: int  # what all these folders take on a disk
    most_entries: int  # of it and of a folder in it, and in that, where they are most
    listed_bytes: int  # what a device holds that has it open
    most_listed_bytes: int  # and a folder in it, and in that, where they are most

    def get(self, name: bytes) -> "Node | None":
        """The entry of that name."""
        return next((node for found, node in self.entries if found == name), None)


Node = FileNode | LinkNode | FolderNode


def seen_check(name: bytes, node: Node, state: int = 0) -> int:
    """Go on with the check over what a receiver sees when it copies a node."""
    state = entry_check(name, _kind(node), state)
    if isinstance(node, FolderNode):
        for below, child in node.entries:
            state = seen_check(below, child, state)
        state = end_check(state)
    return state


_NUMBER = re.compile(rb"\d+(?:[.+~:-]*(?:deb|dfsg|ds|rc|u|b)?\d+)*[.+~:-]*")
_PACKED = re.compile(rb"\.(?:gz|xz|zst)$")


def unversioned(name: bytes) -> bytes:
    """A name without versions, and without the mark of being compressed."""
    return _NUMBER.sub(b"#", _PACKED.sub(b"", name))


@dataclass(slots=True)
class Scanner:
    """Reads trees into nodes; each inode once."""

    _known: dict[tuple[int, int], FileNode] = field(default_factory=dict)

    def scan(self, tree: Path) -> Node:
        """Read a tree.

        Raises:
            BadTree: it holds something other than files, folders and symbolic links.
        """
        return self._scan(tree.parent, os.fsencode(tree.name))

    def _scan(self, folder: Path, name: bytes) -> Node:
        tree = folder / os.fsdecode(name)
        status = tree.lstat()
        if stat.S_ISREG(status.st_mode):
            return self._file(folder, name, status)
        if stat.S_ISLNK(status.st_mode):
            target = os.fsencode(tree.readlink())
            return LinkNode(_digest(b"link", target), target)
        if not stat.S_ISDIR(status.st_mode):
            raise BadTree(f"{tree} is neither file, folder nor symbolic link")
        names = sorted(os.fsencode(name) for name in os.listdir(tree))  # noqa: PTH208
        return folder_of(tuple((name, self._scan(tree, name)) for name in names))

    def _file(self, folder: Path, name: bytes, status: os.stat_result) -> FileNode:
        inode = (status.st_dev, status.st_ino)
        known = self._known.get(inode)
        if known is None:
            known = _read_file(folder, name, status)
            self._known[inode] = known
        return known


def file_state(*, executable: bool) -> "hashlib._Hash":
    """Where the key of a file begins; its content follows."""
    return hashlib.sha256(b"executable" if executable else b"file")


def _read_file(folder: Path, name: bytes, status: os.stat_result) -> FileNode:
    executable = bool(status.st_mode & stat.S_IXUSR)
    state = file_state(executable=executable)
    with (folder / os.fsdecode(name)).open("rb") as file:
        for chunk in chunks(file):
            state.update(chunk)
    return FileNode(state.digest(), status.st_size, executable, folder, name)


def folder_of(entries: tuple[tuple[bytes, Node], ...]) -> FolderNode:
    """The folder with these entries, which are sorted."""
    state = hashlib.sha256(b"folder")
    for name, node in entries:
        state.update(len(name).to_bytes(1, "little") + name + node.key)
    below = [node for _, node in entries if isinstance(node, FolderNode)]
    own_space = folder_space(sum(entry_bytes(name) for name, _ in entries))
    listed = sum(listed_bytes(name, _kind(node)) for name, node in entries)
    return FolderNode(
        key=state.digest(),
        entries=entries,
        check=folder_check((name, _kind(node)) for name, node in entries),
        folders=1 + sum(node.folders for node in below),
        folder_space_bytes=own_space + sum(node.folder_space_bytes for node in below),
        most_entries=len(entries) + max((node.most_entries for node in below), default=0),
        listed_bytes=listed,
        most_listed_bytes=listed + max((node.most_listed_bytes for node in below), default=0),
    )


def _kind(node: Node) -> bytes:
    if isinstance(node, LinkNode):
        return b"l" + node.target
    return b"d" if isinstance(node, FolderNode) else b"-"


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


@dataclass(slots=True)
class Index:
    """Where each node is, among all that the device has or will have got by then."""

    _places: dict[bytes, Location] = field(default_factory=dict)
    _trees: dict[int, Node] = field(default_factory=dict)
    _folders: dict[bytes, Location] = field(default_factory=dict)  # by path, without versions
    _files: dict[bytes, Location | list[Location]] = field(default_factory=dict)
    _similar: Similar = field(init=False)

    def __post_init__(self) -> None:
        self._similar = Similar(self._all_files)

    def add(self, source: int, tree: Node) -> None:
        """An object can be referred to from now on."""
        self._trees[source] = tree
        self.note(Location(source), tree)
        self._note_name(Location(source), tree)
        self._add_below(Location(source), tree)

    def note(self, location: Location, node: Node) -> None:
        """A single node can be referred to from now on; links and what is empty never are."""
        size = node.size_bytes if isinstance(node, FileNode) else 0
        if size or (isinstance(node, FolderNode) and node.entries):
            self._places.setdefault(node.key, location)

    def find(self, node: Node) -> Location | None:
        """A place where an equal node is."""
        return None if isinstance(node, LinkNode) else self._places.get(node.key)

    def node(self, location: Location) -> Node | None:
        """What is at a place of a complete object."""
        found = self._trees.get(location.source)
        for name in location.path:
            found = found.get(name) if isinstance(found, FolderNode) else None
        return found

    def most_like(self, folder: FolderNode) -> Location | None:
        """The object that has most of a tree's files."""
        votes = Counter(
            place.source for file in _files(folder) if (place := self.find(file)) is not None
        )
        return Location(_winner(votes)) if votes else None

    def folder_like(self, folder: FolderNode) -> Location | None:
        """The folder that has most of a folder's own entries; at least two."""
        found = [place for _, node in folder.entries if (place := self.find(node)) is not None]
        votes = Counter(Location(place.source, place.path[:-1]) for place in found if place.path)
        if not votes or max(votes.values()) < 2:
            return None
        return _winner(votes)

    def folder_named(self, path: tuple[bytes, ...]) -> Location | None:
        """A folder whose path differs in nothing but versions."""
        return self._folders.get(unversioned(b"/".join(path))) if path else None

    def file_like(self, path: tuple[bytes, ...], node: FileNode) -> Location | None:
        """A file that has this path or name but for versions, and nearly this size.

        If there is none, or there are too many, one with similar content.
        """
        whole = unversioned(b"/".join(path))
        last = b"*/" + (unversioned(path[-1]) if path else b"")
        found = self._files.get(whole) or self._files.get(last) or []
        if isinstance(found, Location):
            return found
        if not 0 < len(found) <= _MANY_NAMESAKES:
            return self._similar.find(node)
        return min(found, key=lambda place: self._distance(place, path, node))

    def _all_files(self) -> Iterator[tuple[Location, FileNode]]:
        waiting = [(Location(source), tree) for source, tree in self._trees.items()]
        while waiting:
            place, node = waiting.pop()
            if isinstance(node, FileNode):
                yield place, node
            elif isinstance(node, FolderNode):
                below = [(Location(place.source, (*place.path, n)), c) for n, c in node.entries]
                waiting.extend(reversed(below))

    def _distance(
        self, place: Location, path: tuple[bytes, ...], node: FileNode
    ) -> tuple[bool, int, Location]:
        found = self.node(place)
        size = found.size_bytes if isinstance(found, FileNode) else 0
        return place.path != path, abs(size - node.size_bytes), place

    def _note_name(self, location: Location, node: Node) -> None:
        whole = unversioned(b"/".join(location.path))
        if isinstance(node, FolderNode):
            self._folders.setdefault(whole, location)
        elif isinstance(node, FileNode) and node.size_bytes:
            last = b"*/" + (unversioned(location.path[-1]) if location.path else b"")
            for key in (whole, last):
                self._note_file(key, location)

    def _note_file(self, key: bytes, location: Location) -> None:
        """Most names are there once, and a list takes more than the place itself."""
        found = self._files.get(key)
        if found is None:
            self._files[key] = location
        elif isinstance(found, list):
            found.append(location)
        else:
            self._files[key] = [found, location]

    def _add_below(self, location: Location, node: Node) -> None:
        if isinstance(node, FolderNode):
            for name, child in node.entries:
                below = Location(location.source, (*location.path, name))
                self.note(below, child)
                self._note_name(below, child)
                self._add_below(below, child)


def _files(node: Node) -> Iterator[FileNode]:
    if isinstance(node, FileNode):
        yield node
    elif isinstance(node, FolderNode):
        for _, child in node.entries:
            yield from _files(child)


_Place = TypeVar("_Place", int, Location)


def _winner(votes: "Counter[_Place]") -> _Place:
    most = max(votes.values())
    return min(place for place, count in votes.items() if count == most)
