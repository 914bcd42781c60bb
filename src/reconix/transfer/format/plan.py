"""The payload of a stream: how the objects of the target are made from those of the base.

Between two generations a handful of files differ among ten thousand. A list of ten thousand files
would cost more than the files. So a folder is described as a *difference to a folder that the
device has*: keep the next 812 entries of it, drop one, change the next one in this way::

    payload = head object*
    object  = node
    node    = meta? ( file | patched | link | folder | "take" location | alternatives )
    alternatives = "alternatives" pick* node*    variants of a file; each base picks one
    folder  = "new" entry* end
            | ( "like" location | "here" ) step* end
    step    = entry | change | "keep" n | "follow" n | "drop" n
    entry   = name node
    change  = node | meta "same"     instead of the next entry of the folder that it is like
    meta    = "meta" difference      metadata of the node that follows

``location`` is a path inside an object of the base, or inside one of the target that came earlier.
``here`` means: like the entry of the outer folder that is changed.

A node that comes from an old one has its metadata, any other has what Nix gives it, unless it is
told. *Metadata* (``store/images/nodes.py``) are told by their difference to those that were told
before in the same object, so those of a whole folder take two bytes each.

A position in a folder means something only if the folder is what the sender saw. So a device
verifies an image before it reads an old tree from it. What counts in the end are the digests of the
images that are made.

A file that is *patched* consists of parts. Each is made by copying from old files, where something
is added to every byte of a copy, most often 0, and by new content between the copies. A part that
is compressed in the file is made in its expanded form and compressed again (``Pack``). A compiled
module is made from its source. So that this is there by then, the folder ``__pycache__`` may come
last of all that is in a folder.

Here a node is a sequence of events. ``parse`` makes them from a payload, ``Printer`` encodes them.

The format, byte by byte: ``docs/spec/stream.md``.
Tested by ``tests/unit/transfer/format/test_plan.py``.
"""

import enum
import operator
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import Protocol

from reconix.base.records import dataclass
from reconix.store.images.metadata import BadMetadata, check_metadata
from reconix.store.images.nodes import MAX_ATTRIBUTES_BYTES, Attributes, Metadata
from reconix.store.names import (
    MAX_DEPTH,
    MAX_NAME_BYTES,
    MAX_TARGET_BYTES,
    BadName,
    check_name,
    check_target,
)
from reconix.transfer.codecs.modules import MAX_MADE_BYTES, MAX_SOURCE_BYTES
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.format.packing import Channel, Channels
from reconix.transfer.format.stream import unzigzag, varint, zigzag

MAX_PATH_BYTES = 4095
MAX_SIZE = 1 << 60
MAX_ATTRIBUTES = 256
"""Of one node."""

MAX_PARTS = 1 << 14
MAX_SOURCES = 8
MAX_COPIES = 1 << 17
"""More copies are not held at once: they take 3 MiB."""
MAX_CORRECTIONS = 1 << 16
MAX_SHIFT = 1 << 60
"""No correction is at a higher address, or moves anything further."""
MAX_EXPANDED_BYTES = 256 << 20
"""No part that is compressed, and no compressed member of an old file, is larger."""

COMPILED = b"__pycache__"
"""The folder of compiled modules; it may come last of all entries of a folder."""


class Op(enum.IntEnum):
    """The first byte of each step; ``NAMED`` is added where a name follows."""

    END = 0
    KEEP = 1
    DROP = 2
    FOLLOW = 3
    META = 4
    SAME = 5
    FILE = 8
    EXECUTABLE = 9
    LINK = 10
    NEW = 11
    LIKE = 12
    HERE = 13
    TAKE = 14
    PATCHED = 15
    PATCHED_EXECUTABLE = 16
    ALTERNATIVES = 17


