"""What stands in an image: files, links and folders, with all that a file system says of them.

A Nix archive knows three kinds of node and one bit of mode. A Debian system needs more: owners,
set-id bits, capabilities, times. So the nodes of an image have *metadata*; what an object of the
store does not say about a node is what Nix gives it: owned by root, not to be written, one second
after 1970.

The content of a file is in the pool, and here is its digest (``verity.py``). One of a few bytes is
here itself: its name would be longer.

These are tuples, because there are ten thousands of them at once.

Tested by ``tests/unit/store/images/test_nodes.py``.
"""

from collections.abc import Iterator
from typing import NamedTuple

MAX_INLINE_BYTES = 64
"""Contents up to this size stand in the image. The same limit as in composefs."""

MAX_SIZE = (1 << 43) - 1
"""No file is larger: an image has no word for it."""

MAX_ATTRIBUTES_BYTES = 32 << 10
"""All attributes of one node, names and values."""

MAX_NAME_BYTES = 255

MAX_TARGET_BYTES = 4095

MAX_DEPTH = 300
"""How many folders are in each other, that of the image included."""

MAX_ID = (1 << 32) - 2
"""Of users and groups; the number after it means *nobody said* in system calls."""

MAX_MTIME = 1 << 40

Attributes = tuple[tuple[bytes, bytes], ...]
"""Extended attributes: whole names, such as ``security.capability``, and values; sorted."""


class Metadata(NamedTuple):
    """What a file system says of a node besides its kind."""

    mode: int
    """Permissions with set-id and sticky bits, twelve bits in all."""
    user: int = 0
    group: int = 0
    mtime: int = 1
    """Seconds since 1970."""
    attributes: Attributes = ()


READ_ONLY = Metadata(0o444)
EXECUTABLE = Metadata(0o555)
"""Of files and folders, as Nix has them."""
LINK = Metadata(0o777)


class ImageFile(NamedTuple):
    """A regular file."""

    metadata: Metadata
    size_bytes: int
    content: bytes
    """The digest of its content; the content itself, if that is small."""

    @property
    def is_inline(self) -> bool:
        """Whether the content is here."""
        return self.size_bytes <= MAX_INLINE_BYTES


class ImageLink(NamedTuple):
    """A symbolic link."""

    metadata: Metadata
    target: bytes


class ImageFolder(NamedTuple):
    """A folder."""

    metadata: Metadata
    entries: "tuple[tuple[bytes, Node], ...]"
    """Names and nodes, sorted by name."""

    def get(self, name: bytes) -> "Node | None":
        """The entry of that name."""
        return next((node for found, node in self.entries if found == name), None)


Node = ImageFile | ImageLink | ImageFolder


def usual(*, executable: bool) -> Metadata:
    """The metadata of a file of which nothing is said but this."""
    return EXECUTABLE if executable else READ_ONLY


def find(node: Node | None, *names: bytes) -> Node | None:
    """What stands below a node, if anything does; no link is followed."""
    for name in names:
        node = node.get(name) if isinstance(node, ImageFolder) else None
    return node


def walk(node: Node) -> Iterator[Node]:
    """A node and all that is below it, folders first."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ImageFolder):
            waiting.extend(below for _, below in reversed(node.entries))


def count(node: Node) -> int:
    """How many nodes there are, itself included."""
    return sum(1 for _ in walk(node))


def files(
    node: Node, path: tuple[bytes, ...] = ()
) -> Iterator[tuple[tuple[bytes, ...], ImageFile]]:
    """All files with their paths."""
    waiting = [(path, node)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, ImageFile):
            yield path, node
        elif isinstance(node, ImageFolder):
            waiting.extend(((*path, name), below) for name, below in reversed(node.entries))


def contents(node: Node) -> Iterator[tuple[bytes, int]]:
    """Digest and size of each content in the pool; one that is there twice comes twice."""
    for each in walk(node):
        if isinstance(each, ImageFile) and not each.is_inline:
            yield each.content, each.size_bytes
