"""Making one object of the target: from the events of a plan to a tree.

The tree is made in memory. What is kept or taken of an old tree is that very tree, so it costs
nothing; files that are new go to the pool (``contents.py``) and leave a digest.

Tested by ``tests/unit/transfer/receiving/test_receive.py``.
"""

import os
from bisect import insort
from collections.abc import Callable
from operator import itemgetter

from reconix.base.records import dataclass, field
from reconix.store.images.nodes import (
    EXECUTABLE,
    LINK,
    MAX_INLINE_BYTES,
    ImageFile,
    ImageFolder,
    ImageLink,
    Metadata,
    Node,
    usual,
)
from reconix.store.names import MAX_DEPTH
from reconix.transfer.format.costs import LISTED_WORK, Account
from reconix.transfer.format.plan import (
    COMPILED,
    Copied,
    Drop,
    End,
    Event,
    File,
    Follow,
    Here,
    Keep,
    Like,
    Link,
    Location,
    Meta,
    New,
    Part,
    Patched,
    Piece,
    Same,
    Take,
)
from reconix.transfer.format.plan import Node as NodeEvent
from reconix.transfer.receiving.contents import pieces
from reconix.transfer.receiving.file_maker import FileMaker, Place
from reconix.transfer.receiving.sources import Sources, below, entry

_Leaf = Callable[[Node, str], Node]
"""Makes a node of an old one; the text says where that is."""


@dataclass(slots=True)
class _Folder:
    """An open folder of the object that is made."""

    name: bytes
    metadata: Metadata
    source: ImageFolder | None = None  # what it is like
    shown: str = ""  # where that is
    used: int = 0  # entries of that
    entries: list[tuple[bytes, Node]] = field(default_factory=list)
    last: bytes = b""  # the name of the entry that was begun last


