"""Where a program keeps references: what its section table tells of it.

A program is full of numbers that say where something else is: calls, loads of variables, tables of
functions, relocations. Which numbers these are follows from the kind of a section. So a program is
read as a list of *sections*, each with its place in the file, its addresses, and a kind:

============= ====================================================================
x86           instructions: calls, jumps, and whatever addresses memory from where it is
a64           instructions of Arm, see ``a64.py``
places        a table; each entry says how far away something is from it
frame table   a table; each entry says how far away something is from its begin
frames        what unwinds the stack; each record says where its function is
addresses     words of eight bytes, some of them addresses
relocations   where an address has to be put, of which symbol, and what to add
symbols       where each symbol is in its section
types         what a kernel says of its types, see ``btf.py``
============= ====================================================================

A kernel module has no addresses yet: all of its sections begin at 0. Here each has a space of its
own, ``SPACE`` bytes behind the one before.

A kernel for arm64 is a Portable Executable, because UEFI starts it as it is. Of its sections only
the instructions are known.

No program, but full of numbers of the same kind, is the database of hardware of systemd: a trie
whose nodes say where in the file their children and texts are. It has two sections: nodes, which
have addresses, and texts.

The table is read with limits, because it may be anything; what is odd has no references, which
costs bytes and does no harm. The same bytes give the same sections on both ends.

Source: System V Application Binary Interface, *Object Files*; its supplement for AMD64;
*ELF for the Arm 64-bit Architecture*; *PE Format* of Microsoft; systemd, *hwdb-internal.h*.
Tested by ``tests/unit/transfer/codecs/test_programs.py`` against ``readelf``.
"""

import enum
import struct
from collections.abc import Callable, Mapping, Sequence

from reconix.base.records import dataclass

ReadAt = Callable[[int, int], bytes]
"""Reads that many bytes at an offset; fewer only at the end."""

BLOCK_BYTES = 65_520
"""Of references, looked at at once: whole entries of 4, 8, 16 and 24 bytes."""
SPACE = 1 << 40
MAX_SECTIONS = 1 << 12
MAX_SYMBOLS = 1 << 16
MAX_FRAMES_BYTES = 1 << 20

_MAX_NAMES_BYTES, _MAX_NAME_BYTES = 1 << 20, 128
_HEADER_BYTES, _SECTION_BYTES, _SYMBOL_BYTES = 64, 64, 24
_ELF = b"\x7fELF\2\1"
_PORTABLE, _PORTABLE_ARM64, _PORTABLE_CODE = b"MZ", b"PE\0\0\x64\xaa", 0x20
_TRIE, _TRIE_HEADER = b"KSLPHHRH", struct.Struct("<8sQQQ24xQQQ")
_PORTABLE_HEADER_BYTES, _PORTABLE_SECTION_BYTES = 24, 40
_RELOCATABLE, _EXECUTABLE, _SHARED = 1, 2, 3
_AMD64, _ARM64 = 62, 183
_NULL, _SYMBOLS, _RELOCATIONS, _NO_BITS, _DYNAMIC_SYMBOLS = 0, 2, 4, 8, 11
_WRITE, _LOADED, _INSTRUCTIONS = 1, 2, 4

_HALF = 1 << 63
_WORD_BYTES = 8


class Kind(enum.Enum):
    """What references a section has."""

    NONE = enum.auto()
    X86 = enum.auto()
    A64 = enum.auto()
    PLACES = enum.auto()
    FRAME_TABLE = enum.auto()
    FRAMES = enum.auto()
    ADDRESSES = enum.auto()
    RELOCATIONS = enum.auto()
    SYMBOLS = enum.auto()
    TYPES = enum.auto()


_NAMED = {
    b".eh_frame": Kind.FRAMES,
    b".eh_frame_hdr": Kind.FRAME_TABLE,
    b".rodata": Kind.ADDRESSES,
} | dict.fromkeys(
    (  # of Linux
        b".altinstructions",
        b".orc_unwind_ip",
        b".parainstructions",
        b".retpoline_sites",
        b".return_sites",
        b".smp_locks",
        b".static_call_sites",
        b"__bug_table",
        b"__ex_table",
        b"__jump_table",
        b"__ksymtab",
        b"__ksymtab_gpl",
    ),
    Kind.PLACES,
)


