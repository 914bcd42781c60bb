"""What of a new tree an old one has already.

To describe a tree by its difference to what the device has, two questions must be quick to answer:
is this node, or one with its content, anywhere, and which old folder or file is most like this new
one. An index gives the first place of each.

What is new but not strange has an old name: the same one, or the same but for a version. So names
are compared without their numbers, first the whole path, then the last name alone. Where names tell
nothing, contents do (``similar.py``).

Tested by ``tests/unit/transfer/sending/test_match.py``.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from reconix.transfer.format.plan import Location
from reconix.transfer.sending.similar import Similar
from reconix.transfer.sending.trees import FileNode, FolderNode, Key, LinkNode, Node

_MANY_NAMESAKES = 64  # a name like README tells nothing


_NUMBER = re.compile(rb"\d+(?:[.+~:-]*(?:deb|dfsg|ds|rc|u|b)?\d+)*[.+~:-]*")
_PACKED = re.compile(rb"\.(?:gz|xz|zst)$")


def unversioned(name: bytes) -> bytes:
    """A name without versions, and without the mark of being compressed."""
    return _NUMBER.sub(b"#", _PACKED.sub(b"", name))


@dataclass(slots=True)
class Index:
    """Where each node is, among all that the device has or will have got by then."""

    _places: dict[Key, Location] = field(default_factory=dict)
    _contents: dict[bytes, Location] = field(default_factory=dict)
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
            self._contents.setdefault(node.content_key, location)

    def find(self, node: Node) -> Location | None:
        """A place where an equal node is."""
        return None if isinstance(node, LinkNode) else self._places.get(node.key)

    def find_content(self, node: Node) -> Location | None:
        """A place where a node is that differs at most in its own metadata."""
        if isinstance(node, LinkNode):
            return None
        return self.find(node) or self._contents.get(node.content_key)

    def node(self, location: Location) -> Node | None:
        """What is at a place of a complete object."""
        found = self._trees.get(location.source)
        for name in location.path:
            found = found.get(name) if isinstance(found, FolderNode) else None
        return found

    def most_like(self, folder: FolderNode) -> Location | None:
        """The object that has most of a tree's files."""
        votes = Counter(
            place.source
            for file in _files(folder)
            if (place := self.find_content(file)) is not None
        )
        return Location(_winner(votes)) if votes else None

    def folder_like(self, folder: FolderNode) -> Location | None:
        """The folder that has most of a folder's own entries; at least two."""
        found = [place for _, node in folder.entries if (place := self.find_content(node))]
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
