"""The files that a device would see, read once: its root, and what is laid over that.

Minifying asks the same tree many thousand times: is there such a file, where does this link lead,
what is in that folder. So the names, kinds and links of all objects are read at the beginning, the
uppermost object first, and from then on only contents are read. Only files of the root can go; but
what a team brings, and what the configuration makes, reach files of the root, too.

Paths are those of the device, without the slash in front.

Tested by ``tests/unit/build/minify/test_files.py``.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from reconix.build.root import losses, metadata
from reconix.build.software.device_files import Part
from reconix.build.software.links import follow

_LISTS = (losses.FILE, metadata.FILE)
"""Beside the folders of a root; no device sees them."""

MAX_READ_BYTES = 256 << 20
"""Of a file; no program of Debian is as large. What is larger is data, and names nothing later."""

_MEANS_ITS_NAME = re.compile(
    r"(?:etc|usr/lib)/systemd/(?:system|user)/[^/]+\.(?:wants|requires|upholds)/[^/]+"
)
"""Links that are not followed: systemd looks for the unit that has their name."""

_MADE_AT_START = ("run/", "proc/", "sys/", "dev/")
"""What is there no root can say; links to there mean something."""


@dataclass(frozen=True, slots=True)
class Node:
    """A file, folder or link.

    Attributes:
        place: on this machine.
        target: of a link, as it says.
        size_bytes: of a file.
        file: what tells this file from others on this machine; names of one file share it.
        is_of_root: whether it could go.
    """

    place: str
    target: str = ""
    is_folder: bool = False
    is_executable: bool = False
    size_bytes: int = 0
    file: int = 0
    is_of_root: bool = False

    @property
    def is_link(self) -> bool:
        """Whether it is a link."""
        return bool(self.target)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return not self.target and not self.is_folder


class Way(NamedTuple):
    """Where a path leads."""

    links: tuple[str, ...]
    """Those on the way, in order."""
    end: str
    """A path with no link in it, at which something need not be."""


@dataclass(slots=True)
class Files:
    """All that a device would see."""

    nodes: dict[str, Node] = field(default_factory=dict)
    hidden: dict[str, Node] = field(default_factory=dict)
    """Files of the root that no device sees: something lies over them."""
    _children: dict[str, list[str]] = field(default_factory=dict)
    _ways: dict[str, Way | None] = field(default_factory=dict)

    @classmethod
    def read(cls, parts: Iterable[Part]) -> "Files":
        """Read objects.

        Args:
            parts: the uppermost first; the last one is the root.
        """
        found = cls()
        closed: set[str] = set()
        listed = list(parts)
        for part in listed:
            is_root = part is listed[-1]
            place = part.place.lstrip("/")
            found._add_parents(place)
            found._read(os.fspath(part.tree), place, closed, is_root=is_root)
            if part.hides:
                closed.add(place)
        for path in sorted(found.nodes):
            found._children.setdefault(path.rpartition("/")[0], []).append(path)
        return found

    def _add_parents(self, place: str) -> None:
        steps = place.split("/")[:-1]
        for count in range(1, len(steps) + 1):
            self.nodes.setdefault("/".join(steps[:count]), Node("", is_folder=True))

    def _read(self, folder: str, place: str, closed: set[str], *, is_root: bool) -> None:
        waiting = [(folder, place)]
        while waiting:
            here, path = waiting.pop()
            if path and not os.path.isdir(here):  # noqa: PTH112 - a single file at a place
                self._put(path, _node(os.lstat(here), here, is_root=is_root))
                continue
            if path:
                self._put(path, Node(here, is_folder=True, is_of_root=is_root))
            with os.scandir(here) as entries:
                for entry in entries:
                    inner = f"{path}/{entry.name}" if path else entry.name
                    if is_root and inner in _LISTS:
                        continue
                    node = _node(entry.stat(follow_symlinks=False), entry.path, is_root=is_root)
                    if inner in closed or not self._put(inner, node):
                        self._hide(inner, node)
                    elif node.is_folder:
                        waiting.append((entry.path, inner))

    def _put(self, path: str, node: Node) -> bool:
        """Add a node; says whether it is seen."""
        above = self.nodes.setdefault(path, node)
        return above is node or (above.is_folder and node.is_folder)

    def _hide(self, path: str, node: Node) -> None:
        if not node.is_folder:
            if node.is_of_root:
                self.hidden[path] = node
            return
        for folder, _, names in os.walk(node.place):
            for name in names:
                place = f"{folder}/{name}"
                inner = f"{path}{place[len(node.place) :]}"
                if node.is_of_root:
                    self.hidden[inner] = _node(os.lstat(place), place, is_root=True)

    def way(self, path: str) -> Way | None:
        """Where a path leads; nothing if links lead in a circle."""
        if path not in self._ways:
            self._ways[path] = self._follow(path)
        return self._ways[path]

    def _follow(self, path: str) -> Way | None:
        links: list[str] = []

        def target(here: str) -> str | None:
            node = self.nodes.get(here)
            if node is None or not node.is_link or _MEANS_ITS_NAME.fullmatch(here):
                return None
            links.append(here)
            return node.target

        end = follow(target, path)
        return None if end is None else Way(tuple(links), end)

    def find(self, path: str) -> str | None:
        """The path without links of the file, folder or link to nowhere that a path means."""
        way = self.way(path.strip("/"))
        return way.end if way is not None and way.end in self.nodes else None

    def leads_somewhere(self, way: Way) -> bool:
        """Whether something is at its end, or may be when the system has started."""
        return way.end in self.nodes or way.end.startswith(_MADE_AT_START)

    def inside(self, folder: str) -> list[str]:
        """The paths directly in a folder, sorted."""
        return self._children.get(folder, [])

    def below(self, folder: str) -> Iterator[str]:
        """The paths of all that is no folder below a folder."""
        for path in self.inside(folder):
            if self.nodes[path].is_folder:
                yield from self.below(path)
            else:
                yield path

    def content(self, path: str) -> bytes:
        """What a file holds, or its first ``MAX_READ_BYTES``."""
        with Path(self.nodes[path].place).open("rb") as file:
            return file.read(MAX_READ_BYTES)


def _node(said: os.stat_result, place: str, *, is_root: bool) -> Node:
    is_link = stat.S_ISLNK(said.st_mode)
    return Node(
        place,
        os.readlink(place) if is_link else "",  # noqa: PTH115 - Path would normalise it
        is_folder=stat.S_ISDIR(said.st_mode),
        is_executable=bool(said.st_mode & 0o111),
        size_bytes=0 if is_link else said.st_size,
        file=said.st_ino,
        is_of_root=is_root,
    )


def size_bytes(nodes: Mapping[str, Node], paths: Iterable[str]) -> int:
    """What files take together, each once that has several names."""
    files = {(nodes[path].file or path): nodes[path].size_bytes for path in paths}
    return sum(files.values())
