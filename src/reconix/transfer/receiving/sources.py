"""What a device has and a stream refers to: trees of the base, and of objects made by then.

The old trees are read from the images of the base, which are compared with their digests first: so
they are what the sender saw. Contents are not compared before they are used. What was used is
remembered, and verified if the result is wrong (``damage``).

Tested by ``tests/unit/transfer/receiving/test_receive.py``.
"""

import os
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass, field
from reconix.store.images.image import BadImage
from reconix.store.images.nodes import ImageFile, ImageFolder, Node, contents
from reconix.store.intact import a_few
from reconix.store.manifest import ImageEntry, Manifest
from reconix.store.paths import StorePath
from reconix.store.pool import BadContent
from reconix.store.registry import ImageMissing, Registry
from reconix.transfer.codecs.modules import Compiler
from reconix.transfer.codecs.renames import Renames
from reconix.transfer.format.costs import Wrong
from reconix.transfer.format.plan import Location
from reconix.transfer.receiving.contents import Contents


class DamagedBase(ReconixError):
    """What the device has is not what the base generation promises."""

    exit_code = 55

    def __init__(self, path: str, what: str) -> None:
        super().__init__(
            f"{path} is damaged: {what}",
            hint="nothing was installed; repair it first: `reconix repair --to DEVICE`",
        )
        self.path = path


@dataclass(slots=True)
class BaseTrees:
    """The objects of a base, as trees.

    Attributes:
        registry: has them.
        base: which ones; none without a base.
        present: contents of which it is known that they are there.
    """

    registry: Registry
    base: Manifest | None
    present: set[bytes] = field(default_factory=set)
    _trees: dict[StorePath, Node] = field(default_factory=dict)

    def tree(self, path: StorePath) -> Node:
        """The whole tree of an object.

        Raises:
            DamagedBase: its image is missing, or altered.
        """
        if path not in self._trees:
            entry = None if self.base is None else self.base.image_of(path)
            assert entry is not None  # the head of the stream was checked
            try:
                self._read(entry)
            except ImageMissing as error:
                raise DamagedBase(str(path), str(error)) from error
        return self._trees[path]

    def expect_whole(self, entries: Iterable[ImageEntry]) -> None:
        """Check images, and that the contents which they name are there.

        Raises:
            DamagedBase: an image was altered.
            ImageMissing, BadContent: something is not there.
        """
        for entry in entries:
            self._read(entry)
            for path in entry.objects:
                self.expect_contents(self._trees[path])

    def expect_contents(self, tree: Node) -> None:
        """Check that the contents of a tree are there; none is looked for twice.

        Raises:
            BadContent: one is missing.
        """
        pool, present = self.registry.pool, self.present
        for digest, size_bytes in contents(tree):
            if digest not in present:
                if not pool.has(digest, size_bytes):
                    raise BadContent(digest, "is missing")
                present.add(digest)

    def _read(self, entry: ImageEntry) -> None:
        try:
            image = self.registry.verify_image(entry)
            trees = [(path, image.tree(path.basename.encode())) for path in entry.objects]
        except BadImage as error:
            raise DamagedBase(a_few(entry.objects), str(error)) from error
        for path, tree in trees:
            if tree is None:
                raise DamagedBase(str(path), f"the image {entry.sha256.hex()} lacks it")
            self._trees[path] = tree


@dataclass(frozen=True, slots=True)
class _Object:
    """An object that can be referred to.

    Attributes:
        path: what it is called.
        tree: all of it.
        seen: without what is left out, because other bases do not have it.
    """

    path: StorePath
    tree: Node
    seen: Node


