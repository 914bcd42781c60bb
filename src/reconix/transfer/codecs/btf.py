"""BTF, what a kernel says of its own types: records that name types by number, and texts by place.

One new type gives all behind it another number, one new name gives all behind it another place. So
both move as addresses do (``references.py``)::

    header    24 bytes: magic 0xeB9F, version 1, its own size, where types and texts are in the rest
    types     records: a name, what it is, its size or a type; then its items
    texts     names, each ended by a zero byte

A name is a place among the texts, so in the program it has an address. A type is a number, and has
no place: here the type *n* is at the address ``TYPES`` + n, where nothing else is. Copies say
nothing of it, corrections do.

How long a record is, only its own begin tells. So a block is as many whole records as fit, and
where each begins is looked for once. What is no record ends the types and is left as it is, so
nothing here can fail.

The sender says where the header is: in a kernel for arm64 no table does.

Source: Linux, *BPF Type Format (BTF)*, section 2.
Tested by ``tests/unit/transfer/codecs/test_btf.py``.
"""

import struct
from array import array
from collections.abc import Iterator

from reconix.base.records import dataclass, replace
from reconix.transfer.codecs import compiled
from reconix.transfer.codecs.programs import BLOCK_BYTES, Kind, Program, ReadAt, Section

TYPES = 1 << 56
"""The address of type 0, which is none."""

_MAGIC = b"\x9f\xeb\1\0\x18\0\0\0"
_HEADER = struct.Struct("<8sIIII")
_INFO = struct.Struct("<I")
_RECORD_BYTES, _WORD_BYTES = 12, 4
_ALIGNMENT = 8  # of what follows, which may be instructions
_PIECES = 4


@dataclass(frozen=True, slots=True)
class Layout:
    """What is in a record of one kind."""

    items: str = ""  # the words of an item: ``n`` a name, ``t`` a type
    many: bool = False  # as many items as the record says; else one
    refers: bool = False  # its third word is a type


_REFERENCE, _MEMBERS = Layout(refers=True), Layout("nt-", many=True)
LAYOUTS = {
    1: Layout("-"),  # a number
    2: _REFERENCE,  # a pointer
    3: Layout("tt-"),  # an array
    4: _MEMBERS,  # a structure
    5: _MEMBERS,  # a union
    6: Layout("n-", many=True),  # an enumeration
    7: Layout(),  # what is declared elsewhere
    8: _REFERENCE,  # another name of a type
    9: _REFERENCE,  # volatile
    10: _REFERENCE,  # const
    11: _REFERENCE,  # restrict
    12: _REFERENCE,  # a function
    13: Layout("nt", many=True, refers=True),  # what it takes and gives
    14: Layout("-", refers=True),  # a variable
    15: Layout("t--", many=True),  # a section of variables
    16: Layout(),  # a number with a point
    17: Layout("-", refers=True),  # a tag of something declared
    18: _REFERENCE,  # a tag of a type
    19: Layout("n--", many=True),  # an enumeration of 64 bits
}
"""By kind; ``moves.c`` has the same."""


def records(block: bytes) -> Iterator[tuple[int, int, Layout]]:
    """Begin, end and layout of each whole record, up to what is none."""
    at = 0
    while at + _RECORD_BYTES <= len(block):
        (info,) = _INFO.unpack_from(block, at + 4)
        layout = LAYOUTS.get(info >> 24 & 31)
        if layout is None:
            return
        count = info & 0xFFFF if layout.many else 1
        end = at + _RECORD_BYTES + _WORD_BYTES * len(layout.items) * count
        if end > len(block):
            return
        yield at, end, layout
        at = end


def whole_bytes(block: bytes) -> int:
    """How many bytes the whole records at the begin of a block have."""
    return max((end for _, end, _ in records(block)), default=0)


def find(block: bytes) -> tuple[list[int], list[int]]:
    """Where records have names and where types; each rises."""
    names: list[int] = []
    types: list[int] = []
    for at, end, layout in records(block):
        names.append(at)
        if layout.refers:
            types.append(at + 8)
        step = _WORD_BYTES * len(layout.items)
        for index, word in enumerate(layout.items):
            if word != "-":
                there = names if word == "n" else types
                there.extend(range(at + _RECORD_BYTES + _WORD_BYTES * index, end, step))
    return names, types


def place(content: bytes) -> int | None:
    """Where the header may be."""
    at = content.find(_MAGIC)
    return None if at < 0 else at


def with_types(program: Program, read: ReadAt, at: int) -> Program:
    """A linked program with its types and their texts as sections of their own.

    Args:
        program: whose section has them is cut: what is before, types, texts, what is behind.
        read: gives the bytes of the file.
        at: where the header is; if there is none, the program is given back.
    """
    there = [each for each in program.sections if 0 <= at - each.offset < each.size_bytes]
    found = None if program.relocatable or not there else _places(read, at, there[0])
    if found is None:
        return program
    pieces = dict(enumerate(_pieces(read, there[0], found), -_PIECES))  # no table names them
    kept = {number: each for number, each in program.numbered.items() if each is not there[0]}
    return Program(relocatable=False, numbered=pieces | kept)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where in a file types and texts are."""

    types: int
    types_bytes: int
    texts: int
    end: int


def _places(read: ReadAt, at: int, around: Section) -> _Places | None:
    """What a header says, if that is inside the section."""
    header = read(at, _HEADER.size)
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        return None
    _, types, types_bytes, texts, texts_bytes = _HEADER.unpack(header)
    begin = at + _HEADER.size
    found = _Places(begin + types, types_bytes, begin + texts, begin + texts + texts_bytes)
    fits = types + types_bytes <= texts and found.end <= around.offset + around.size_bytes
    return found if fits else None


def _pieces(read: ReadAt, around: Section, places: _Places) -> Iterator[Section]:
    """What a section is cut into."""
    begins = _begins(read, places.types, places.types_bytes)
    last = places.types + begins[-1]
    end = around.offset + around.size_bytes
    behind = min(places.end + (around.offset - places.end) % _ALIGNMENT, end)
    texts = around.address + places.texts - around.offset
    yield _cut(around, around.offset, places.types, around.kind)
    types = _cut(around, places.types, last, Kind.TYPES)
    yield replace(types, target=texts, begins=begins)
    yield _cut(around, last, behind, Kind.NONE)
    yield _cut(around, behind, end, around.kind)


def _cut(section: Section, begin: int, end: int, kind: Kind) -> Section:
    """A piece of a section."""
    address = section.address + begin - section.offset
    return replace(section, kind=kind, offset=begin, size_bytes=end - begin, address=address)


def _begins(read: ReadAt, begin: int, size_bytes: int) -> "array[int]":
    """Where each block of records begins, and where the last one ends."""
    library = compiled.library()
    measure = whole_bytes if library is None else library.whole_bytes
    found = array("q", [0])
    while whole := measure(read(begin + found[-1], min(BLOCK_BYTES, size_bytes - found[-1]))):
        found.append(found[-1] + whole)
    return found
