r"""Small trees in memory: what we generate, before it is a store object or a boot partition.

Generated configuration, toplevels and boot partitions are a handful of files whose content we know.
They are described as values, so that the code which decides *what* is in them is pure and needs no
disk, and the code which writes them exists once.

    tree = folder({"init": Symlink("/usr/lib/systemd/systemd"), "etc/hostname": File(b"box\n")})
    write(tree, into)

Tested by ``tests/unit/store/test_tree.py``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.store.names import check_name, check_target
from reconix.store.nar import (
    Content,
    Encoder,
    Entry,
    Event,
    FileBegin,
    FolderBegin,
    FolderEnd,
    Link,
    Restorer,
    Write,
)


class BadPath(ReconixError):
    """A path of a generated tree cannot be made."""


@dataclass(frozen=True, slots=True)
class File:
    """A regular file."""

    content: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link."""

    target: str

    def __post_init__(self) -> None:
        check_target(self.target.encode())


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder; valid by construction: names are possible, unique and sorted by their bytes."""

    entries: tuple[tuple[str, "Node"], ...] = ()

    def __post_init__(self) -> None:
        names = [name.encode() for name, _ in self.entries]
        for name in names:
            check_name(name)
        if names != sorted(set(names)):
            raise BadPath("the names of a folder are not sorted, or one stands twice")


Node = File | Symlink | Folder


def folder(entries: Mapping[str, Node]) -> Folder:
    """Make a folder from relative paths; folders between are made as needed.

    Raises:
        BadPath: a path is absolute, climbs, or leads through something that is no folder.
    """
    direct: dict[str, Node] = {}
    below: dict[str, dict[str, Node]] = {}
    for path, node in entries.items():
        first, rest = _split(path)
        if rest:
            below.setdefault(first, {})[rest] = node
        else:
            direct[first] = node
    for name, inner in below.items():
        direct[name] = _merge(name, direct.get(name, Folder()), folder(inner))
    return Folder(tuple(sorted(direct.items(), key=lambda item: item[0].encode())))


def files(tree: Node, under: str = "") -> Iterator[tuple[str, File | Symlink]]:
    """Give the path and node of every file and link, sorted as the folders are."""
    if isinstance(tree, Folder):
        for name, node in tree.entries:
            yield from files(node, f"{under}/{name}" if under else name)
    else:
        yield under, tree


def write(tree: Node, into: Path) -> None:
    """Make the tree on the disk as a store wants it; ``into`` must not exist."""
    restorer = Restorer(into)
    try:
        for event in events(tree):
            restorer.feed(event)
    finally:
        restorer.close()


def dump(tree: Node, write: Write) -> None:
    """Write the archive of the tree without making it."""
    encoder = Encoder(write)
    for event in events(tree):
        encoder.feed(event)


def events(tree: Node) -> Iterator[Event]:
    """Give the tree as events of an archive."""
    match tree:
        case File(content, executable):
            yield FileBegin(len(content), executable)
            if content:
                yield Content(content)
        case Symlink(target):
            yield Link(target.encode())
        case Folder(entries):
            yield FolderBegin()
            for name, node in entries:
                yield Entry(name.encode())
                yield from events(node)
            yield FolderEnd()


def _split(path: str) -> tuple[str, str]:
    if path.startswith("/") or str(PurePosixPath(path)) != path or path == ".":
        raise BadPath(f"{path!r} is no plain relative path")
    first, _, rest = path.partition("/")
    return first, rest


def _merge(name: str, one: Node, other: Folder) -> Folder:
    if not isinstance(one, Folder):
        raise BadPath(f"{name!r} is a file and a folder")
    merged = dict(one.entries)
    for key, node in other.entries:
        old = merged.get(key)
        merged[key] = _merge(key, old, node) if old and isinstance(node, Folder) else node
    return Folder(tuple(sorted(merged.items(), key=lambda item: item[0].encode())))
