"""Tar archives as layers use them, read strictly, in bounded memory, and as bytes.

An archive is a row of blocks of 512 bytes: a header, the content, the next header; two blocks of
zeros, or the end of the file, end it. Thirty years of extensions lie before a header, as members of
their own: a longer name (GNU ``L`` and ``K``), or records of a key and a value (PAX ``x``), which
replace what the header says. A *sparse* file has only its parts that are not zero, and a map.

Two readers that take one archive for two trees are a way to smuggle. So what is ambiguous follows
Go's ``archive/tar``, which all engines use, and what is damaged ends the reading; nothing is passed
over. The module of Python does that with a damaged header, decodes names, and reads an
extension of any size into memory (decision 0075).

Source: POSIX.1-2017, *pax*, *pax Interchange Format* and *ustar Interchange Format*; GNU tar
manual, *Basic Tar Format* and *Storing Sparse Files*; Go, ``archive/tar/reader.go``.
Tested by ``tests/unit/containers/layers/test_tar.py``; against GNU tar by
``tests/compat/test_oci_tar.py``.
"""

import enum
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from struct import Struct
from typing import NamedTuple

from reconix.base.errors import ReconixError
from reconix.base.files import COPY_BYTES

Read = Callable[[int], bytes]
"""Gives so many bytes, or fewer at the end."""

BLOCK = 512
MAX_EXTENSION_BYTES = 1 << 20
"""Of records and long names of one member, or of its map."""

_MAX_EXTENSIONS = 8
_HEADER = Struct("<100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12s")
_ZEROS = bytes(BLOCK)
_NO_DATA = b"123456"
_STAR_END = b"tar\0"
_RECORD = re.compile(rb"([1-9][0-9]{0,7}) ")
_NUMBER = re.compile(rb"[ \0]*([0-7]*)[ \0]*")
_DECIMAL = re.compile(rb"[0-9]{1,20}")
_TIME = re.compile(rb"(-?)([0-9]{1,20})(?:\.([0-9]*))?")
_XATTR = b"SCHILY.xattr."
_SPARSE = b"GNU.sparse."
_OLD_MAP = slice(386, 482)
_OLD_MORE = 482
_OLD_SIZE = slice(483, 495)
_SPAN_BYTES = 24
_COMMENT = b"comment"


class BadTar(ReconixError):
    """The bytes are no tar archive, or one that could be read in two ways."""

    exit_code = 65


class Kind(enum.Enum):
    """What a member is."""

    FILE = enum.auto()
    FOLDER = enum.auto()
    LINK = enum.auto()
    HARD_LINK = enum.auto()
    DEVICE = "a device"
    PIPE = "a pipe"


_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"S": Kind.FILE,
    b"1": Kind.HARD_LINK,
    b"2": Kind.LINK,
    b"3": Kind.DEVICE,
    b"4": Kind.DEVICE,
    b"5": Kind.FOLDER,
    b"6": Kind.PIPE,
}


class Span(NamedTuple):
    """A part of a sparse file that is there."""

    offset: int
    size_bytes: int


class Member(NamedTuple):
    """One entry of an archive."""

    name: bytes
    kind: Kind
    target: bytes
    mode: int
    user: int
    group: int
    mtime: int
    """Seconds since 1970, rounded down; less than 0 before."""
    size_bytes: int
    """Of the content, with what is not in the archive."""
    attributes: Mapping[bytes, bytes]


class _Head(NamedTuple):
    """A header, as it stands there."""

    name: bytes
    flag: bytes
    target: bytes
    mode: int
    user: int
    group: int
    mtime: int
    size_bytes: int
    block: bytes