@dataclass(slots=True)
class Sources:
    """Finds the places that a stream refers to.

    Args:
        old: the objects of the base.
        columns: those of them that the stream refers to, in its order.
        target: all objects of the target; they are counted behind the columns.
        sent: those of them that are in the stream.
        left_out: what is not seen when a folder is looked through.
        renames: references that follow.
        contents: where contents are.
        wrong: makes an error that names the place in the stream.
        compiler: makes modules.
    """

    old: BaseTrees
    columns: Sequence[StorePath]
    target: Sequence[StorePath]
    sent: Collection[StorePath]
    left_out: Collection[Location]
    renames: Renames
    contents: Contents
    wrong: Wrong
    compiler: Compiler
    _objects: dict[int, _Object] = field(default_factory=dict)
    _used: dict[bytes, tuple[int, str]] = field(default_factory=dict)

    def set(self, number: int, tree: Node) -> None:
        """An object of the target can be referred to from now on."""
        self._objects[number] = _Object(self.path(number), tree, tree)

    def path(self, number: int) -> StorePath:
        """What the object of a number is called."""
        old = len(self.columns)
        return self.columns[number] if number < old else self.target[number - old]

    def shown(self, location: Location) -> str:
        """A location as text, for messages."""
        path = str(self.path(location.source))
        return f"{path}/{os.fsdecode(b'/'.join(location.path))}" if location.path else path

    def find(self, location: Location) -> Node:
        """What stands in a place; what is left out can be found, too.

        Raises:
            BadStream: nothing.
            DamagedBase: the object cannot be read.
        """
        held = self._object(location.source)
        found = below(held.seen, location.path) or below(held.tree, location.path)
        if found is None:
            raise self.wrong(f"there is no {self.shown(location)}")
        return found

    def tree(self, path: StorePath) -> Node:
        """The tree of an object of the target, new or old."""
        if path not in self.sent:
            return self.old.tree(path)
        return self._objects[len(self.columns) + bisect_left(self.target, path)].tree

    def open(self, file: ImageFile, shown: str) -> int:
        """Open the content of an old file; ``shown`` is where it stands.

        Raises:
            DamagedBase: it is not there.
        """
        try:
            descriptor = self.contents.open(file)
        except OSError as error:
            raise DamagedBase(shown, f"its content is missing: {error}") from error
        if not file.is_inline:
            self._used.setdefault(file.content, (file.size_bytes, shown))
        if os.fstat(descriptor).st_size != file.size_bytes:
            os.close(descriptor)
            raise DamagedBase(shown, "its content has another size")
        return descriptor

    def expect_undamaged(self) -> None:
        """Verify all old contents that were used.

        Raises:
            DamagedBase: some were altered; names files that have them.
        """
        damaged = [
            shown
            for digest, (size_bytes, shown) in self._used.items()
            if not self._is_intact(digest, size_bytes)
        ]
        if damaged:
            raise DamagedBase(a_few(damaged), "its content was altered")

    def _is_intact(self, digest: bytes, size_bytes: int) -> bool:
        try:
            self.contents.pool.verify(digest, size_bytes)
        except BadContent:
            return False
        return True

    def _object(self, number: int) -> _Object:
        held = self._objects.get(number)
        if held is None:
            if not self._is_old(number):
                raise self.wrong(f"a reference to object {number}, which is not available")
            held = self._objects[number] = self._read(number)
        return held

    def _is_old(self, number: int) -> bool:
        """Whether the base has the object of a number."""
        if number < len(self.columns):
            return True
        at = number - len(self.columns)
        return at < len(self.target) and self.target[at] not in self.sent

    def _read(self, number: int) -> _Object:
        path = self.path(number)
        tree = self.old.tree(path)
        hidden = [place.path for place in self.left_out if place.source == number]
        return _Object(path, tree, _without(tree, hidden))


def below(node: Node, path: Sequence[bytes]) -> Node | None:
    """What stands below a node; no link is followed."""
    found: Node | None = node
    for name in path:
        found = entry(found.entries, name) if isinstance(found, ImageFolder) else None
    return found


def entry(entries: Sequence[tuple[bytes, Node]], name: bytes) -> Node | None:
    """The entry of that name, of sorted ones; there may be very many."""
    at = bisect_left(entries, name, key=_name)
    return entries[at][1] if at < len(entries) and entries[at][0] == name else None


def _name(entry: tuple[bytes, Node]) -> bytes:
    return entry[0]


def _without(node: Node, paths: Sequence[Sequence[bytes]]) -> Node:
    """A tree without what stands under these paths."""
    if not paths or not isinstance(node, ImageFolder):
        return node
    inside: dict[bytes, list[Sequence[bytes]]] = {}
    for path in paths:
        inside.setdefault(path[0], []).append(path[1:])
    entries = (
        (name, _without(child, [path for path in inside.get(name, ()) if path]))
        for name, child in node.entries
        if () not in inside.get(name, ())
    )
    return node._replace(entries=tuple(entries))