@dataclass(slots=True)
class TreeMaker:
    """Makes one object.

    Args:
        number: of the object, as a stream counts them.
        sources: what it is made from.
        account: pays.
        most_made: so many nodes may be made, beside those that are kept.
    """

    number: int
    sources: Sources
    account: Account
    most_made: int
    made: int = 0
    _folders: list[_Folder] = field(default_factory=list)
    _root: Node | None = None
    _told: Metadata | None = None  # of the node that comes next
    _file: FileMaker | None = None
    _file_name: bytes = b""

    def feed(self, event: Event) -> int:
        """Take the next event; gives how many bytes of content were made.

        Raises:
            BadStream: it asks for something that cannot be, or for more than was declared.
            DamagedBase: the base does not have what it should have.
        """
        before = self.account.content_bytes
        match event:
            case Part() | Piece() | Copied():
                return self._feed_file(event)
            case Meta(metadata):
                self._told = metadata
            case Keep(count):
                self._keep(count, _as_it_is)
            case Follow(count):
                self._keep(count, self._followed)
                return before - self.account.content_bytes
            case Drop(count):
                self._next_entries(count)
            case Here():
                self._open_here()
            case Same():
                self._same()
            case End():
                self._end()
            case _:
                self._feed_node(event)
        return 0

    def finish(self) -> Node:
        """The object, which is complete."""
        assert self._root is not None  # the parser sees to it
        return self._root

    def close(self) -> None:
        """Let go of what is open; needed in any case."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _feed_node(self, event: NodeEvent) -> None:
        match event:
            case File(name, size_bytes, executable):
                self._begin_file(name, size_bytes, None, usual(executable=executable))
            case Patched(name, size_bytes, executable, parts):
                self._begin_file(name, size_bytes, parts, usual(executable=executable))
            case Link(name, target):
                place = self._place(name)
                link = ImageLink(self._metadata(LINK), target)
                self._pay(place, link.metadata, len(target))
                self._put(place, link)
            case Take(name, location):
                self._take(name, location)
            case New(name):
                self._open(self._place(name), EXECUTABLE)
            case Like(name, location):
                self._open_like(name, location)

    # -- names -------------------------------------------------------------------------------------

    def _place(self, name: bytes | None) -> bytes:
        """The name of the next entry; without a name it replaces the next one of the source."""
        if not self._folders:
            return b""
        if name is None:
            name = self._next_entries(1)[0][0]
        self._rise(name)
        return name

    def _rise(self, name: bytes) -> None:
        folder = self._folders[-1]
        late = name == COMPILED and entry(folder.entries, name) is None
        if name <= folder.last and not late:
            raise self.account.wrong(f"{name!r} comes after {folder.last!r}")
        folder.last = max(folder.last, name)

    def _put(self, name: bytes, node: Node) -> None:
        if self._folders:
            entries = self._folders[-1].entries
            insort(entries, (name, node), key=itemgetter(0))
        else:
            self._root = node

    def _metadata(self, default: Metadata) -> Metadata:
        told, self._told = self._told, None
        return default if told is None else told

    def _pay(self, name: bytes, metadata: Metadata, words_bytes: int = 0) -> None:
        attributes = sum(len(key) + len(value) for key, value in metadata.attributes)
        self.account.node(len(name) + attributes + words_bytes)
        self.made += 1
        if self.made > self.most_made:
            raise self.account.wrong(
                "more new files, links and folders than the images hold, or a device"
            )

    def _source(self) -> ImageFolder:
        source = self._folders[-1].source
        assert source is not None  # the parser sees to it
        return source

    def _next_entries(self, count: int) -> tuple[tuple[bytes, Node], ...]:
        """The next entries of the folder that this one is like."""
        folder, source = self._folders[-1], self._source()
        found = source.entries[folder.used : folder.used + min(count, len(source.entries))]
        if len(found) < count:
            raise self.account.wrong(f"{folder.shown} has no more entries")
        folder.used += count
        return found

    def _inside(self, name: bytes) -> str:
        return f"{self._folders[-1].shown}/{os.fsdecode(name)}"

    # -- files -------------------------------------------------------------------------------------

    def _begin_file(
        self, name: bytes | None, size_bytes: int, parts: int | None, usual: Metadata
    ) -> None:
        replaced = None if parts is None or name is not None else self._next_file()
        self._file_name = self._place(name)
        metadata = self._metadata(usual)
        self._pay(self._file_name, metadata, min(size_bytes, MAX_INLINE_BYTES))
        self._file = FileMaker(
            metadata, size_bytes, self.sources, self._find, self.account, parts, replaced
        )
        self._end_file_if_complete(self._file)

    def _next_file(self) -> Place | None:
        """The file that comes next in the folder that this one is like."""
        if not self._folders:
            return None
        folder, source = self._folders[-1], self._source()
        found = source.entries[folder.used : folder.used + 1]
        if found and isinstance(found[0][1], ImageFile):
            return Place(found[0][1], self._inside(found[0][0]))
        return None

    def _feed_file(self, event: Part | Piece | Copied) -> int:
        file = self._file
        assert file is not None  # the parser sees to it
        file.feed(event)
        self._end_file_if_complete(file)
        return 0 if isinstance(event, Part) else len(event.data)

    def _end_file_if_complete(self, file: FileMaker) -> None:
        if file.is_complete:
            self._put(self._file_name, file.finish())
            self._file = None

    # -- folders -----------------------------------------------------------------------------------

    def _open(
        self, name: bytes, default: Metadata, source: ImageFolder | None = None, shown: str = ""
    ) -> None:
        if len(self._folders) >= MAX_DEPTH:
            raise self.account.wrong(f"folders are nested deeper than {MAX_DEPTH}")
        metadata = self._metadata(default)
        self._pay(name, metadata)
        if source is not None:
            self.account.spend(LISTED_WORK * len(source.entries))
        self._folders.append(_Folder(name, metadata, source, shown))

    def _open_like(self, name: bytes | None, location: Location) -> None:
        found = self._find(location)
        self._open_as(self._place(name), found, self.sources.shown(location))

    def _open_here(self) -> None:
        ((name, node),) = self._next_entries(1)
        self._rise(name)
        self._open_as(name, node, self._inside(name))

    def _open_as(self, name: bytes, node: Node, shown: str) -> None:
        if not isinstance(node, ImageFolder):
            raise self.account.wrong(f"{shown} is not a folder")
        self._open(name, node.metadata, node, shown)

    def _end(self) -> None:
        folder = self._folders.pop()
        self._put(folder.name, ImageFolder(folder.metadata, tuple(folder.entries)))

    # -- old nodes ---------------------------------------------------------------------------------

    def _find(self, location: Location) -> Node:
        """An old node; also of this object, as far as it is made."""
        if location.source != self.number:
            return self.sources.find(location)
        found = self._find_made(location.path)
        if found is None:
            raise self.account.wrong(f"{self.sources.shown(location)} is not made yet")
        return found

    def _find_made(self, path: tuple[bytes, ...]) -> Node | None:
        """What stands under a path and is complete; no folder that is open is."""
        for depth, folder in enumerate(self._folders[: len(path)]):
            found = entry(folder.entries, path[depth])
            if found is not None:
                return below(found, path[depth + 1 :])
            if [path[depth]] != [inside.name for inside in self._folders[depth + 1 : depth + 2]]:
                return None
        return None

    def _take(self, name: bytes | None, location: Location) -> None:
        node = self._find(location)
        place = self._place(name)
        self.account.kept(self._size(node, len(self._folders)))
        self._put(place, node._replace(metadata=self._metadata(node.metadata)))

    def _same(self) -> None:
        ((name, node),) = self._next_entries(1)
        self._rise(name)
        if isinstance(node, ImageFolder):
            raise self.account.wrong(f"{self._inside(name)} is a folder")
        metadata = self._metadata(node.metadata)
        self._pay(name, metadata)
        self._put(name, node._replace(metadata=metadata))

    def _keep(self, count: int, leaf: _Leaf) -> None:
        for name, node in self._next_entries(count):
            self._rise(name)
            self.account.kept(self._size(node, len(self._folders)))
            self._put(name, leaf(node, self._inside(name)))

    def _size(self, node: Node, depth: int) -> int:
        """How many nodes there are; not more than an object may still have, or one more."""
        if not isinstance(node, ImageFolder):
            return 1
        if depth >= MAX_DEPTH:
            raise self.account.wrong(f"folders are nested deeper than {MAX_DEPTH}")
        found = 1
        for _, child in node.entries:
            found += self._size(child, depth + 1)
            if found > self.account.nodes:
                break
        return found

    def _followed(self, node: Node, shown: str) -> Node:
        """A node with all that is in it, in which references follow."""
        if isinstance(node, ImageFolder):
            entries = (
                (name, self._followed(child, f"{shown}/{os.fsdecode(name)}"))
                for name, child in node.entries
            )
            return node._replace(entries=tuple(entries))
        if isinstance(node, ImageLink):
            return node._replace(target=self.sources.renames.apply(node.target))
        return self._followed_file(node, shown)

    def _followed_file(self, file: ImageFile, shown: str) -> ImageFile:
        self.account.spend(file.size_bytes)
        descriptor = self.sources.open(file, shown)
        try:
            renames = self.sources.renames
            if not renames.used_in(pieces(descriptor)):
                return file
            maker = FileMaker(
                file.metadata, file.size_bytes, self.sources, self._find, self.account
            )
            try:
                for data in renames.apply_all(pieces(descriptor)):
                    maker.feed(Piece(data))
                return maker.finish()
            finally:
                maker.close()
        finally:
            os.close(descriptor)


def _as_it_is(node: Node, _: str) -> Node:
    return node