_NAMED = 0x40
_COPIED_BYTES = 1 << 16  # what is copied at once, with what is between
_COPIED_AT_ONCE = 1 << 12
_CHANNELS = Channel.CODE - Channel.TEXT + 1  # of content
_NODES = frozenset(
    {
        *(Op.FILE, Op.EXECUTABLE, Op.LINK, Op.NEW, Op.LIKE, Op.TAKE),
        *(Op.PATCHED, Op.PATCHED_EXECUTABLE, Op.ALTERNATIVES),
    }
)
_VARIANTS = frozenset({Op.FILE, Op.EXECUTABLE, Op.PATCHED, Op.PATCHED_EXECUTABLE, Op.TAKE})
_STEPS = frozenset({Op.KEEP, Op.DROP, Op.FOLLOW, Op.HERE, Op.SAME})
"""They need a folder to refer to, and have no name."""
_WITHOUT_METADATA = frozenset({Op.END, Op.KEEP, Op.DROP, Op.FOLLOW, Op.META})

FIRST_METADATA = Metadata(0o644, 0, 0, 0)
"""What the metadata that are told first in an object are the difference to."""
_MODE, _USER, _GROUP, _MTIME, _ATTRIBUTES = 1, 2, 4, 8, 16
"""What of metadata is told."""


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in an object that the device has.

    Objects of the base are counted first, in the order of its manifest, then those of the target.
    """

    source: int
    path: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A regular file; ``Piece`` events with exactly this much content follow."""

    name: bytes | None  # None: it replaces the next entry of the folder that this one is like
    size_bytes: int
    executable: bool
    channel: Channel = Channel.BINARY  # TEXT, BINARY or CODE, with its content


@dataclass(frozen=True, slots=True)
class Piece:
    """The next new content of the open file or part; never empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """Old content to copy from: a file, or what is packed in it."""

    location: Location | None  # None: the entry that the patched file replaces
    pack: Pack = Pack.NONE
    offset: int = 0  # these three only if something is packed: where, how much,
    packed_bytes: int = 0
    size_bytes: int = 0  # and how much it is when expanded
    follows: bool = False  # its references are replaced first; only if nothing is packed
    prefix: bytes = b""  # of a module: what stands before its path where it is run


@dataclass(frozen=True, slots=True)
class Copies:
    """What is copied into a part, in order; a *gap* is new content before a copy."""

    origins: "array[int]"  # places in the sources, one after the other
    gaps: "array[int]"
    lengths: "array[int]"

    @classmethod
    def of(cls, copies: Iterable[tuple[int, int, int]]) -> "Copies":
        """Take origins, gaps and lengths."""
        listed = list(copies)
        return cls(*(array("Q", (copy[index] for copy in listed)) for index in range(3)))

    def __len__(self) -> int:
        return len(self.origins)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        return zip(self.origins, self.gaps, self.lengths, strict=True)

    def moves(self) -> Iterator[tuple[int, int, int]]:
        """From where to where how much goes."""
        at = 0
        for origin, gap, length in self:
            yield origin, at + gap, length
            at += gap + length


@dataclass(frozen=True, slots=True)
class Corrections:
    """Corrections to references in old content, moved by ``transfer/codecs/references.py``."""

    addresses: "array[int]"  # rising
    shifts: "array[int]"

    @classmethod
    def of(cls, corrections: Iterable[tuple[int, int]]) -> "Corrections":
        """Take addresses and shifts."""
        listed = list(corrections)
        return cls(*(array("q", (each[index] for each in listed)) for index in range(2)))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.addresses, self.shifts, strict=True)


@dataclass(frozen=True, slots=True)
class Patched:
    """A file that is made from old ones; its parts follow."""

    name: bytes | None
    size_bytes: int
    executable: bool
    parts: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a patched file; ``Piece`` and ``Copied`` events follow as its copies say."""

    pack: Pack
    size_bytes: int  # expanded
    channel: Channel  # TEXT, BINARY or CODE, with its new content
    sources: tuple[Source, ...]
    copies: Copies
    targets: Corrections | None = None  # None: references in the sources stay as they are
    types_at: int | None = None  # with targets: where what they say of types is, if that moves too


