"""The payload of a stream: how the objects of the target are made from those of the base.

Between two generations a handful of files differ among ten thousand. A list of ten thousand files
would cost more than the files. So a folder is described as a *difference to a folder that the
device has*: keep the next 812 entries of it, drop one, change the next one in this way::

    payload = manifest needs object*
    object  = node
    node    = file | link | folder | "take" location checks
    folder  = "new" entry* end
            | ( "like" location | "here" ) check step* end
    step    = entry | change | "keep" n checks | "drop" n
    entry   = name node
    change  = node                   instead of the next entry of the folder that it is like

``location`` is a path inside an object of the base, or inside one of the target that came earlier.
``here`` means: like the entry of the outer folder that is changed.

A position in a folder means something only if the folder is what the sender saw. A *check* is 16
bits of a CRC over its names, kinds and link targets; that of a file covers its content. Checks find
the place of damage and need not resist anybody: what counts is the SHA-256 of the whole object.

Here a node is a sequence of events. ``parse`` makes them from a payload, ``Printer`` spells them.

The format, byte by byte: ``docs/spec/stream.md``. Proven by ``tests/unit/transfer/test_plan.py``.
"""

import enum
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from reconix.store.manifest import (
    BadManifest,
    Manifest,
    StoreObject,
    parse_manifest,
    print_manifest,
)
from reconix.store.nar import (
    MAX_DEPTH,
    MAX_NAME_BYTES,
    MAX_TARGET_BYTES,
    BadArchive,
    check_name,
    check_target,
)
from reconix.transfer.stream import BadStream, Write, varint

MAX_MANIFEST_BYTES = 2 << 20
"""As many as a small device can hold as values: about 7,000 objects."""
MAX_PATH_BYTES = 4095
MAX_CHECKS = 1 << 18
"""More files and folders are not kept by one ``keep`` or ``take``."""
MAX_INODES = 1 << 21
"""No object has more files, links and folders of its own."""
MAX_SIZE = 1 << 60

_BUFFER_BYTES = 1 << 16


class Op(enum.IntEnum):
    """The first byte of each step; ``NAMED`` is added where a name follows."""

    END = 0
    KEEP = 1
    DROP = 2
    FILE = 8
    EXECUTABLE = 9
    LINK = 10
    NEW = 11
    LIKE = 12
    HERE = 13
    TAKE = 14


_NAMED = 0x40
_NODES = frozenset({Op.FILE, Op.EXECUTABLE, Op.LINK, Op.NEW, Op.LIKE, Op.TAKE})
_STEPS = frozenset({Op.KEEP, Op.DROP, Op.HERE})  # need a folder to refer to; have no name


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


@dataclass(frozen=True, slots=True)
class Piece:
    """The next piece of the open file; never empty."""

    data: bytes


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
    checks: bytes


@dataclass(frozen=True, slots=True)
class New:
    """A folder opens that is described from nothing."""

    name: bytes | None


@dataclass(frozen=True, slots=True)
class Like:
    """A folder opens that is described by its difference to another."""

    name: bytes | None
    location: Location
    check: int


@dataclass(frozen=True, slots=True)
class Here:
    """The next entry of the source is a folder; it is described by its difference to itself."""

    check: int


@dataclass(frozen=True, slots=True)
class Keep:
    """The next entries of the source are here too, with all that they contain."""

    count: int
    checks: bytes


@dataclass(frozen=True, slots=True)
class Drop:
    """The next entries of the source are not here."""

    count: int


@dataclass(frozen=True, slots=True)
class End:
    """The innermost folder is complete; what is left of its source is not here."""


Node = File | Link | Take | New | Like  # what may have a name
Event = Node | Piece | Here | Keep | Drop | End


@dataclass(frozen=True, slots=True)
class Need:
    """One object that is in the stream, and what it costs on the disk."""

    index: int  # in the manifest of the target
    content_bytes: int
    space_bytes: int
    inodes: int


class Payload(Protocol):
    """Where a plan is read from: ``packing.Unpacker``."""

    def take(self, size_bytes: int) -> bytes:
        """The next bytes, exactly so many."""

    def pieces(self, size_bytes: int) -> Iterator[bytes]:
        """The next bytes, exactly so many, in pieces."""

    def number(self) -> int:
        """The next ``varint``."""

    def wrong(self, message: str) -> BadStream:
        """An error that names the place."""


