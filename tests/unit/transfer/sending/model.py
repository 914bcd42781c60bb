"""What the events of an object mean, in as few words as may be; a second receiver, for tests alone.

It makes nodes with contents, so nothing of the device's code is in it.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reconix.store.images.nodes import EXECUTABLE, LINK, Metadata, usual
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.codecs.renames import NO_RENAMES, Renames
from reconix.transfer.format.plan import (
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
from reconix.transfer.sending import trees


@dataclass(frozen=True)
class Made:
    """A node with all that there is to say about it."""

    metadata: Metadata
    content: "bytes | Link | Mapping[bytes, Made]"


def of(node: trees.Node) -> Made:
    """A node of a sender."""
    if isinstance(node, trees.FileNode):
        return Made(node.metadata, node.read())
    if isinstance(node, trees.LinkNode):
        return Made(node.metadata, Link(None, node.target))
    return Made(node.metadata, {name: of(below) for name, below in node.entries})


@dataclass
class Maker:
    """Makes one object."""

    old: Mapping[int, Made]
    own: int
    renames: Renames = NO_RENAMES
    made: dict[tuple[bytes, ...], Made] = field(default_factory=dict)
    written: list[int] = field(default_factory=list)  # sizes of files

    @property
    def paid(self) -> tuple[int, int, int]:
        """Content, space and inodes, as the specification counts them."""
        pooled = [size for size in self.written if size > 64]
        return sum(self.written), sum(-(-size // 4096) * 4096 for size in pooled), len(pooled)

    def make(self, events: Iterator[Event]) -> Made:
        """The object; nothing may follow."""
        node = self._node(next(events), events, None, ())
        assert next(events, None) is None
        return node

    def _node(
        self, event: Event, events: Iterator[Event], old: Made | None, path: tuple[bytes, ...]
    ) -> Made:
        told = None
        if isinstance(event, Meta):
            told, event = event.metadata, next(events)
        node = self._untold(event, events, old, path)
        node = Made(told or node.metadata, node.content)
        self.made[path] = node
        return node

    def _untold(
        self, event: Event, events: Iterator[Event], old: Made | None, path: tuple[bytes, ...]
    ) -> Made:
        match event:
            case File(_, size, executable):
                self.written.append(size)
                return Made(usual(executable=executable), _joined(events, size))
            case Patched(_, size, executable, parts):
                self.written.append(size)
                content = b"".join(self._part(events, old) for _ in range(parts))
                assert len(content) == size
                return Made(usual(executable=executable), content)
            case Link(_, target):
                return Made(LINK, Link(None, target))
            case Take(_, location):
                return self._find(location)
            case Same():
                assert old is not None
                return old
            case New():
                return Made(EXECUTABLE, self._entries(events, {}, path))
            case Like(_, location):
                return self._like(self._find(location), events, path)
            case Here():
                assert old is not None
                return self._like(old, events, path)
        raise AssertionError(event)

    def _like(self, old: Made, events: Iterator[Event], path: tuple[bytes, ...]) -> Made:
        assert isinstance(old.content, Mapping)
        return Made(old.metadata, self._entries(events, old.content, path))

    def _entries(
        self, events: Iterator[Event], old: Mapping[bytes, Made], path: tuple[bytes, ...]
    ) -> dict[bytes, Made]:
        waiting = sorted(old.items(), reverse=True)
        found: dict[bytes, Made] = {}
        while not isinstance(event := next(events), End):
            if isinstance(event, Keep | Follow | Drop):
                for name, node in [waiting.pop() for _ in range(event.count)]:
                    if not isinstance(event, Drop):
                        found[name] = self._after(node) if isinstance(event, Follow) else node
                continue
            described = [event, next(events)] if isinstance(event, Meta) else [event]
            said: bytes | None = getattr(described[-1], "name", None)
            name, replaced = waiting.pop() if said is None else (said, None)
            rest = itertools.chain(described[1:], events)
            found[name] = self._node(event, rest, replaced, (*path, name))
        assert list(found) == sorted(found)
        return found

    def _find(self, location: Location) -> Made:
        if location.source == self.own:
            return self.made[location.path]
        node = self.old[location.source]
        for name in location.path:
            assert isinstance(node.content, Mapping)
            node = node.content[name]
        return node

    def _part(self, events: Iterator[Event], old: Made | None) -> bytes:
        part = next(events)
        assert isinstance(part, Part) and part.pack is Pack.NONE and part.targets is None
        source = b"".join(self._source(each.location, old, each.follows) for each in part.sources)
        made = b""
        while len(made) < part.size_bytes:
            event = next(events)
            made += _copied(event, source) if isinstance(event, Copied) else _piece(event)
        return made

    def _source(self, location: Location | None, old: Made | None, follows: bool) -> bytes:
        node = old if location is None else self._find(location)
        assert node is not None and isinstance(node.content, bytes)
        return self.renames.apply(node.content) if follows else node.content

    def _after(self, node: Made) -> Made:
        content = node.content
        if isinstance(content, bytes):
            after = self.renames.apply(content)
            self.written += [len(after)] * (after != content)
            return Made(node.metadata, after)
        if isinstance(content, Link):
            return Made(node.metadata, Link(None, self.renames.apply(content.target)))
        return Made(node.metadata, {name: self._after(below) for name, below in content.items()})


def _joined(events: Iterator[Event], size_bytes: int) -> bytes:
    content = b""
    while len(content) < size_bytes:
        content += _piece(next(events))
    return content


def _piece(event: Event) -> bytes:
    assert isinstance(event, Piece)
    return event.data


def _copied(event: Copied, source: bytes) -> bytes:
    made, new, difference = b"", 0, 0
    for origin, gap, length in event.copies:
        made += event.new[new : new + gap]
        added = event.difference[difference : difference + length]
        made += bytes(
            a + b & 0xFF for a, b in zip(source[origin : origin + length], added, strict=True)
        )
        new, difference = new + gap, difference + length
    return made