@dataclass(frozen=True, slots=True)
class Copied:
    """The next copies of a part, each behind the new content before it; never much at once.

    There may be a hundred of them in the time that one event takes. So a parser gives them
    together; they are encoded one after the other.
    """

    copies: Sequence[tuple[int, int, int]]  # origin in the sources, size of the gap before, length
    new: bytes  # what is in the gaps
    difference: bytes  # what is to be added to the old bytes, each to each modulo 256

    @property
    def data(self) -> bytes:
        """All of it that is in the stream; as long as what it makes."""
        return self.new + self.difference


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    name: bytes | None
    target: bytes


@dataclass(frozen=True, slots=True)
class Take:
    """A whole node that the device has somewhere."""

    name: bytes | None
    location: Location


@dataclass(frozen=True, slots=True)
class Alternatives:
    """A file that is made in a different way from each base.

    The variants follow, each as a file, a patched file or a take without a name. A parser for a
    device gives the one that the device picks, and neither the others nor this.
    """

    name: bytes | None
    picks: tuple[int, ...]  # for each base the number of its variant, in order of first use


@dataclass(frozen=True, slots=True)
class Which:
    """Which of the bases of a stream a device has."""

    number: int
    count: int


ONLY = Which(0, 1)


@dataclass(frozen=True, slots=True)
class New:
    """A folder opens that is described from nothing."""

    name: bytes | None


@dataclass(frozen=True, slots=True)
class Like:
    """A folder opens that is described by its difference to another."""

    name: bytes | None
    location: Location


@dataclass(frozen=True, slots=True)
class Here:
    """The next entry of the source is a folder; it is described by its difference to itself."""


@dataclass(frozen=True, slots=True)
class Keep:
    """The next entries of the source are here too, with all that they contain."""

    count: int


@dataclass(frozen=True, slots=True)
class Follow:
    """The same, but all references in them follow: ``transfer/codecs/renames.py``."""

    count: int


@dataclass(frozen=True, slots=True)
class Meta:
    """The metadata of the node that follows, which would have others."""

    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Same:
    """The next entry of the source, a file or link, is here, but with other metadata."""


@dataclass(frozen=True, slots=True)
class Drop:
    """The next entries of the source are not here."""

    count: int


@dataclass(frozen=True, slots=True)
class End:
    """The innermost folder is complete; what is left of its source is not here."""


Node = File | Patched | Link | Take | New | Like  # what may have a name
Event = Node | Part | Piece | Copied | Here | Keep | Follow | Drop | Meta | Same | End
Printed = Event | Alternatives


class Sink(Protocol):
    """Where a plan is written to: ``packer.Packer``."""

    def write(self, data: bytes, channel: Channel = Channel.PLAN) -> None:
        """Append to a channel."""


def parse(
    payload: Channels, which: Which = ONLY, skip: Callable[[Event], None] | None = None
) -> Iterator[Event]:
    """Give the events of one node, as they are for one of the bases.

    Names are validated here, and that a step which needs a source folder has one. Their order is
    checked later, by the receiver, which knows the names of the source.

    Args:
        payload: where the node comes next.
        which: for which of the bases.
        skip: takes what is read for other bases.

    Raises:
        BadStream: at the first byte that is wrong.
    """
    has_source: list[bool] = []  # for each open folder
    told = FIRST_METADATA
    while True:
        op, name = _parse_op(payload, has_source)
        if op == Op.META:
            told = _parse_metadata(payload, told)
            yield Meta(told)
            op, name = _parse_described(payload, has_source)
        elif op == Op.SAME:
            raise payload.wrong("an entry is the same, and has no other metadata")
        if op == Op.ALTERNATIVES:
            yield from _parse_choice(payload, name, which, skip or _ignore)
        else:
            event = _parse_event(payload, op, name)
            yield event
            yield from _parse_content(payload, event)
            if isinstance(event, New | Like | Here):
                has_source.append(not isinstance(event, New))
                if len(has_source) > MAX_DEPTH:
                    raise payload.wrong(f"folders are nested deeper than {MAX_DEPTH}")
            elif isinstance(event, End):
                has_source.pop()
        if not has_source:
            return