_CODE = {_AMD64: Kind.X86, _ARM64: Kind.A64}


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a program."""

    name: bytes
    kind: Kind
    offset: int
    size_bytes: int
    address: int
    linked: int = 0  # the section that the table says belongs to it
    info: int = 0  # the section that is relocated
    target: int = 0  # its address; of types: that of their texts
    loaded: bool = True
    filled: bool = True  # has content in the file
    begins: Sequence[int] = ()  # of types: where each block begins, and where the last ends


@dataclass(frozen=True, slots=True)
class Program:
    """The sections of a program."""

    relocatable: bool
    numbered: Mapping[int, Section]  # by their place in the section table

    @property
    def sections(self) -> list[Section]:
        """Those with content, by offset; none overlaps another."""
        found: list[Section] = []
        for section in sorted(self.numbered.values(), key=lambda each: each.offset):
            end = found[-1].offset + found[-1].size_bytes if found else 0
            if section.filled and section.size_bytes and section.offset >= end:
                found.append(section)
        return found

    @property
    def range(self) -> tuple[int, int]:
        """The lowest address, but 0, and the highest."""
        there = [section for section in self.numbered.values() if section.address]
        low = min((section.address for section in there), default=0)
        return low, max((section.address + section.size_bytes for section in there), default=0)


def parse(read: ReadAt, size_bytes: int) -> Program | None:
    """Read the section table of a program for AMD64 or AArch64.

    Args:
        read: gives the bytes of the file.
        size_bytes: how large it is.

    Returns:
        None for everything else, and for tables beyond the limits.
    """
    head = read(0, _HEADER_BYTES)
    if len(head) == _HEADER_BYTES and head.startswith(_ELF):
        return _parse_linked(head, read, size_bytes)
    if len(head) == _HEADER_BYTES and head.startswith(_PORTABLE):
        return _parse_portable(head, read, size_bytes)
    if len(head) == _HEADER_BYTES and head.startswith(_TRIE):
        return _parse_trie(read, size_bytes)
    return None


def _parse_linked(head: bytes, read: ReadAt, size_bytes: int) -> Program | None:
    kind, machine = struct.unpack_from("<HH", head, 16)
    (at,) = struct.unpack_from("<Q", head, 40)
    entry_bytes, count, names = struct.unpack_from("<HHH", head, 58)
    if machine not in _CODE or kind not in (_RELOCATABLE, _EXECUTABLE, _SHARED):
        return None
    if entry_bytes != _SECTION_BYTES or not names < count <= MAX_SECTIONS:
        return None
    table = read(at, count * _SECTION_BYTES) if at < size_bytes else b""
    if len(table) != count * _SECTION_BYTES:
        return None
    rows = [_Row(*row) for row in struct.iter_unpack("<IIQQQQIIQQ", table)]
    spelled = _names(rows[names], read, size_bytes)
    code = None if kind == _RELOCATABLE else _CODE[machine]
    return Program(code is None, _sections(rows, spelled, size_bytes, code))


def _parse_portable(head: bytes, read: ReadAt, size_bytes: int) -> Program | None:
    (at,) = struct.unpack_from("<I", head, 60)
    header = read(at, _PORTABLE_HEADER_BYTES) if at < size_bytes else b""
    if len(header) < _PORTABLE_HEADER_BYTES or not header.startswith(_PORTABLE_ARM64):
        return None
    (count,) = struct.unpack_from("<H", header, 6)
    (options_bytes,) = struct.unpack_from("<H", header, 20)
    begin = at + _PORTABLE_HEADER_BYTES + options_bytes
    table = read(begin, count * _PORTABLE_SECTION_BYTES) if begin < size_bytes else b""
    if not 0 < count <= MAX_SECTIONS or len(table) != count * _PORTABLE_SECTION_BYTES:
        return None
    rows = struct.iter_unpack("<8s4xIII12xI", table)
    return Program(
        relocatable=False,
        numbered={
            number: Section(name, _portable_kind(flags), offset, size, address)
            for number, (name, address, size, offset, flags) in enumerate(rows)
            if offset + size <= size_bytes
        },
    )


def is_trie(content: bytes) -> bool:
    """Whether something is a database of hardware, as far as its first bytes tell."""
    return content.startswith(_TRIE)


def _parse_trie(read: ReadAt, size_bytes: int) -> Program | None:
    header = read(0, _TRIE_HEADER.size)
    if len(header) < _TRIE_HEADER.size:
        return None
    _, _, told, begin, _, nodes, texts = _TRIE_HEADER.unpack(header)
    if told != size_bytes or begin + nodes + texts != size_bytes or begin % _WORD_BYTES:
        return None
    sections = {
        0: Section(b"nodes", Kind.ADDRESSES, begin, nodes, begin),
        1: Section(b"texts", Kind.NONE, begin + nodes, texts, begin + nodes),
    }
    return Program(relocatable=False, numbered=sections)


def _portable_kind(flags: int) -> Kind:
    return Kind.A64 if flags & _PORTABLE_CODE else Kind.NONE


@dataclass(frozen=True, slots=True)
class _Row:
    """One entry of the section table."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size_bytes: int
    link: int
    info: int
    alignment: int
    entry_bytes: int


