"""Changing a stream by its structure: what a builder with a bug, or a thief of its key, would send.

Bytes changed at random are refused by the first check that they meet. Here a stream is read into
what it means, some of that is changed, and it is written again with everything right around it:
lengths, sums, hashes, signatures. So it gets as far as what was changed.
"""

import dataclasses
import io
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from reconix.nix.signatures import SecretKey
from reconix.store.images.nodes import Metadata
from reconix.store.manifest import Manifest
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.format.bases import View
from reconix.transfer.format.packing import Channel, Unpacker
from reconix.transfer.format.payload_head import (
    Need,
    PayloadHead,
    parse_payload_head,
    print_payload_head,
)
from reconix.transfer.format.plan import (
    Copied,
    Copies,
    Corrections,
    Event,
    Location,
    Piece,
    Printer,
    Source,
    parse,
)
from reconix.transfer.format.stream import Header, StreamReader
from reconix.transfer.sending.packer import Packer
from reconix.transfer.sending.signing import Signer
from reconix.transfer.sending.writer import StreamWriter

Thing = TypeVar("Thing")

NUMBERS = (0, 1, 2, 7, 255, 4096, 1 << 16, 1 << 20, 1 << 28, 1 << 31, 1 << 40, 1 << 59, 1 << 62)
NAMES = (b"..", b".", b"", b"\0", b"/", b"a/b", b"a" * 255, b"a" * 256, b"\xff\xfe", b"b", b"zz")
ATTRIBUTES = (b"user.a", b"security.capability", b"trusted.overlay.metacopy", b"a", b"user.")
PATHS = (
    (),
    (b"..",),
    (b"program",),
    (b"same",),
    (b"same", b"link"),
    (b"a",) * 300,
    (b"packed.xz",),
)


@dataclass(frozen=True)
class Taken:
    """A stream for one base, as what it means."""

    header: Header
    head: PayloadHead
    objects: tuple[tuple[Event, ...], ...]

    @classmethod
    def apart(cls, stream: bytes, base: Manifest) -> "Taken":
        reader = StreamReader(io.BytesIO(stream).read)
        payload = Unpacker(reader)
        head = parse_payload_head(payload, View.whole(base))
        return cls(reader.header, head, tuple(tuple(parse(payload)) for _ in head.needs))

    def together(self, base: Manifest, key: SecretKey) -> bytes:
        """Write it, with everything right that is told twice, and sign it."""
        needs = self.head.needs
        header = replace(
            self.header,
            objects=len(needs),
            content_bytes=sum(need.content_bytes for need in needs),
            space_bytes=sum(need.space_bytes for need in needs),
            inodes=sum(need.inodes for need in needs),
        )
        written = io.BytesIO()
        writer = StreamWriter(written.write, header, Signer((key,)))
        packer = Packer(writer.payload)
        packer.write(print_payload_head(self.head, View.whole(base)))
        printer = Printer(packer)
        for events in self.objects:
            for event in events:
                printer.feed(event)
        packer.finish()
        writer.finish()
        return written.getvalue()


