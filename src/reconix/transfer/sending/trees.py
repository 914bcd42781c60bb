"""The trees of generations as a sender compares them.

Two questions are asked of nodes ten thousand times: are they equal, and do they differ in nothing
but what a file system says of them. So each node knows a digest of all that it contains but for its
own metadata, the *content key*; with the metadata it is the *key*. Equal keys are equal nodes. Of a
folder the content key covers the keys of what is in it.

The content of a file is in the build store, or in the node, if it is small
(``store/images/nodes.py``).

Tested by ``tests/unit/transfer/sending/test_trees.py``.
"""

import functools
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base.files import chunks
from reconix.store.images import nodes
from reconix.store.images.nodes import ImageFile, ImageFolder, ImageLink, Metadata

Key = tuple[Metadata, bytes]


@dataclass(frozen=True, slots=True)
class FileNode:
    """A regular file."""

    metadata: Metadata
    size_bytes: int
    content: bytes  # its digest; if it is small, itself
    path: Path | None = field(default=None, compare=False)  # where it lies, unless it is small

    @property
    def content_key(self) -> bytes:
        """What is equal for equal contents."""
        return (b"file" if self.path else b"inline") + self.content

    @property
    def key(self) -> Key:
        """What is equal for equal files."""
        return self.metadata, self.content_key

    @property
    def executable(self) -> bool:
        """Whether it is a program."""
        return bool(self.metadata.mode & 0o100)

    def read(self) -> bytes:
        """The content."""
        return self.path.read_bytes() if self.path else self.content

    def part(self, offset: int, size_bytes: int) -> bytes:
        """Some of the content; less only at its end."""
        if self.path is None:
            return self.content[offset : offset + size_bytes]
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(size_bytes)

    def pieces(self) -> Iterator[bytes]:
        """The content, piece by piece; none of them is empty."""
        if self.path is None:
            yield from filter(None, [self.content])
            return
        with self.path.open("rb") as file:
            yield from chunks(file)


@dataclass(frozen=True, slots=True)
class LinkNode:
    """A symbolic link."""

    metadata: Metadata
    target: bytes

    @property
    def content_key(self) -> bytes:
        """What is equal for equal targets."""
        return b"link" + self.target

    @property
    def key(self) -> Key:
        """What is equal for equal links."""
        return self.metadata, self.content_key


@dataclass(frozen=True, slots=True)
class FolderNode:
    """A folder."""

    metadata: Metadata
    entries: tuple[tuple[bytes, "Node"], ...]  # sorted by name
    content_key: bytes

    @property
    def key(self) -> Key:
        """What is equal for equal folders."""
        return self.metadata, self.content_key

    def get(self, name: bytes) -> "Node | None":
        """The entry of that name."""
        return next((node for found, node in self.entries if found == name), None)


Node = FileNode | LinkNode | FolderNode


def folder_of(metadata: Metadata, entries: tuple[tuple[bytes, Node], ...]) -> FolderNode:
    """The folder with these entries, which are sorted."""
    state = hashlib.sha256()
    for name, node in entries:
        for part in (name, _spelled(node.metadata), node.content_key):
            state.update(len(part).to_bytes(8, "little") + part)
    return FolderNode(metadata, entries, b"folder" + state.digest())


@functools.lru_cache(maxsize=4096)
def _spelled(metadata: Metadata) -> bytes:
    return repr(metadata).encode()


@dataclass(frozen=True, slots=True)
class Trees:
    """Makes the nodes of a sender from those of images; one for equal files.

    Attributes:
        places: where contents lie, by digest.
    """

    places: Mapping[bytes, Path]
    _known: dict[ImageFile, FileNode] = field(default_factory=dict)

    def tree(self, node: nodes.Node) -> Node:
        """A node with all that is below it."""
        if isinstance(node, ImageFile):
            return self._file(node)
        if isinstance(node, ImageLink):
            return LinkNode(node.metadata, node.target)
        return self._folder(node)

    def _folder(self, node: ImageFolder) -> FolderNode:
        entries = tuple((name, self.tree(below)) for name, below in node.entries)
        return folder_of(node.metadata, entries)

    def _file(self, node: ImageFile) -> FileNode:
        found = self._known.get(node)
        if found is None:
            path = None if node.is_inline else self.places[node.content]
            found = FileNode(node.metadata, node.size_bytes, node.content, path)
            self._known[node] = found
        return found


def file_bytes(node: Node) -> int:
    """The size of all files in a node."""
    if isinstance(node, FolderNode):
        return sum(file_bytes(child) for _, child in node.entries)
    return node.size_bytes if isinstance(node, FileNode) else 0