def _parse_content(payload: Channels, event: Event) -> Iterator[Event]:
    """What follows a file; nothing for all else."""
    if isinstance(event, File):
        yield from _pieces(payload, event.size_bytes, event.channel)
    elif isinstance(event, Patched):
        for _ in range(event.parts):
            yield from _parse_part(payload)


def _ignore(_: Event) -> None:
    """Ignore what is for other bases."""


def _parse_choice(
    payload: Channels, name: bytes | None, which: Which, skip: Callable[[Event], None]
) -> Iterator[Event]:
    """Read all variants; give the events of ours."""
    if which.count < 2:
        raise payload.wrong("alternatives where there is only one base")
    picks = _parse_picks(payload, which.count)
    for variant in range(max(picks) + 1):
        op = payload.take(1)[0]
        if op not in _VARIANTS:
            raise payload.wrong(f"no variant begins with {op:#04x}")
        event = _parse_event(payload, op, name)
        if variant == picks[which.number]:
            yield event
            yield from _parse_content(payload, event)
        else:
            for skipped in _parse_content(payload, event):
                skip(skipped)


def _parse_picks(payload: Channels, count: int) -> list[int]:
    picks: list[int] = []
    for _ in range(count):
        picks.append(payload.number())
        if picks[-1] > max(picks[:-1], default=-1) + 1:
            raise payload.wrong("variants that are not numbered in order of first use")
    return picks


def _parse_op(payload: Channels, has_source: list[bool]) -> tuple[int, bytes | None]:
    byte = payload.take(1)[0]
    follows = bool(has_source) and has_source[-1]
    if byte == Op.META:
        return byte, None
    if byte & ~_NAMED in _NODES and byte & _NAMED and has_source:
        return byte & ~_NAMED, _parse_name(payload)
    if byte in _NODES and (follows or not has_source):
        return byte, None
    if (byte in _STEPS and follows) or (byte == Op.END and has_source):
        return byte, None
    raise payload.wrong(f"no step begins with {byte:#04x} here")


def _parse_described(payload: Channels, has_source: list[bool]) -> tuple[int, bytes | None]:
    """What comes after metadata."""
    op, name = _parse_op(payload, has_source)
    if op in _WITHOUT_METADATA:
        raise payload.wrong(f"metadata of what begins with {op:#04x}")
    return op, name


def _parse_metadata(payload: Channels, before: Metadata) -> Metadata:
    flags = _parse_bounded(payload, 2 * _ATTRIBUTES - 1, "is no kind of metadata")
    mode = payload.number() if flags & _MODE else before.mode
    user = payload.number() if flags & _USER else before.user
    group = payload.number() if flags & _GROUP else before.group
    mtime = before.mtime + (unzigzag(payload.number()) if flags & _MTIME else 0)
    attributes = _parse_attributes(payload) if flags & _ATTRIBUTES else before.attributes
    found = Metadata(mode, user, group, mtime, attributes)
    try:
        check_metadata(found)
    except BadMetadata as error:
        raise payload.wrong(f"a node with {error}") from error
    return found


def _parse_attributes(payload: Channels) -> Attributes:
    count = _parse_bounded(payload, MAX_ATTRIBUTES, "attributes")
    found, left = [], MAX_ATTRIBUTES_BYTES
    for _ in range(count):
        name = parse_bytes(payload, left, "an attribute")
        value = parse_bytes(payload, left - len(name), "an attribute")
        left -= len(name) + len(value)
        found.append((name, value))
    return tuple(found)