class Reader:
    """Reads the members of an archive, one after the other.

    ``for member in Reader(read)``; the content of the member is given by ``content`` until the next
    one is asked for.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._left = 0  # bytes of the member that were not read yet
        self._padding = 0
        self._spans: tuple[Span, ...] | None = None
        self._size = 0
        self.extension_bytes = 0  # of the last member: records, and long names

    def __iter__(self) -> Iterator[Member]:
        """The members, in order.

        Raises:
            BadTar: the archive is damaged, or says what no layer may say.
        """
        while True:
            self._skip()
            found = self._next()
            if found is None:
                return
            yield found

    @property
    def stored_bytes(self) -> int:
        """How much of the content of the last member is in the archive and was not read yet."""
        return self._left

    def content(self) -> Iterator[bytes]:
        """The content of the member that was given last, in pieces; once."""
        if self._spans is None:
            yield from self._pieces(self._left)
            return
        at = 0
        for span in self._spans:
            yield from _zeros(span.offset - at)
            yield from self._pieces(span.size_bytes)
            at = span.offset + span.size_bytes
        yield from _zeros(self._size - at)

    def _pieces(self, size_bytes: int) -> Iterator[bytes]:
        while size_bytes:
            data = self._exactly(min(size_bytes, COPY_BYTES))
            size_bytes -= len(data)
            self._left -= len(data)
            yield data

    def _skip(self) -> None:
        for _ in self._pieces(self._left):
            pass
        if self._padding:
            self._exactly(self._padding)
            self._padding = 0

    def _exactly(self, size_bytes: int) -> bytes:
        data = self._read(size_bytes)
        if len(data) != size_bytes:
            raise BadTar("the archive ends in the middle")
        return data

    def _next(self) -> Member | None:
        """The next member, with all that stands before it."""
        records: dict[bytes, bytes] = {}
        sparse: list[tuple[bytes, bytes]] = []
        name = target = b""
        self.extension_bytes = extensions = 0
        is_begun = False
        while (head := self._head()) is not None:
            if head.flag == b"x":
                records, sparse = _split(_records(self._extension(head)))
            elif head.flag == b"g":
                _expect_comment(self._extension(head))
            elif head.flag == b"L":
                name = _text(self._extension(head))
            elif head.flag == b"K":
                target = _text(self._extension(head))
            else:
                head = _merged(head, records, name, target)
                return self._begin(head, records, sparse)
            is_begun = is_begun or head.flag != b"g"
            extensions += 1
            if extensions > _MAX_EXTENSIONS:
                raise BadTar("a member with too many extensions")
        if is_begun:
            raise BadTar("the archive ends behind the extension of a member")
        return None

    def _head(self) -> _Head | None:
        """The next header; nothing at the end of the archive."""
        block = self._read(BLOCK)
        if not block:
            return None
        if block == _ZEROS:
            second = self._read(BLOCK)
            if second in (b"", _ZEROS):
                return None
            raise BadTar("the archive goes on behind a block of zeros")
        if len(block) != BLOCK:
            raise BadTar("the archive ends in the middle")
        return _parse_header(block)

    def _extension(self, head: _Head) -> bytes:
        self.extension_bytes += head.size_bytes
        if self.extension_bytes > MAX_EXTENSION_BYTES:
            raise BadTar(f"an extension of {head.size_bytes} bytes")
        data = self._exactly(head.size_bytes)
        self._exactly(-head.size_bytes % BLOCK)
        return data

    def _begin(
        self, head: _Head, records: dict[bytes, bytes], sparse: list[tuple[bytes, bytes]]
    ) -> Member:
        """Read what stands before the content, and make the content ready."""
        kind = _kind(head)
        stored = head.size_bytes if kind is Kind.FILE else 0
        self._left, self._padding, self._spans = stored, -stored % BLOCK, None
        self._size = stored
        name = head.name
        if kind is Kind.FILE and head.flag == b"S":
            self._spans, self._size = self._old_map(head)
        elif kind is Kind.FILE and sparse:
            self._spans, self._size, name = self._pax_map(head, dict(sparse), sparse)
        if self._spans is not None:
            _check_map(self._spans, self._size, self._left)
        return Member(
            name,
            kind,
            head.target,
            head.mode & 0o7777,
            head.user,
            head.group,
            head.mtime,
            self._size,
            {key[len(_XATTR) :]: value for key, value in records.items() if _is_xattr(key)},
        )

    def _old_map(self, head: _Head) -> tuple[tuple[Span, ...], int]:
        """The map of GNU's first format: four spans in the header, 21 in each block behind it."""
        spans = list(_spans_in(head.block[_OLD_MAP]))
        more = head.block[_OLD_MORE]
        while more:
            block = self._exactly(BLOCK)
            spans += _spans_in(block[: 21 * _SPAN_BYTES])
            more = block[21 * _SPAN_BYTES]
            if len(spans) * _SPAN_BYTES > MAX_EXTENSION_BYTES:
                raise BadTar("a sparse file with a map of more than 1 MiB")
        return tuple(spans), _number(head.block[_OLD_SIZE])

    def _pax_map(
        self, head: _Head, said: Mapping[bytes, bytes], rows: list[tuple[bytes, bytes]]
    ) -> tuple[tuple[Span, ...] | None, int, bytes]:
        """The maps of the formats 0.0, 0.1 and 1.0; with the size and the name of the file."""
        version = said.get(b"major"), said.get(b"minor")
        name = said.get(b"name", head.name)
        if version == (b"1", b"0"):
            return self._map_before_content(), _decimal(said.get(b"realsize", b"")), name
        if b"map" in said:
            numbers = [_decimal(each) for each in said[b"map"].split(b",") if said[b"map"]]
        else:
            numbers = [_decimal(value) for key, value in rows if key in (b"offset", b"numbytes")]
            _expect_pairs([key for key, _ in rows if key in (b"offset", b"numbytes")])
        if version != (None, None) and version not in ((b"0", b"0"), (b"0", b"1")):
            raise BadTar("a sparse file in an unknown format")
        if _decimal(said.get(b"numblocks", b"")) * 2 != len(numbers):
            raise BadTar("a sparse file whose map has another number of parts than it says")
        return _paired(numbers), _decimal(said.get(b"size", b"")), name

    def _map_before_content(self) -> tuple[Span, ...]:
        """The map of format 1.0: lines of decimal numbers, in blocks that count as content."""
        lines: list[bytes] = []
        text, wanted, allowed = b"", 1, min(self._left, MAX_EXTENSION_BYTES)
        while len(lines) < wanted:
            if allowed < BLOCK:
                raise BadTar("a sparse file whose map does not end")
            text += self._exactly(BLOCK)
            self._left, allowed = self._left - BLOCK, allowed - BLOCK
            *whole, text = text.split(b"\n")
            lines += whole
            wanted = 1 + 2 * _decimal(lines[0]) if lines else 1
        return _paired([_decimal(line) for line in lines[1:wanted]])