def _names(row: _Row, read: ReadAt, size_bytes: int) -> bytes:
    if row.size_bytes > _MAX_NAMES_BYTES or row.offset > size_bytes:
        return b""
    return read(row.offset, row.size_bytes)


def _sections(
    rows: Sequence[_Row], names: bytes, size_bytes: int, code: Kind | None
) -> dict[int, Section]:
    """By number; without a kind of code they are those of a program that is not linked yet."""
    relocatable = code is None
    found: dict[int, Section] = {}
    for number, row in enumerate(rows):
        filled = row.kind != _NO_BITS
        if row.kind == _NULL or (filled and row.offset + row.size_bytes > size_bytes):
            continue
        if not relocatable and not row.flags & _LOADED:
            continue
        name = names[row.name : row.name + _MAX_NAME_BYTES].split(b"\0", 1)[0]
        kind = _module_kind(row) if code is None else _kind(row, name, code)
        if kind is Kind.FRAMES and any(each.kind is kind for each in found.values()):
            kind = Kind.NONE  # they are kept as a whole
        found[number] = Section(
            name,
            kind if filled else Kind.NONE,
            row.offset,
            row.size_bytes,
            space(number) if relocatable else _signed(row.address),
            row.link,
            row.info,
            space(row.info) if relocatable and row.info < len(rows) else 0,
            loaded=bool(row.flags & _LOADED),
            filled=filled,
        )
    return found


def _kind(row: _Row, name: bytes, code: Kind) -> Kind:
    if row.flags & _INSTRUCTIONS:
        return code
    if row.kind == _RELOCATIONS:
        return Kind.RELOCATIONS
    kind = _NAMED.get(name, Kind.NONE)
    if kind is Kind.FRAMES and row.size_bytes > MAX_FRAMES_BYTES:
        return Kind.NONE
    if kind is Kind.NONE and (row.flags & _WRITE or row.kind == _DYNAMIC_SYMBOLS):
        return Kind.ADDRESSES
    return kind


def _module_kind(row: _Row) -> Kind:
    """Its relocations say nearly all that its instructions refer to."""
    if row.kind == _RELOCATIONS:
        return Kind.RELOCATIONS
    return Kind.SYMBOLS if row.kind == _SYMBOLS else Kind.NONE


def space(number: int) -> int:
    """Where the addresses of a section begin that has none."""
    return (number + 1) * SPACE


def _signed(address: int) -> int:
    """Kernels are at the upper end of what 64 bits address: just below 0."""
    return address - 2 * _HALF if address >= _HALF else address


def section_symbols(program: Program, number: int, read: ReadAt) -> list[int]:
    """For each symbol of a table: the space of the section that it stands for, or 0."""
    table = program.numbered.get(number)
    if table is None or table.size_bytes > MAX_SYMBOLS * _SYMBOL_BYTES:
        return []
    content = read(table.offset, table.size_bytes)
    content = content[: len(content) // _SYMBOL_BYTES * _SYMBOL_BYTES]
    return [
        space(section) if kind & 15 == _SECTION_SYMBOL else 0
        for kind, section in struct.iter_unpack("<4xBxH16x", content)
    ]


_SECTION_SYMBOL = 3