def _parse_name(payload: Channels) -> bytes:
    name = parse_bytes(payload, MAX_NAME_BYTES, "a name")
    try:
        check_name(name)
    except BadName as error:
        raise payload.wrong(str(error)) from error
    return name


def _parse_event(payload: Channels, op: int, name: bytes | None) -> Event:
    match op:
        case Op.FILE | Op.EXECUTABLE:
            size = _parse_size(payload)
            return File(name, size, op == Op.EXECUTABLE, _parse_channel(payload))
        case Op.PATCHED | Op.PATCHED_EXECUTABLE:
            size = _parse_size(payload)
            parts = _parse_bounded(payload, MAX_PARTS, "parts")
            return Patched(name, size, op == Op.PATCHED_EXECUTABLE, parts)
        case Op.LINK:
            return Link(name, _parse_target(payload))
        case Op.NEW:
            return New(name)
        case Op.LIKE:
            return Like(name, parse_location(payload))
        case Op.TAKE:
            return Take(name, parse_location(payload))
    return _parse_step(payload, op)


def _parse_step(payload: Channels, op: int) -> Event:
    match op:
        case Op.HERE:
            return Here()
        case Op.SAME:
            return Same()
        case Op.KEEP:
            return Keep(_parse_count(payload))
        case Op.FOLLOW:
            return Follow(_parse_count(payload))
        case Op.DROP:
            return Drop(_parse_count(payload))
    return End()


def _parse_size(payload: Channels) -> int:
    size = payload.number()
    if size > MAX_SIZE:
        raise payload.wrong(f"a file of {size} bytes")
    return size


def _parse_target(payload: Channels) -> bytes:
    target = parse_bytes(payload, MAX_TARGET_BYTES, "a link target")
    try:
        check_target(target)
    except BadName as error:
        raise payload.wrong(str(error)) from error
    return target


def parse_location(payload: Channels) -> Location:
    """Read a location."""
    source = payload.number()
    path = parse_bytes(payload, MAX_PATH_BYTES, "a path")
    names = tuple(path.split(b"/")) if path else ()
    try:
        for name in names:
            check_name(name)
    except BadName as error:
        raise payload.wrong(str(error)) from error
    return Location(source, names)


def _parse_bounded(payload: Channels, limit: int, what: str) -> int:
    number = payload.number()
    if number > limit:
        raise payload.wrong(f"{number} {what}, more than {limit}")
    return number


def _parse_channel(payload: Channels) -> Channel:
    kind = _parse_bounded(payload, _CHANNELS - 1, "is no kind of content")
    return Channel(Channel.TEXT + kind)


def _pieces(payload: Channels, size_bytes: int, channel: Channel) -> Iterator[Piece]:
    for data in payload.pieces(size_bytes, channel):
        yield Piece(data)


def _parse_part(payload: Channels) -> Iterator[Event]:
    part = _parse_part_start(payload)
    yield part
    left = part.size_bytes
    run = _Run(payload, part.channel)
    for origin, gap, length in part.copies:
        left -= gap + length
        if run.is_full(gap + length):
            yield from run.end()
        if gap + length > _COPIED_BYTES:
            yield from _pieces(payload, gap, part.channel)
            yield from _long_copy(payload, origin, length)
        else:
            run.take(origin, gap, length)
    yield from run.end()
    yield from _pieces(payload, left, part.channel)


