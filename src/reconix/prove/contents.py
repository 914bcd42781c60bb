"""What a recovered system partition holds: the agent's documents, and store objects as archives.

An object is checked in two steps, so that little is read twice: first its *shape*, that is names,
kinds, and where the content of its files lies; then the content. The first depends on metadata
only, the second is asked again only where the shape or a block of the content differs.

Tested by ``tests/unit/prove/test_contents.py``.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from reconix.base.digests import Digest
from reconix.prove.blocks import Memo, View
from reconix.prove.ext4 import BadFileSystem, Ext4, Geometry, Inode
from reconix.store.manifest import StoreObject
from reconix.store.nar import (
    Content,
    Encoder,
    Entry,
    Event,
    FileBegin,
    FolderBegin,
    FolderEnd,
    Link,
)

STATE, CHOICE, WAY_BACK = "state.json", "choice.json", "way-back"
_MANIFEST = ".manifest"
_MAX_DOCUMENT_BYTES = 16 << 20
_EXECUTABLE = 0o111
_MISSING = 0
_SECTOR_BYTES = 512


@dataclass(frozen=True, slots=True)
class Facts:
    """What is on a system partition, besides the contents of objects.

    Attributes:
        state: the document of what the agent remembers.
        choice: the document of which system is wanted.
        manifests: by the base name of a generation; sorted.
        objects: all names in the store that are final, sorted.
        disk_one_shot: what the initrd of a trial writes where to leave it, in this order, if the
            disk remembers the trial.
    """

    state: bytes | None
    choice: bytes | None
    manifests: tuple[tuple[str, bytes], ...]
    objects: tuple[str, ...]
    disk_one_shot: tuple[tuple[int, bytes], ...] = ()


def read_facts(view: View, geometry: Geometry) -> Facts:
    """Read them from a file system.

    Raises:
        BadFileSystem: they cannot be found.
    """
    files = Ext4(view, geometry)
    home = _folder(files, "reconix")
    store = _folder(files, "nix", "store")
    manifests = files.lookup("reconix", "generations")
    named = _names(files, manifests) if manifests is not None else {}
    return Facts(
        _document(files, home.get(STATE)),
        _document(files, home.get(CHOICE)),
        tuple(
            (name.removesuffix(_MANIFEST), _document(files, inode) or b"")
            for name, inode in named.items()
            if name.endswith(_MANIFEST) and not name.startswith(".")
        ),
        tuple(name for name in store if not name.startswith(".")),
        _disk_one_shot(files),
    )


def _disk_one_shot(files: Ext4) -> tuple[tuple[int, bytes], ...]:
    folder = files.lookup("reconix", WAY_BACK)
    if folder is None:
        return ()
    names = _names(files, folder)
    lines = (_document(files, names.get("sectors")) or b"").decode(errors="replace").splitlines()
    found = tuple(_sector(files, names, *line.split()) for line in lines)
    if not found:
        raise BadFileSystem("the way back from a trial leads nowhere")
    return found


def _sector(files: Ext4, names: dict[str, int], lba: str = "", name: str = "") -> tuple[int, bytes]:
    content = _document(files, names.get(name))
    if not lba.isdecimal() or content is None or len(content) != _SECTOR_BYTES:
        raise BadFileSystem("the way back from a trial is not whole")
    return int(lba), content


def _folder(files: Ext4, *names: str) -> dict[str, int]:
    found = files.lookup(*names)
    if found is None:
        raise BadFileSystem(f"/{'/'.join(names)} is missing")
    return _names(files, found)


def _names(files: Ext4, folder: Inode) -> dict[str, int]:
    if not folder.is_folder:
        raise BadFileSystem(f"inode {folder.number} should be a folder")
    return {name.decode(errors="replace"): inode for name, inode in files.names(folder)}


def _document(files: Ext4, number: int | None) -> bytes | None:
    if number is None:
        return None
    inode = files.inode(number)
    if not inode.is_file or inode.size_bytes > _MAX_DOCUMENT_BYTES:
        raise BadFileSystem(f"inode {number} should be a document")
    return b"".join(files.content(inode))


# -- objects ---------------------------------------------------------------------------------------

Leaf = tuple[Event, Inode | None]
"""A step through a tree; a file brings its inode for the content."""

Shape = tuple[Leaf, ...]


class Objects:
    """Checks store objects in one state after the other.

    Args:
        geometry: of the file system.
        changing: all blocks that may differ between two states.
    """

    def __init__(self, geometry: Geometry, changing: frozenset[int]) -> None:
        self._geometry = geometry
        self._shapes: Memo[str, Shape | None] = Memo(changing)
        self._digests: Memo[int, str] = Memo(changing)
        self._numbers: dict[Shape | None, int] = {None: _MISSING}
        self._by_number: dict[int, Shape] = {}
        self._by_metadata: dict[tuple[str, int], int] = {}

    def problem(self, view: View, item: StoreObject, metadata: int) -> str:
        """What is wrong with an object, or nothing.

        Args:
            view: the disk, its file system recovered.
            item: what should be there.
            metadata: a number; equal where all metadata are equal.

        Raises:
            BadFileSystem: it cannot be read at all.
        """
        number = self._shape(view, item.path.basename, metadata)
        if number == _MISSING:
            return f"{item.path} is missing"
        found = self._digests.get(
            number, view, lambda watched: self._digest(watched, self._by_number[number])
        )
        if found != f"{item.nar} {item.nar_size_bytes}":
            return f"{item.path} has another content"
        return ""

    def _shape(self, view: View, name: str, metadata: int) -> int:
        """The number of an object's shape."""
        key = name, metadata
        if key not in self._by_metadata:
            shape = self._shapes.get(
                name, view, lambda watched: _shape(Ext4(watched, self._geometry), name)
            )
            number = self._numbers.setdefault(shape, len(self._numbers))
            self._by_metadata[key] = number
            if shape is not None:
                self._by_number[number] = shape
        return self._by_metadata[key]

    def _digest(self, view: View, shape: Shape) -> str:
        files = Ext4(view, self._geometry)
        state = hashlib.sha256()
        encoder = Encoder(state.update)
        for event, inode in shape:
            encoder.feed(event)
            if inode is not None:
                for block in files.content(inode):
                    encoder.feed(Content(block))
        return f"{Digest(state.digest())} {encoder.size_bytes}"


def _shape(files: Ext4, name: str) -> Shape | None:
    top = files.lookup("nix", "store", name)
    return None if top is None else tuple(_steps(files, top))


def _steps(files: Ext4, inode: Inode) -> Iterator[Leaf]:
    if inode.is_folder:
        yield FolderBegin(), None
        for name, number in files.names(inode):
            yield Entry(name), None
            yield from _steps(files, files.inode(number))
        yield FolderEnd(), None
    elif inode.is_link:
        yield Link(files.target(inode)), None
    elif inode.is_file:
        begin = FileBegin(inode.size_bytes, bool(inode.mode & _EXECUTABLE))
        yield begin, (inode if inode.size_bytes else None)
    else:
        raise BadFileSystem(f"inode {inode.number} is neither file, folder nor link")