class Mutation:
    """Changes a few things in a stream; the same number gives the same changes."""

    def __init__(self, number: int) -> None:
        self._noise = random.Random(number)

    def of(self, right: Taken) -> Taken:
        """Another stream."""
        changed = right
        for _ in range(self._noise.randint(1, 3)):
            if self._noise.random() < 0.15:
                changed = replace(changed, head=self._head(changed.head))
            else:
                changed = replace(changed, objects=self._objects(changed.objects))
        return changed

    def _head(self, head: PayloadHead) -> PayloadHead:
        at = self._noise.randrange(len(head.needs))
        need = head.needs[at]
        name = self._noise.choice(["content_bytes", "space_bytes", "inodes"])
        other: Need = self._with(need, name)
        return replace(head, needs=(*head.needs[:at], other, *head.needs[at + 1 :]))

    def _objects(self, objects: Sequence[Sequence[Event]]) -> tuple[tuple[Event, ...], ...]:
        which = self._noise.choices(range(len(objects)), [len(each) for each in objects])[0]
        events = list(objects[which])
        at, to = self._noise.randrange(len(events)), self._noise.randrange(len(events))
        match self._noise.randrange(8):
            case 0:
                del events[at]
            case 1:
                events[at:at] = [events[at]] * self._noise.choice([1, 2, 50])
            case 2:
                events[at], events[to] = events[to], events[at]
            case 3:
                events[at:at] = events[to : to + self._noise.randint(1, 4)]
            case _:
                events[at] = self._event(events[at])
        return tuple(tuple(events) if n == which else tuple(e) for n, e in enumerate(objects))

    def _event(self, event: Event) -> Event:
        if isinstance(event, Piece):
            return Piece(event.data[: self._number(len(event.data))] or b"x")
        if isinstance(event, Copied):
            return event
        names = [field.name for field in dataclasses.fields(event)]
        return self._with(event, self._noise.choice(names)) if names else event

    def _with(self, thing: Thing, name: str) -> Thing:
        value = self._value(getattr(thing, name))
        return replace(thing, **{name: value})  # type: ignore[type-var]

    def _value(self, value: object) -> object:
        match value:
            case bool():
                return not value
            case Pack() | Channel():
                choice = [Channel.TEXT, Channel.BINARY, Channel.CODE]
                return self._noise.choice(choice if isinstance(value, Channel) else list(Pack))
            case int():
                return self._number(value)
            case bytes():
                return self._noise.choice([*NAMES, value + b"x", value * 20])
            case Location():
                return self._location(value)
            case Copies():
                return self._copies(value)
            case Corrections():
                return self._corrections(value)
            case Metadata():
                return self._metadata(value)
            case tuple():
                return self._sources(value)
        return value

    def _number(self, number: int) -> int:
        near = [max(0, number - 1), number + 1, 2 * number, number // 2]
        return self._noise.choice([*near, *NUMBERS])

    def _location(self, place: Location) -> Location:
        if self._noise.random() < 0.5:
            return replace(place, path=self._noise.choice(PATHS))
        return replace(place, source=self._number(place.source))

    def _copies(self, copies: Copies) -> Copies:
        if not len(copies):
            return Copies.of([(0, 0, 1)] * self._noise.choice([1, 100]))
        columns = [array("Q", each) for each in (copies.origins, copies.gaps, copies.lengths)]
        column = self._noise.choice(columns)
        at = self._noise.randrange(len(column))
        column[at] = self._number(column[at])
        times = self._noise.choice([1, 1, 2, 40])
        return Copies(*(each * times for each in columns))

    def _corrections(self, corrections: Corrections) -> Corrections:
        some = [(self._number(n), self._number(n)) for n in range(self._noise.choice([1, 9, 999]))]
        return Corrections.of([*corrections, *some])

    def _metadata(self, found: Metadata) -> Metadata:
        attributes = ((self._noise.choice(ATTRIBUTES), self._noise.choice(NAMES)),)
        match self._noise.randrange(5):
            case 0:
                return found._replace(mode=self._number(found.mode))
            case 1:
                return found._replace(user=self._number(found.user))
            case 2:
                return found._replace(group=self._number(found.group))
            case 3:
                return found._replace(mtime=self._number(found.mtime))
        return found._replace(attributes=self._noise.choice([(), attributes, attributes * 2]))

    def _sources(self, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        if not sources or self._noise.random() < 0.2:
            return (*sources, *sources, Source(Location(0, (b"packed.gz",))))
        name = self._noise.choice([field.name for field in dataclasses.fields(Source)])
        first = sources[0]
        if name == "location":
            return (replace(first, location=Location(0, self._noise.choice(PATHS))), *sources[1:])
        return (self._with(first, name), *sources[1:])