class _Run:
    """Collects copies that are small.

    What belongs to them is taken together, as far as it is decompressed: so that no packet is asked
    for earlier than if it were taken copy by copy.
    """

    def __init__(self, payload: Channels, channel: Channel) -> None:
        self._payload = payload
        self._channel = channel
        self._begin()

    def _begin(self) -> None:
        self._size_bytes = 0
        self._copies: list[tuple[int, int, int]] = []
        self._new: list[bytes] = []
        self._differences: list[bytes] = []
        self._new_due = self._differences_due = 0
        self._look()

    def _look(self) -> None:
        """See how much is at hand."""
        self._new_ready = self._payload.ready_bytes(self._channel)
        self._differences_ready = self._payload.ready_bytes(Channel.DIFFERENCE)

    def take(self, origin: int, gap: int, length: int) -> None:
        """Read what belongs to the next copy, perhaps later."""
        new_due, differences_due = self._new_due + gap, self._differences_due + length
        if new_due > self._new_ready or differences_due > self._differences_ready:
            self._catch_up()
            self._read(gap, length)
            self._look()
        else:
            self._new_due, self._differences_due = new_due, differences_due
        self._copies.append((origin, gap, length))
        self._size_bytes += gap + length

    def _catch_up(self) -> None:
        self._read(self._new_due, self._differences_due)
        self._new_due = self._differences_due = 0

    def _read(self, gap: int, length: int) -> None:
        self._new.append(self._payload.take(gap, self._channel))
        self._differences.append(self._payload.take(length, Channel.DIFFERENCE))

    def is_full(self, size_bytes: int) -> bool:
        """Whether that much more is too much."""
        too_many = len(self._copies) == _COPIED_AT_ONCE
        return too_many or self._size_bytes + size_bytes > _COPIED_BYTES

    def end(self) -> Iterator[Copied]:
        """Give what was collected."""
        if self._copies:
            self._catch_up()
            yield Copied(self._copies, b"".join(self._new), b"".join(self._differences))
            self._begin()


def _long_copy(payload: Channels, origin: int, length: int) -> Iterator[Copied]:
    for difference in payload.pieces(length, Channel.DIFFERENCE):
        yield Copied([(origin, 0, len(difference))], b"", difference)
        origin += len(difference)


def _parse_part_start(payload: Channels) -> Part:
    pack = Pack(_parse_bounded(payload, Pack.ZLIB, "is no kind of packing"))
    if pack is Pack.MODULE:
        raise payload.wrong(f"{pack} is no kind of packing of a part")
    size = _parse_size(payload)
    if pack is not Pack.NONE and size > MAX_EXPANDED_BYTES:
        raise payload.wrong(f"a packed part of {size} bytes, more than {MAX_EXPANDED_BYTES}")
    kind = _parse_bounded(payload, 3 * _CHANNELS - 1, "is no kind of content")
    channel = Channel(Channel.TEXT + kind % _CHANNELS)
    count = _parse_bounded(payload, MAX_SOURCES, "sources")
    sources = tuple(_parse_source(payload) for _ in range(count))
    copies = _parse_copies(payload, size)
    types_at = _parse_size(payload) if kind >= 2 * _CHANNELS else None
    targets = _parse_corrections(payload) if kind >= _CHANNELS else None
    return Part(pack, size, channel, sources, copies, targets, types_at)


def _parse_source(payload: Channels) -> Source:
    kind = _parse_bounded(payload, 4 * Pack.MODULE + 1, "is no kind of source")
    location = parse_location(payload) if kind & 1 else None
    pack = Pack(kind >> 2)
    if pack is Pack.NONE:
        return Source(location, follows=bool(kind & 2))
    if kind & 2:
        raise payload.wrong("references follow in a packed source")
    if pack is Pack.MODULE:
        return _parse_module(payload, location)
    offset, packed, size = (_parse_size(payload) for _ in range(3))
    if size > MAX_EXPANDED_BYTES:
        raise payload.wrong(f"a source of {size} bytes, more than {MAX_EXPANDED_BYTES}")
    return Source(location, pack, offset, packed, size)


def _parse_module(payload: Channels, location: Location | None) -> Source:
    if location is None:
        raise payload.wrong("a module that stands nowhere")
    source = _parse_bounded(payload, MAX_SOURCE_BYTES, "bytes of a module")
    size = _parse_bounded(payload, MAX_MADE_BYTES, "bytes of a compiled module")
    prefix = parse_bytes(payload, MAX_PATH_BYTES, "the folder of a module")
    return Source(location, Pack.MODULE, 0, source, size, prefix=prefix)