def _parse_header(block: bytes) -> _Head:
    """Read a header.

    Raises:
        BadTar: its checksum is wrong, or a number is none.
    """
    fields = _HEADER.unpack(block)
    name, mode, user, group, size, mtime, checksum, flag, target, magic = fields[:10]
    _check_sum(block, _number(checksum))
    name = _text(name)
    if magic == b"ustar\0":
        prefix = fields[15][:131] if block.endswith(_STAR_END) else fields[15]
        name = _text(prefix) + b"/" + name if _text(prefix) else name
    if (found := _number(size)) < 0:
        raise BadTar(f"a member of {found} bytes")
    return _Head(
        name,
        flag,
        _text(target),
        _number(mode),
        _number(user),
        _number(group),
        _number(mtime),
        found,
        block,
    )


def _check_sum(block: bytes, expected: int) -> None:
    """Compare the sum of a header, in which its own field counts as spaces.

    Some programs of the eighties took bytes for signed numbers; Go takes that, too.
    """
    rest = block[:148] + block[156:]
    unsigned = sum(rest) + 8 * 0x20
    signed = unsigned - 256 * sum(1 for byte in rest if byte > 127) if expected != unsigned else 0
    if expected not in (unsigned, signed):
        raise BadTar("a header whose checksum is wrong")


def _number(field: bytes) -> int:
    """A number: octal digits, or binary if the first bit says so."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=False) & ~(0x80 << 8 * (len(field) - 1))
        return value - (1 << (8 * len(field) - 1)) if field[0] & 0x40 else value
    found = _NUMBER.fullmatch(field)
    if not found:
        raise BadTar(f"{field!r} is no number of a header")
    return int(found[1] or b"0", 8)


def _decimal(text: bytes) -> int:
    if not _DECIMAL.fullmatch(text):
        raise BadTar(f"{text[:80]!r} is no number of a record")
    return int(text)


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a PAX extension: ``<length> <key>=<value>`` and a line feed."""
    at = 0
    while at < len(content):
        found = _RECORD.match(content, at)
        end = at + int(found[1]) if found else 0
        if not found or not found.end() < end <= len(content) or content[end - 1 : end] != b"\n":
            raise BadTar("a record of an extension that has not the length it says")
        key, mark, value = content[found.end() : end - 1].partition(b"=")
        if not key or not mark or b"\0" in key:
            raise BadTar(f"{key[:80]!r} is no key of a record")
        if b"\0" in value and not _is_xattr(key):
            raise BadTar(f"a record {key[:80]!r} with a zero byte")
        yield key, value
        at = end


