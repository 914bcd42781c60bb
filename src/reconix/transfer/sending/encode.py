"""Describing a tree by its difference to what the device has.

Two sorted lists of names are walked side by side: the entries of the new folder and those of the
old folder that it is most like. Equal entries are kept, in runs; an entry that is only in the old
one is dropped; one in which nothing but references has changed, and as foreseen
(``transfer/codecs/renames.py``), follows; one that is only in the new one, or has changed, is
described: by a place where it is already, as a link, as a folder by its own difference, or, if
nothing else helps, by its content. Metadata are told only where a device would not have them.

The result is a list of events for ``plan.Printer`` in which a file's content is not there yet:
``Literal`` says where it comes from.

Tested by ``tests/unit/transfer/sending/test_encode.py``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from reconix.store.images.nodes import EXECUTABLE, LINK, Metadata
from reconix.transfer.codecs.modules import Interpreter
from reconix.transfer.codecs.renames import NO_RENAMES, Renames
from reconix.transfer.format.costs import LISTED_WORK, file_inodes, file_space
from reconix.transfer.format.plan import (
    COMPILED,
    Drop,
    End,
    Event,
    Follow,
    Here,
    Keep,
    Like,
    Link,
    Location,
    Meta,
    New,
    Same,
    Take,
)
from reconix.transfer.sending.compiling import Module, Modules
from reconix.transfer.sending.following import Following
from reconix.transfer.sending.match import Index
from reconix.transfer.sending.trees import FileNode, FolderNode, LinkNode, Node, file_bytes

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
    module: Module | None = None  # of which it is the compiled form


Step = Event | Literal


@dataclass(slots=True)
class Described:
    """An object as steps, and what it costs the device besides its image."""

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
    interpreter: Interpreter | None = None,
) -> Described:
    """Describe one object.

    Args:
        tree: the object.
        like: the object that it resembles, which the device has by then.
        source: the number of the new object itself; what comes first in it can be referred to.
        index: what the device has by then. The new object is not added, but the places of the
            files that are sent are.
        following: tells what follows.
        interpreter: what compiles modules on the device.
    """
    modules = Modules(tree, source, interpreter)
    describer = _Describer(index, following or Following(NO_RENAMES), modules)
    describer.node(None, tree, Location(source), like)
    return describer.result


def _own(like: Location | None, name: bytes) -> Location | None:
    return None if like is None else Location(like.source, (*like.path, name))


@dataclass(slots=True)
class _Describer:
    index: Index
    following: Following
    modules: Modules
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
        found = self.index.find_content(node)
        if found is not None:
            self._tell(node.metadata, None if self.index.find(node) is None else node.metadata)
            self._add(Take(name, found))
        elif isinstance(node, LinkNode):
            self._tell(node.metadata, LINK)
            self._add(Link(name, node.target))
        elif isinstance(node, FileNode):
            self._literal(name, node, place, replaced)
        else:
            self._folder(name, node, place, like)

    def _tell(self, metadata: Metadata, otherwise: Metadata | None) -> None:
        """Tell metadata, if a device would have others."""
        if metadata != otherwise:
            self._add(Meta(metadata))

    def _literal(
        self, name: bytes | None, node: FileNode, place: Location, replaced: Node | None
    ) -> None:
        self._add(self._with_origin(name, node, place, replaced))
        self._count(node)
        self.index.note(place, node)

    def _with_origin(
        self, name: bytes | None, node: FileNode, place: Location, replaced: Node | None
    ) -> Literal:
        origin, old = None, replaced
        module = self.modules.of(place.path, node)
        if not (isinstance(replaced, FileNode) and replaced.size_bytes):
            origin = self.index.file_like(place.path, node) if node.size_bytes else None
            old = None if origin is None else self.index.node(origin)
        if not isinstance(old, FileNode):
            return Literal(name, node, place.path, origin, module=module)
        renames = self.following.used_in(old)
        return Literal(name, node, place.path, origin, old, renames, module)

    def _folder(
        self, name: bytes | None, node: FolderNode, place: Location, like: Location | None
    ) -> None:
        old, at = self._choose(node, place, like)
        if old is None or at is None:
            self._tell(node.metadata, EXECUTABLE)
            self._add(New(name))
            self._merge(node, None, place, None)
        else:
            self._opens(Like(name, at), node, old)
            self._merge(node, old, place, at)

    def _opens(self, step: Like | Here, new: FolderNode, old: FolderNode) -> None:
        self._tell(new.metadata, old.metadata)
        self._add(step, work=LISTED_WORK * len(old.entries))

    def _choose(
        self, node: FolderNode, place: Location, like: Location | None
    ) -> tuple[FolderNode | None, Location | None]:
        named = self.index.folder_named(place.path)
        for at in (like, named, self.index.folder_like(node)):
            old = None if at is None else self.index.node(at)
            if isinstance(old, FolderNode):
                return old, at
        return None, None

    def _merge(
        self, new: FolderNode, old: FolderNode | None, place: Location, like: Location | None
    ) -> None:
        """The entries of a folder, by their difference to those of another."""
        run = _Run(self)
        late = self._late(old, new)
        entries = old.entries if old is not None else ()
        for name, left, right in _side_by_side(entries, new.entries):
            if right is None or (name == COMPILED and late and left is not None):
                run.drop()
            elif name == COMPILED and late:
                continue
            elif left is not None and left.key == right.key:
                run.keep(right)
            elif left is not None and self.following.leads(left, right):
                run.follow(left, right)
            else:
                run.flush()
                below = Location(place.source, (*place.path, name))
                self._entry(name, left, right, below, _own(like, name))
        run.flush_kept()
        if late:
            below = Location(place.source, (*place.path, COMPILED))
            self.node(COMPILED, late, below, _own(like, COMPILED))
        self._add(End())

    def _late(self, old: FolderNode | None, new: FolderNode) -> FolderNode | None:
        """The folder of compiled modules, if it is not what it was: it waits for their sources."""
        found = new.get(COMPILED) if self.modules.interpreter else None
        before = old.get(COMPILED) if old is not None else None
        if not isinstance(found, FolderNode) or (before is not None and before.key == found.key):
            return None
        return found

    def _entry(
        self, name: bytes, old: Node | None, new: Node, place: Location, like: Location | None
    ) -> None:
        if old is not None and _differs_in_metadata(old, new):
            self._tell(new.metadata, None)
            self._add(Same())
        elif isinstance(old, FolderNode) and isinstance(new, FolderNode) and not self._is_had(new):
            self._opens(Here(), new, old)
            self._merge(new, old, place, like)
        else:
            self.node(None if old is not None else name, new, place, like, old)

    def _is_had(self, folder: FolderNode) -> bool:
        return self.index.find(folder) is not None

    def count_followed(self, old: Node, new: Node) -> None:
        """Count what is written when references follow."""
        if isinstance(old, FolderNode) and isinstance(new, FolderNode):
            for (_, before), (_, after) in zip(old.entries, new.entries, strict=True):
                self.count_followed(before, after)
        elif isinstance(new, FileNode) and old.key != new.key:
            self._count(new)

    def _count(self, file: FileNode) -> None:
        self.result.content_bytes += file.size_bytes
        self.result.space_bytes += file_space(file.size_bytes)
        self.result.inodes += file_inodes(file.size_bytes)

    def _add(self, step: Step, *, work: int = 0) -> None:
        self.result.steps.append(step)
        self.result.work += work


def _differs_in_metadata(old: Node, new: Node) -> bool:
    """Whether a file or link has the content of another one."""
    return not isinstance(new, FolderNode) and old.content_key == new.content_key


@dataclass(slots=True)
class _Run:
    """Neighbours that are kept, follow, or are dropped, until something else comes.

    What is kept and costs little to look through may stand among what follows: one run is shorter
    than three.
    """

    describer: _Describer
    kept: list[Node] = field(default_factory=list)
    follows: bool = False  # something among what is kept
    large: bool = False
    looked_through: int = 0  # bytes of files, if something among them follows
    dropped: int = 0

    def keep(self, node: Node) -> None:
        small = _is_small(node)
        if self.dropped or (self.follows and not (small and self._is_steady(node))):
            self.flush()
        self.large |= not small
        self._add(node)

    def follow(self, old: Node, new: Node) -> None:
        joins = self.follows or (not self.large and all(map(self._is_steady, self.kept)))
        if self.dropped or not joins:
            self.flush()
        self.follows = True
        self._add(old)
        self.describer.count_followed(old, new)

    def _is_steady(self, node: Node) -> bool:
        """Whether a node stays as it is when references in it follow."""
        return self.describer.following.leads(node, node)

    def _add(self, node: Node) -> None:
        self.kept.append(node)
        self.looked_through += 0 if self.large else file_bytes(node)

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
            self.describer._add(step(len(self.kept)), work=work)
            self.kept, self.looked_through = [], 0
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