def _parse_copies(payload: Channels, size_bytes: int) -> Copies:
    count = _parse_bounded(payload, MAX_COPIES, "copies")
    distances = payload.numbers(count, Channel.FROM)
    gaps = payload.numbers(count, Channel.GAP)
    lengths = payload.numbers(count, Channel.LENGTH)
    if sum(gaps) + sum(lengths) > size_bytes:
        raise payload.wrong("copies that are longer than their part")
    steps = map(operator.add, map(unzigzag, distances), chain((0,), lengths))
    try:
        origins = array("Q", accumulate(steps))
    except OverflowError as error:
        raise payload.wrong("a copy from before the begin, or out of range") from error
    ends = map(operator.add, origins, lengths)
    if min(lengths, default=1) == 0 or max(ends, default=0) > MAX_SIZE:
        raise payload.wrong("a copy that is empty or out of range")
    return Copies(origins, gaps, lengths)


def _parse_corrections(payload: Channels) -> Corrections:
    count = _parse_bounded(payload, MAX_CORRECTIONS, "corrections")
    addresses, shifts = array("q"), array("q")
    address = shift = 0
    numbers = (payload.numbers(count, channel) for channel in (Channel.FROM, Channel.LENGTH))
    for step, change in zip(*(map(unzigzag, each) for each in numbers), strict=True):
        address += step
        shift += change
        if (addresses and step <= 0) or max(abs(address), abs(shift)) > MAX_SHIFT:
            raise payload.wrong("a correction that is out of order or out of range")
        addresses.append(address)
        shifts.append(shift)
    return Corrections(addresses, shifts)


def _parse_count(payload: Channels) -> int:
    count = payload.number()
    if count == 0:
        raise payload.wrong("a step of no entries")
    return count


def parse_bytes(payload: Channels, limit_bytes: int, what: str) -> bytes:
    """Read bytes that have their size before them; ``what`` they are is for the error message."""
    size = payload.number()
    if size > limit_bytes:
        raise payload.wrong(f"{what} of {size} bytes, more than {limit_bytes}")
    return payload.take(size)