def check_of(content: bytes, before: int = 0) -> int:
    """Go on with a check; cut it with ``& 0xFFFF`` at the end."""
    return zlib.crc32(content, before)


def file_check_start(*, executable: bool) -> int:
    """Begin the check of a file: its executable bit is part of it."""
    return check_of(b"x" if executable else b"-")


def folder_check(entries: Iterable[tuple[bytes, bytes]]) -> int:
    """The check of a folder.

    Args:
        entries: name and *kind* of each entry, sorted by name: ``-`` for a file, ``d`` for a
            folder, ``l`` and the target for a symbolic link.
    """
    state = 0
    for name, kind in entries:
        state = check_of(name + b"\0" + kind + b"\0", state)
    return state & 0xFFFF


def print_checks(checks: Iterable[int]) -> bytes:
    """Spell checks: 16 bits each, little endian."""
    return b"".join(check.to_bytes(2, "little") for check in checks)


def print_preface(manifest: Manifest, needs: Iterable[Need]) -> bytes:
    """Spell what comes before the objects: the manifest and what each object needs."""
    document = print_manifest(manifest)
    listed = list(needs)
    numbers = [len(listed)]
    for need in listed:
        numbers += (need.index, need.content_bytes, need.space_bytes, need.inodes)
    return varint(len(document)) + document + b"".join(varint(number) for number in numbers)


def parse_preface(payload: Payload) -> tuple[Manifest, tuple[Need, ...]]:
    """Read what comes before the objects.

    Raises:
        BadStream: it breaks the format or its limits.
    """
    manifest = _parse_manifest(payload)
    count = payload.number()
    if count > len(manifest.objects):
        raise payload.wrong(f"{count} objects are sent, more than the target has")
    needs = tuple(Need(*(payload.number() for _ in range(4))) for _ in range(count))
    indexes = [need.index for need in needs]
    if indexes != sorted(set(indexes)) or any(i >= len(manifest.objects) for i in indexes):
        raise payload.wrong("the list of sent objects is not one")
    if any(need.inodes > MAX_INODES for need in needs):
        raise payload.wrong(f"an object with more than {MAX_INODES} files")
    return manifest, needs


def _parse_manifest(payload: Payload) -> Manifest:
    size = payload.number()
    if size > MAX_MANIFEST_BYTES:
        raise payload.wrong(f"a manifest of {size} bytes, more than {MAX_MANIFEST_BYTES}")
    content = payload.take(size)
    try:
        return parse_manifest(content, source="the manifest in the stream")
    except BadManifest as error:
        raise payload.wrong(str(error)) from error


def sent_objects(manifest: Manifest, needs: Iterable[Need]) -> tuple[StoreObject, ...]:
    """The objects that are in the stream, in its order."""
    return tuple(manifest.objects[need.index] for need in needs)


def parse(payload: Payload) -> Iterator[Event]:
    """Give the events of one node.

    Names are possible names and what needs a source folder has one; whether names rise only the
    receiver can tell, who knows those of the source.

    Raises:
        BadStream: as soon as the first wrong byte was read.
    """
    has_source: list[bool] = []  # for each open folder
    while True:
        op, name = _parse_op(payload, has_source)
        event = _parse_event(payload, op, name)
        yield event
        if isinstance(event, File):
            for data in payload.pieces(event.size_bytes):
                yield Piece(data)
        elif isinstance(event, New | Like | Here):
            has_source.append(not isinstance(event, New))
            if len(has_source) > MAX_DEPTH:
                raise payload.wrong(f"folders are nested deeper than {MAX_DEPTH}")
        elif isinstance(event, End):
            has_source.pop()
        if not has_source:
            return


def _parse_op(payload: Payload, has_source: list[bool]) -> tuple[int, bytes | None]:
    byte = payload.take(1)[0]
    follows = bool(has_source) and has_source[-1]
    if byte & ~_NAMED in _NODES and byte & _NAMED and has_source:
        return byte & ~_NAMED, _parse_name(payload)
    if byte in _NODES and (follows or not has_source):
        return byte, None
    if (byte in _STEPS and follows) or (byte == Op.END and has_source):
        return byte, None
    raise payload.wrong(f"no step begins with {byte:#04x} here")