def _split(
    rows: Iterator[tuple[bytes, bytes]],
) -> tuple[dict[bytes, bytes], list[tuple[bytes, bytes]]]:
    """Records, the last of a key counting, and apart from them those of a sparse file, in order.

    A record without a value says nothing, as Go reads it.
    """
    records: dict[bytes, bytes] = {}
    sparse: list[tuple[bytes, bytes]] = []
    for key, value in rows:
        if key.startswith(_SPARSE):
            sparse.append((key.removeprefix(_SPARSE), value))
        elif value:
            records[key] = value
        else:
            records.pop(key, None)
    return records, sparse


def _expect_comment(content: bytes) -> None:
    """Refuse an extension that is meant for all members: no two readers agree on it."""
    for key, _ in _records(content):
        if key != _COMMENT:
            raise BadTar(f"a record {key[:80]!r} for all members")


def _is_xattr(key: bytes) -> bool:
    return key.startswith(_XATTR)


def _merged(head: _Head, records: Mapping[bytes, bytes], name: bytes, target: bytes) -> _Head:
    """A header with what stood before it."""
    said = records.get
    return _Head(
        name or said(b"path", head.name),
        head.flag,
        target or said(b"linkpath", head.target),
        head.mode,
        _decimal(records[b"uid"]) if b"uid" in records else head.user,
        _decimal(records[b"gid"]) if b"gid" in records else head.group,
        _time(records[b"mtime"]) if b"mtime" in records else head.mtime,
        _decimal(records[b"size"]) if b"size" in records else head.size_bytes,
        head.block,
    )


def _time(text: bytes) -> int:
    """Whole seconds, rounded down, as a file system shows them."""
    found = _TIME.fullmatch(text)
    if not found:
        raise BadTar(f"{text[:80]!r} is no time")
    seconds = int(found[2])
    if not found[1]:
        return seconds
    return -seconds - (1 if (found[3] or b"").strip(b"0") else 0)


def _kind(head: _Head) -> Kind:
    if head.flag == b"\0" and head.name.endswith(b"/"):
        return Kind.FOLDER
    kind = _KINDS.get(head.flag)
    if kind is None:
        raise BadTar(f"{head.name[:80]!r} is of a kind {head.flag!r} that no layer has")
    return kind


def _spans_in(block: bytes) -> Iterator[Span]:
    for at in range(0, len(block), _SPAN_BYTES):
        field = block[at : at + _SPAN_BYTES]
        if field[0] == 0:
            return
        yield Span(_number(field[:12]), _number(field[12:]))


def _expect_pairs(keys: list[bytes]) -> None:
    if keys != [b"offset", b"numbytes"] * (len(keys) // 2):
        raise BadTar("a sparse file whose map has no pairs")


def _paired(numbers: list[int]) -> tuple[Span, ...]:
    if len(numbers) % 2:
        raise BadTar("a sparse file whose map has no pairs")
    return tuple(itertools.starmap(Span, zip(numbers[::2], numbers[1::2], strict=True)))


def _check_map(spans: tuple[Span, ...], size_bytes: int, stored_bytes: int) -> None:
    """Refuse a map that goes back, beyond the end, or has not as much as is stored."""
    at = 0
    for span in spans:
        if span.offset < at or span.size_bytes < 0:
            raise BadTar("a sparse file whose parts overlap")
        at = span.offset + span.size_bytes
    if at > size_bytes or sum(span.size_bytes for span in spans) != stored_bytes:
        raise BadTar("a sparse file whose map does not fit to its content")


def _zeros(size_bytes: int) -> Iterator[bytes]:
    nothing = bytes(min(size_bytes, COPY_BYTES))
    while size_bytes > 0:
        yield nothing[:size_bytes]
        size_bytes -= len(nothing)