class Printer:
    """Encodes the events of one object; the inverse of ``parse``."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._told = FIRST_METADATA
        self._channel = Channel.BINARY  # of the open file or part

    def feed(self, event: Printed) -> None:
        """Take the next event."""
        match event:
            case Piece(data):
                self._sink.write(data, self._channel)
            case Copied():
                self._copied(event)
            case Part():
                self._part(event)
            case Meta(metadata):
                self._sink.write(_print_metadata(metadata, self._told))
                self._told = metadata
            case _:
                if isinstance(event, File):
                    self._channel = event.channel
                self._sink.write(_print_event(event))

    def _copied(self, event: Copied) -> None:
        new = difference = 0
        for _, gap, length in event.copies:
            self._sink.write(event.new[new : new + gap], self._channel)
            self._sink.write(event.difference[difference : difference + length], Channel.DIFFERENCE)
            new, difference = new + gap, difference + length

    def _part(self, part: Part) -> None:
        self._channel = part.channel
        moved = 0 if part.targets is None else 1 if part.types_at is None else 2
        kind = part.channel - Channel.TEXT + moved * _CHANNELS
        numbers = [varint(part.pack), varint(part.size_bytes), varint(kind)]
        numbers.append(varint(len(part.sources)))
        numbers += [_source(source) for source in part.sources]
        self._sink.write(b"".join([*numbers, varint(len(part.copies))]))
        self._sink.write(b"".join(map(varint, _distances(part.copies))), Channel.FROM)
        self._sink.write(b"".join(map(varint, part.copies.gaps)), Channel.GAP)
        self._sink.write(b"".join(map(varint, part.copies.lengths)), Channel.LENGTH)
        if part.targets is not None:
            self._sink.write(b"" if part.types_at is None else varint(part.types_at))
            self._corrections(part.targets)

    def _corrections(self, corrections: Corrections) -> None:
        self._sink.write(varint(len(corrections.addresses)))
        self._sink.write(b"".join(_steps(corrections.addresses)), Channel.FROM)
        self._sink.write(b"".join(_steps(corrections.shifts)), Channel.LENGTH)


def _steps(numbers: Iterable[int]) -> Iterator[bytes]:
    """From each number to the next."""
    before = 0
    for number in numbers:
        yield varint(zigzag(number - before))
        before = number


def _distances(copies: Copies) -> Iterator[int]:
    """From the end of each copy to the next, as numbers that are never negative."""
    at = 0
    for origin, length in zip(copies.origins, copies.lengths, strict=True):
        distance, at = origin - at, origin + length
        yield zigzag(distance)


def _print_metadata(metadata: Metadata, before: Metadata) -> bytes:
    """What differs from the metadata that were told before."""
    attributes = metadata.attributes
    spelled = [counted(part) for attribute in attributes for part in attribute]
    values = {
        _MODE: varint(metadata.mode),
        _USER: varint(metadata.user),
        _GROUP: varint(metadata.group),
        _MTIME: varint(zigzag(metadata.mtime - before.mtime)),
        _ATTRIBUTES: b"".join([varint(len(attributes)), *spelled]),
    }
    both = zip(values, metadata, before, strict=True)
    differ = [flag for flag, ours, theirs in both if ours != theirs]
    return bytes([Op.META]) + varint(sum(differ)) + b"".join(values[flag] for flag in differ)


_Step = Alternatives | Here | Same | Keep | Follow | Drop | End


def _print_event(event: Node | _Step) -> bytes:
    match event:
        case Alternatives(name, picks):
            return _node(Op.ALTERNATIVES, name) + b"".join(map(varint, picks))
        case Here():
            return bytes([Op.HERE])
        case Same():
            return bytes([Op.SAME])
        case Keep(count):
            return bytes([Op.KEEP]) + varint(count)
        case Follow(count):
            return bytes([Op.FOLLOW]) + varint(count)
        case Drop(count):
            return bytes([Op.DROP]) + varint(count)
        case End():
            return bytes([Op.END])
        case _:
            return _print_node(event)


def _print_node(event: Node) -> bytes:
    match event:
        case File(name, size, executable, channel):
            op = Op.EXECUTABLE if executable else Op.FILE
            return _node(op, name) + varint(size) + _channel(channel)
        case Patched(name, size, executable, parts):
            op = Op.PATCHED_EXECUTABLE if executable else Op.PATCHED
            return _node(op, name) + varint(size) + varint(parts)
        case Link(name, target):
            return _node(Op.LINK, name) + counted(target)
        case Take(name, location):
            return _node(Op.TAKE, name) + print_location(location)
        case New(name):
            return _node(Op.NEW, name)
        case Like(name, location):
            return _node(Op.LIKE, name) + print_location(location)


def _node(op: Op, name: bytes | None) -> bytes:
    return bytes([op]) if name is None else bytes([op | _NAMED]) + counted(name)


def counted(content: bytes) -> bytes:
    """Encode bytes with their size before them."""
    return varint(len(content)) + content


def print_location(location: Location) -> bytes:
    """Encode a location."""
    return varint(location.source) + counted(b"/".join(location.path))


def _channel(channel: Channel) -> bytes:
    return varint(channel - Channel.TEXT)


def _source(source: Source) -> bytes:
    kind = varint(4 * source.pack + 2 * source.follows + (source.location is not None))
    place = b"" if source.location is None else print_location(source.location)
    if source.pack is Pack.NONE:
        return kind + place
    if source.pack is Pack.MODULE:
        sizes = varint(source.packed_bytes) + varint(source.size_bytes)
        return kind + place + sizes + counted(source.prefix)
    numbers = (source.offset, source.packed_bytes, source.size_bytes)
    return kind + place + b"".join(map(varint, numbers))
