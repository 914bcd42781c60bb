"""Describing a tree by its difference to what the device has.

Two sorted lists of names are walked side by side: the entries of the new folder and those of the
old folder that it is most like. Equal entries are kept, in runs; an entry that is only in the old
one is dropped; one in which nothing but references has changed, and as foreseen
(``transfer/codecs/renames.py``), follows; one that is only in the new one, or has changed, is
described: by a place where it is already, as a link, as a folder by its own difference, or, if
nothing else helps, by its content.

A device lists the old folders that are open, and those of what is kept, and holds a limited number
of entries. So what would be too much is described without them: as a new folder, whose files are
taken one by one.

The result is a list of events for ``plan.Printer`` in which a file's content is not there yet:
``Literal`` says where it comes from.

Tested by ``tests/unit/transfer/sending/test_encode.py``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from reconix.transfer.codecs.renames import NO_RENAMES, Renames
from reconix.transfer.format.costs import LISTED_WORK, blocks, link_space
from reconix.transfer.format.plan import (
    Drop,
    End,
    Event,
    Follow,
    Here,
    Keep,
    Like,
    Link,
    Location,
    New,
    Take,
)
from reconix.transfer.receiving.sources import Held
from reconix.transfer.sending.following import Following
from reconix.transfer.sending.match import (
    FileNode,
    FolderNode,
    Index,
    LinkNode,
    Node,
    seen_check,
)

_SMALL_BYTES = 1 << 16  # a device looks through it in no time


@dataclass(frozen=True, slots=True)
class Literal:
    """A file whose content is sent, perhaps as a difference to an old file."""

    name: bytes | None
    file: FileNode
    place: tuple[bytes, ...]  # in the object
    origin: Location | None = None  # None with an old path: the entry that it replaces
    old: FileNode | None = None
    renames: Renames = NO_RENAMES  # those that the old file has use for


Step = Event | Literal


@dataclass(slots=True)
class Described:
    """An object as steps, and what it costs the device."""

    steps: list[Step] = field(default_factory=list)
    content_bytes: int = 0
    space_bytes: int = 0
    inodes: int = 0
    work: int = 0


def describe(
    tree: Node,
    like: Location | None,
    source: int,
    index: Index,
    following: Following | None = None,
) -> Described:
    """Describe one object.

    Args:
        tree: the object.
        like: the object that it resembles, which the device has by then.
        source: the number of the new object itself; what comes first in it can be referred to.
        index: what the device has by then. The new object is not added, but the places of the
            files that are sent are.
        following: tells what follows.
    """
    describer = _Describer(index, following or Following(NO_RENAMES))
    describer.node(None, tree, Location(source), like)
    return describer.result


def _own(like: Location | None, name: bytes) -> Location | None:
    return None if like is None else Location(like.source, (*like.path, name))


@dataclass(slots=True)
class _Describer:
    index: Index
    following: Following
    held: Held = field(default_factory=Held)
    result: Described = field(default_factory=Described)

    def node(
        self,
        name: bytes | None,
        node: Node,
        place: Location,
        like: Location | None,
        replaced: Node | None = None,
    ) -> None:
        """Describe a node that is not simply kept; ``like`` may be a place where nothing is."""
        found = self.index.find(node) if self._can_be_seen(node) else None
        if found is not None:
            self._take(name, node, found)
        elif isinstance(node, LinkNode):
            self._add(Link(name, node.target), inodes=1, space_bytes=link_space(node.target))
        elif isinstance(node, FileNode):
            self._literal(name, node, place, replaced)
        else:
            self._folder(name, node, place, like)

    def _can_be_seen(self, node: Node) -> bool:
        """Whether a device can list all that is in something old."""
        return not isinstance(node, FolderNode) or self.held.has_room(node.most_listed_bytes)

    def _take(self, name: bytes | None, node: Node, found: Location) -> None:
        self._add(Take(name, found, seen_check(b"", node) & 0xFFFF))
        self._count_kept(node)

    def _literal(
        self, name: bytes | None, node: FileNode, place: Location, replaced: Node | None
    ) -> None:
        size = node.size_bytes
        self._add(
            self._with_origin(name, node, place, replaced),
            inodes=1,
            content_bytes=size,
            space_bytes=blocks(size),
        )
        self.index.note(place, node)

    def _with_origin(
        self, name: bytes | None, node: FileNode, place: Location, replaced: Node | None
    ) -> Literal:
        origin, old = None, replaced
        if not (isinstance(replaced, FileNode) and replaced.size_bytes):
            origin = self.index.file_like(place.path, node) if node.size_bytes else None
            old = None if origin is None else self.index.node(origin)
        if not isinstance(old, FileNode):
            return Literal(name, node, place.path, origin)
        return Literal(name, node, place.path, origin, old, self.following.used_in(old))

    def _folder(
        self, name: bytes | None, node: FolderNode, place: Location, like: Location | None
    ) -> None:
        self._count_folder(node)
        old, at = self._choose(node, place, like)
        if old is None or at is None:
            self._add(New(name))
            self._merge(node, None, place, None)
        else:
            self._add(Like(name, at, old.check), work=LISTED_WORK * len(old.entries))
            self._merge(node, old, place, at)

    def _choose(
        self, node: FolderNode, place: Location, like: Location | None
    ) -> tuple[FolderNode | None, Location | None]:
        named = self.index.folder_named(place.path)
        for at in (like, named, self.index.folder_like(node)):
            old = None if at is None else self.index.node(at)
            if isinstance(old, FolderNode) and self.held.has_room(old.listed_bytes):
                return old, at
        return None, None

    def _merge(
        self, new: FolderNode, old: FolderNode | None, place: Location, like: Location | None
    ) -> None:
        """The entries of a folder, by their difference to those of another."""
        run = _Run(self)
        entries = old.entries if old is not None else ()
        listed = old.listed_bytes if old is not None else 0
        self.held.size_bytes += listed
        for name, left, right in _side_by_side(entries, new.entries):
            if right is None:
                run.drop()
            elif left is not None and self._keeps(left, right):
                run.keep(name, right)
            elif left is not None and self._follows(left, right):
                run.follow(name, left, right)
            else:
                run.flush()
                below = Location(place.source, (*place.path, name))
                self._entry(name, left, right, below, _own(like, name))
        run.flush_kept()
        self._add(End())
        self.held.size_bytes -= listed

    def _keeps(self, old: Node, new: Node) -> bool:
        return old.key == new.key and self._can_be_seen(old)

    def _follows(self, old: Node, new: Node) -> bool:
        return self._can_be_seen(old) and self.following.leads(old, new)

    def _entry(
        self, name: bytes, old: Node | None, new: Node, place: Location, like: Location | None
    ) -> None:
        takes = self._can_be_seen(new) and self.index.find(new) is not None
        if (
            isinstance(old, FolderNode)
            and isinstance(new, FolderNode)
            and not takes
            and self.held.has_room(old.listed_bytes)
        ):
            self._here(old, new, place, like)
        else:
            self.node(None if old is not None else name, new, place, like, old)

    def _here(
        self, old: FolderNode, new: FolderNode, place: Location, like: Location | None
    ) -> None:
        self._count_folder(new)
        self._add(Here(old.check), work=LISTED_WORK * len(old.entries))
        self._merge(new, old, place, like)

    def _count_kept(self, node: Node) -> None:
        if isinstance(node, FolderNode):
            self.result.inodes += node.folders
            self.result.space_bytes += node.folder_space_bytes

    def _count_followed(self, old: Node, new: Node) -> None:
        if isinstance(old, FolderNode) and isinstance(new, FolderNode):
            self._count_folder(new)
            for (_, before), (_, after) in zip(old.entries, new.entries, strict=True):
                self._count_followed(before, after)
        elif old.key != new.key:
            self.result.inodes += 1
            if isinstance(new, FileNode):
                self.result.content_bytes += new.size_bytes
                self.result.space_bytes += blocks(new.size_bytes)
            elif isinstance(new, LinkNode):
                self.result.space_bytes += link_space(new.target)

    def _count_folder(self, node: FolderNode) -> None:
        below = [child for _, child in node.entries if isinstance(child, FolderNode)]
        self.result.inodes += 1
        self.result.space_bytes += node.folder_space_bytes
        self.result.space_bytes -= sum(child.folder_space_bytes for child in below)

    def _add(
        self,
        step: Step,
        *,
        inodes: int = 0,
        content_bytes: int = 0,
        space_bytes: int = 0,
        work: int = 0,
    ) -> None:
        self.result.steps.append(step)
        self.result.inodes += inodes
        self.result.content_bytes += content_bytes
        self.result.space_bytes += space_bytes
        self.result.work += work


@dataclass(slots=True)
class _Run:
    """Neighbours that are kept, follow, or are dropped, until something else comes.

    What is kept and costs little to look through may stand among what follows: one run is shorter
    than three.
    """

    describer: _Describer
    kept: int = 0
    follows: bool = False  # something among what is kept
    large: bool = False
    seen: int = 0
    looked_through: int = 0  # bytes of files, if something among them follows
    dropped: int = 0

    def keep(self, name: bytes, node: Node) -> None:
        large = not _is_small(node)
        if self.dropped or (self.follows and large):
            self.flush()
        self.large |= large
        self._add(name, node)
        self.describer._count_kept(node)

    def follow(self, name: bytes, old: Node, new: Node) -> None:
        if self.dropped or self.large:
            self.flush()
        self.follows = True
        self._add(name, old)
        self.describer._count_followed(old, new)

    def _add(self, name: bytes, node: Node) -> None:
        self.kept += 1
        self.seen = seen_check(name, node, self.seen)
        self.looked_through += 0 if self.large else _file_bytes(node)

    def drop(self) -> None:
        self.flush_kept()
        self.dropped += 1

    def flush(self) -> None:
        """Write down what was gathered."""
        self.flush_kept()
        if self.dropped:
            self.describer._add(Drop(self.dropped))
            self.dropped = 0

    def flush_kept(self) -> None:
        """Write down what is kept; what is dropped at the end of a folder needs no words."""
        if self.kept:
            step = Follow if self.follows else Keep
            work = self.looked_through if self.follows else 0
            self.describer._add(step(self.kept, self.seen & 0xFFFF), work=work)
            self.kept = self.seen = self.looked_through = 0
            self.follows = self.large = False


def _is_small(node: Node) -> bool:
    if isinstance(node, FileNode):
        return node.size_bytes <= _SMALL_BYTES
    return isinstance(node, LinkNode)


def _side_by_side(
    old: tuple[tuple[bytes, Node], ...], new: tuple[tuple[bytes, Node], ...]
) -> Iterator[tuple[bytes, Node | None, Node | None]]:
    """Each name of two folders, sorted, with what it is in the one and in the other."""
    before, after = dict(old), dict(new)
    for name in sorted(before.keys() | after.keys()):
        yield name, before.get(name), after.get(name)


def _file_bytes(node: Node) -> int:
    """How much a device reads that looks for references in all of a node."""
    if isinstance(node, FolderNode):
        return sum(_file_bytes(child) for _, child in node.entries)
    return node.size_bytes if isinstance(node, FileNode) else 0