def _parse_name(payload: Payload) -> bytes:
    name = _parse_bytes(payload, MAX_NAME_BYTES, "a name")
    try:
        check_name(name)
    except BadArchive as error:
        raise payload.wrong(str(error)) from error
    return name


def _parse_event(payload: Payload, op: int, name: bytes | None) -> Event:
    match op:
        case Op.FILE | Op.EXECUTABLE:
            return File(name, _parse_size(payload), op == Op.EXECUTABLE)
        case Op.LINK:
            return Link(name, _parse_target(payload))
        case Op.NEW:
            return New(name)
        case Op.LIKE:
            return Like(name, _parse_location(payload), _parse_check(payload))
        case Op.HERE:
            return Here(_parse_check(payload))
        case Op.TAKE:
            return Take(name, _parse_location(payload), _parse_checks(payload))
        case Op.KEEP:
            return Keep(_parse_count(payload), _parse_checks(payload))
        case Op.DROP:
            return Drop(_parse_count(payload))
    return End()


def _parse_size(payload: Payload) -> int:
    size = payload.number()
    if size > MAX_SIZE:
        raise payload.wrong(f"a file of {size} bytes")
    return size


def _parse_target(payload: Payload) -> bytes:
    target = _parse_bytes(payload, MAX_TARGET_BYTES, "a link target")
    try:
        check_target(target)
    except BadArchive as error:
        raise payload.wrong(str(error)) from error
    return target


def _parse_location(payload: Payload) -> Location:
    source = payload.number()
    path = _parse_bytes(payload, MAX_PATH_BYTES, "a path")
    names = tuple(path.split(b"/")) if path else ()
    try:
        for name in names:
            check_name(name)
    except BadArchive as error:
        raise payload.wrong(str(error)) from error
    return Location(source, names)


def _parse_check(payload: Payload) -> int:
    return int.from_bytes(payload.take(2), "little")


def _parse_checks(payload: Payload) -> bytes:
    count = payload.number()
    if count > MAX_CHECKS:
        raise payload.wrong(f"{count} checks, more than {MAX_CHECKS}")
    return payload.take(2 * count)


def _parse_count(payload: Payload) -> int:
    count = payload.number()
    if count == 0:
        raise payload.wrong("a step that does nothing")
    return count


def _parse_bytes(payload: Payload, limit_bytes: int, what: str) -> bytes:
    size = payload.number()
    if size > limit_bytes:
        raise payload.wrong(f"{what} of {size} bytes, more than {limit_bytes}")
    return payload.take(size)


class Printer:
    """Spells events; the inverse of ``parse``. ``close`` it to write what it still holds."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._buffer = bytearray()

    def feed(self, event: Event) -> None:
        """Take the next event."""
        self._buffer += _print_event(event)
        if len(self._buffer) >= _BUFFER_BYTES:
            self.close()

    def close(self) -> None:
        """Write what is still held."""
        self._write(bytes(self._buffer))
        self._buffer.clear()


def _print_event(event: Event) -> bytes:
    match event:
        case Piece(data):
            return data
        case Here(check):
            return bytes([Op.HERE]) + print_checks([check])
        case Keep(count, checks):
            return bytes([Op.KEEP]) + varint(count) + _checks(checks)
        case Drop(count):
            return bytes([Op.DROP]) + varint(count)
        case End():
            return bytes([Op.END])
        case _:
            return _print_node(event)


def _print_node(event: Node) -> bytes:
    match event:
        case File(name, size_bytes, executable):
            return _node(Op.EXECUTABLE if executable else Op.FILE, name) + varint(size_bytes)
        case Link(name, target):
            return _node(Op.LINK, name) + _counted(target)
        case Take(name, location, checks):
            return _node(Op.TAKE, name) + _location(location) + _checks(checks)
        case New(name):
            return _node(Op.NEW, name)
        case Like(name, location, check):
            return _node(Op.LIKE, name) + _location(location) + print_checks([check])


def _node(op: Op, name: bytes | None) -> bytes:
    return bytes([op]) if name is None else bytes([op | _NAMED]) + _counted(name)


def _counted(content: bytes) -> bytes:
    return varint(len(content)) + content


def _location(location: Location) -> bytes:
    return varint(location.source) + _counted(b"/".join(location.path))


def _checks(checks: bytes) -> bytes:
    return varint(len(checks) // 2) + checks
