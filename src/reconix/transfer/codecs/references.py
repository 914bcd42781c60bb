"""References of programs, moved to where their targets will be.

One inserted line of source moves all code behind it, and every call across that place changes,
though nothing about it did. If it is known how far its target has moved, and how far it has moved
itself, it is known beforehand what a call will be. So before old bytes are copied, the references
in them are *moved* (``Shifts``): the shift of its target is added to each, and, if it is relative
to its own place, the shift of that place is subtracted. Few differences are left then.

::

    old            call at 1000 → 5000      difference 4000 - 5
    copies say     1000 → 1000, 5000 → 5016
    moved          call at 1000 → 5016      what the new file has

Only old bytes are changed, by a function of the old file, the copies, and a few *corrections*, and
both ends know these. So a wrong guess costs a difference and nothing else: no number in here has to
be right, and any bytes may pass as a program.

Shifts follow from the copies: what is copied from 5000 to 5016 moved by 16. Where copies say
nothing or the wrong thing (variables without content, tables whose entries all look the same) the
sender, which has both files, corrects them: from an address on, a number is added.

A compiled library does the same faster, where there is one (``compiled.py``); what is right is said
here.

Work is done in blocks of at most ``BLOCK_BYTES``, which begin where a section begins; a reference
across the end of one stays as it is. (``programs.Kind.FRAMES`` is one block; those of types end
where a record does.)

Tested by ``tests/unit/transfer/codecs/test_references.py``.
"""

import operator
import re
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, compress, islice, repeat

from reconix.base.records import dataclass
from reconix.transfer.codecs import a64, btf, compiled
from reconix.transfer.codecs.compiled import Library, Steps
from reconix.transfer.codecs.programs import (
    BLOCK_BYTES,
    Kind,
    Program,
    ReadAt,
    Section,
    parse,
    section_symbols,
)

_HALF = 1 << 63
_BITS, _ONES = 62, (1 << 62) - 1  # of a place in a file, and more
_BLOCKS = 48  # kept: 3 MiB
_PLAIN_BYTES = 1 << 14  # read at once where no references are
_INSTRUCTION = re.compile(
    rb"(?s)[\xe8\xe9"  # call, jump
    rb"\x80-\x8f"  # jump on a condition, if after 0x0f
    rb"\x05\x0d\x15\x1d\x25\x2d\x35\x3d]"  # memory from here on
    rb"(?<![^\x0f][\x80-\x8f])(...[\x00-\x03\xfc-\xff])"
)
_FOUR_BYTES = struct.Struct("<i")
_RELOCATION_BYTES, _SYMBOL_BYTES = 24, 24
_FROM_HERE = frozenset({2, 4})  # R_X86_64_PC32, R_X86_64_PLT32: what to add is 4 less

Move = tuple[int, int, int]  # of content: old offset, new offset, size
Stretch = tuple[int, int, int]  # of old content: begin, end, how far it moves
Correction = tuple[int, int]  # an address, and how much more things move from there on


@dataclass(frozen=True, slots=True)
class Found:
    """References of one width in a block."""

    positions: Sequence[int]  # in the block, rising
    width: int  # bytes
    values: Sequence[int]
    targets: Sequence[int]  # addresses in the old program
    places: Sequence[int] = ()  # addresses that they count from; none: they are addresses
    unit: int = 1  # bytes that one more in the reference means
    spell: a64.Spell | None = None  # if it is a part of the value: how the value is made


class Shifts:
    """How far each address of a program moves: a step function."""

    def __init__(
        self, program: Program, moves: Iterable[Move], corrections: Iterable[Correction] = ()
    ) -> None:
        self._starts = array("q")
        self._by = array("q", [0])  # before the first start
        for address, by in _corrected(_steps(program, stretches(moves)), corrections):
            if self._starts and self._starts[-1] == address:
                self._by[-1] = by
            elif by != self._by[-1]:
                self._starts.append(address)
                self._by.append(by)
        self.steps = Steps(self._starts, self._by)

    def __bool__(self) -> bool:
        """Whether anything moves at all."""
        return bool(self._starts)

    def of(self, addresses: Sequence[int]) -> list[int]:
        """By how many bytes these move."""
        if not any(map(operator.gt, addresses, islice(addresses, 1, None))):
            return self.along(addresses)
        return self._of_each(addresses)

    def _of_each(self, addresses: Sequence[int]) -> list[int]:
        by = self._by
        return [by[index] for index in map(bisect_right, repeat(self._starts), addresses)]

    def rest(self, begin: int, end: int) -> bool:
        """Whether nothing from one address up to another moves."""
        first, last = (bisect_right(self._starts, address) for address in (begin, end))
        return first == last and self._by[first] == 0

    def along(self, addresses: Sequence[int]) -> list[int]:
        """The same for addresses that do not fall, which is less work."""
        found: list[int] = []
        if addresses:
            index = bisect_right(self._starts, addresses[0])
            last = bisect_right(self._starts, addresses[-1])
            if last - index > len(addresses):
                return self._of_each(addresses)
            for step in range(index, last):
                until = bisect_left(addresses, self._starts[step])
                found += [self._by[step]] * (until - len(found))
            found += [self._by[last]] * (len(addresses) - len(found))
        return found


def stretches(moves: Iterable[Move]) -> Iterator[Stretch]:
    """Begin and end of each old stretch, and how far it moves; of two copies the first counts.

    There may be very many, so each is one number while they are sorted; none is beyond 2^61.
    """
    ordered = [(old << _BITS | _ONES - size) << _BITS | new for old, new, size in moves]
    ordered.sort(reverse=True)
    end = 0
    while ordered:
        packed = ordered.pop()
        old, size, new = packed >> 2 * _BITS, _ONES - (packed >> _BITS & _ONES), packed & _ONES
        if old + size > end:
            yield max(old, end), old + size, new - old
            end = old + size


def _steps(program: Program, moved: Iterator[Stretch]) -> Iterator[tuple[int, int]]:
    """The shifts of addresses, from those of offsets; by address."""
    steps = [
        (address + _HALF) << 64 | by + _HALF
        for address, by in _unsorted_steps(program, moved)
        if -_HALF <= address < _HALF
    ]
    steps.sort(reverse=True)
    while steps:
        packed = steps.pop()
        yield (packed >> 64) - _HALF, (packed & 2 * _HALF - 1) - _HALF


def _unsorted_steps(program: Program, moved: Iterator[Stretch]) -> Iterator[tuple[int, int]]:
    following, by = next(moved, None), 0
    for section in program.sections:
        while following is not None and following[0] <= section.offset:
            by, following = following[2], next(moved, None)
        base = by if program.relocatable else 0
        yield section.address, by - base
        end = section.offset + section.size_bytes
        distance = section.address - section.offset
        while following is not None and following[0] < end:
            by = following[2]
            yield following[0] + distance, by - base
            following = next(moved, None)


def _corrected(
    steps: Iterable[tuple[int, int]], corrections: Iterable[Correction]
) -> Iterator[tuple[int, int]]:
    """Each step with the last correction at or before it, and each correction; both rise."""
    waiting = iter(corrections)
    following = next(waiting, None)
    by = more = 0
    for address, after in steps:
        while following is not None and following[0] < address:
            more = following[1]
            yield following[0], by + more
            following = next(waiting, None)
        by = after
        yield address, by + more
    while following is not None:
        yield following[0], by + following[1]
        following = next(waiting, None)


class Finder:
    """Finds the references in blocks of a program.

    Args:
        program: where they are.
        read: gives its bytes.
        shifts: if given, sections of a kernel module to which nothing can happen are left out.
    """

    def __init__(self, program: Program, read: ReadAt, shifts: Shifts | None = None) -> None:
        self._program = program
        self._still = _still(program, shifts) if shifts and program.relocatable else frozenset()
        self._read = read
        self._low, self._high = program.range
        self._spaces = -1, array("q", [-1])  # of a symbol table, ``_spaces_of``

    def find(self, section: Section, begin: int, block: bytes) -> Iterator[Found]:
        """The references in a block.

        Args:
            section: where it is from.
            begin: where in the section.
            block: its bytes.
        """
        base = section.address + begin
        match section.kind:
            case Kind.X86:
                yield _in_x86(block, base)
            case Kind.A64:
                yield from _in_a64(block, base)
            case Kind.PLACES:
                yield _table(block, base, 4)
            case Kind.FRAME_TABLE:
                yield _table(block, section.address, 0)
            case Kind.FRAMES:
                yield _in_frames(block, base)
            case Kind.ADDRESSES:
                yield self._addresses(block)
            case Kind.RELOCATIONS:
                yield from self._relocations(section, block)
            case Kind.SYMBOLS:
                yield self._symbols(block)
            case Kind.TYPES:
                yield from _in_types(block, section)

    def _is_still(self, section: Section | None) -> bool:
        return section is not None and section.address in self._still

    def _addresses(self, block: bytes) -> Found:
        words = _words("q", block, 8)
        low, high = self._low, self._high
        there = [index for index, word in enumerate(words) if low <= word <= high]
        values = [words[index] for index in there]
        return Found([8 * index for index in there], 8, values, values)

    def _relocations(self, section: Section, block: bytes) -> Iterator[Found]:
        size = len(block) // _RELOCATION_BYTES * _RELOCATION_BYTES
        words, halves = _words("q", block[:size], 8), _words("I", block[:size], 4)
        offsets, kinds, symbols = words[0::3], halves[2::6], halves[3::6]
        target, table = self._origins(section)
        if target is not None:
            targets = [target + offset for offset in offsets]
            yield Found(range(0, size, _RELOCATION_BYTES), 8, offsets, targets)
        if table is not None:
            targets = [table + _SYMBOL_BYTES * symbol for symbol in symbols]
            positions = range(12, size, _RELOCATION_BYTES)
            yield Found(positions, 4, symbols, targets, unit=_SYMBOL_BYTES)
        spaces = self._of_symbols(section, symbols)
        there = [index for index, space in enumerate(spaces) if space >= 0]
        addends = [words[3 * index + 2] for index in there]
        targets = [
            spaces[index] + addend + (4 if kinds[index] in _FROM_HERE else 0)
            for index, addend in zip(there, addends, strict=True)
        ]
        yield Found([_RELOCATION_BYTES * index + 16 for index in there], 8, addends, targets)

    def _origins(self, section: Section) -> tuple[int | None, int | None]:
        """Where offsets of relocations count from, and numbers of symbols; None: all is still."""
        numbered = self._program.numbered
        target, table = numbered.get(section.info), numbered.get(section.linked)
        symbols = None if table is None or self._is_still(table) else table.address
        return None if self._is_still(target) else section.target, symbols

    def _of_symbols(self, section: Section, symbols: Sequence[int]) -> list[int]:
        """What addends count from: the section that a symbol stands for, or -1; or nothing."""
        spaces = self._spaces_of(section)
        if not spaces:
            return [0] * len(symbols)
        last = len(spaces) - 1
        return [spaces[min(symbol, last)] for symbol in symbols]

    def _spaces_of(self, section: Section) -> "array[int]":
        """For each symbol of a table of relocations; the last for all that are not there."""
        if not self._program.relocatable:
            return array("q")
        if self._spaces[0] != section.linked:
            found = section_symbols(self._program, section.linked, self._read)
            spaces = [-1 if space in self._still else space or -1 for space in found]
            self._spaces = section.linked, array("q", [*spaces, -1])
        return self._spaces[1]

    def _symbols(self, block: bytes) -> Found:
        size = len(block) // _SYMBOL_BYTES * _SYMBOL_BYTES
        words, sections = _words("q", block[:size], 8)[1::3], _words("H", block[:size], 2)[3::12]
        base = self._bases()
        there = [index for index, number in enumerate(sections) if number in base]
        values = [words[index] for index in there]
        targets = [base[sections[index]] + words[index] for index in there]
        return Found([_SYMBOL_BYTES * index + 8 for index in there], 8, values, targets)

    def _bases(self) -> dict[int, int]:
        """Where each section begins in which something moves, by its number."""
        numbered = self._program.numbered.items()
        return {each: section.address for each, section in numbered if not self._is_still(section)}

    def moved(self, section: Section, begin: int, block: bytes, shifts: Shifts) -> bytes:
        """A block with its references as they will be; see ``find``."""
        library = compiled.library()
        if library is None:
            return move(block, self.find(section, begin, block), shifts)
        return self.compiled(library, section, begin, block, shifts)

    def compiled(
        self,
        library: Library,
        section: Section,
        begin: int,
        block: bytes,
        shifts: Shifts,
        *,
        spelled: bool = False,
    ) -> bytes:
        """The same by a library; ``spelled``: see there."""
        match section.kind:
            case Kind.RELOCATIONS:
                origins, spaces = self._origins(section), self._spaces_of(section)
                return library.relocations(block, *origins, spaces, shifts.steps)
            case Kind.SYMBOLS:
                bases = self._bases()
                count = max(bases, default=0) + 1
                numbered = array("q", [bases.get(number, -1) for number in range(count)])
                return library.symbols(block, numbered, shifts.steps)
        bounds = self._low, self._high
        return library.block(section, begin, block, bounds, shifts.steps, spelled=spelled)


def _still(program: Program, shifts: Shifts) -> frozenset[int]:
    """The addresses of sections in which nothing moves."""
    return frozenset(
        section.address
        for section in program.numbered.values()
        if shifts.rest(section.address, section.address + section.size_bytes)
    )


def _words(code: str, block: bytes | bytearray, width: int) -> "array[int]":
    words = array(code)
    words.frombytes(block[: len(block) // width * width])
    return words


def _from(positions: Sequence[int], values: Sequence[int], places: Sequence[int]) -> Found:
    """References of four bytes that count from the places given."""
    return Found(positions, 4, values, list(map(operator.add, places, values)), places)


def _in_x86(block: bytes, base: int) -> Found:
    """A reference counts from the end of its instruction, which is mostly its own end."""
    parts = _INSTRUCTION.split(block)  # what is before an opcode, what is after it, and so on
    before = accumulate(map(len, parts[:-1]))
    positions = [at + index for index, at in enumerate(islice(before, 0, None, 2), 1)]
    places = [base + 4 + position for position in positions]
    return _from(positions, _words("i", b"".join(parts[1::2]), 4), places)


def _in_a64(block: bytes, base: int) -> Iterator[Found]:
    words = _words("I", block, a64.WORD_BYTES)
    for part in a64.find(words, base):
        positions = [a64.WORD_BYTES * index for index in part.indices]
        values = [words[index] for index in part.indices]
        places = [base + position for position in positions]
        yield Found(positions, a64.WORD_BYTES, values, part.targets, places, spell=part.spell)


def _table(block: bytes, first: int, step: int) -> Found:
    """Each word of four bytes counts from the first place, or from one so much further."""
    values = _words("i", block, 4)
    places = range(first, first + step * len(values), step) if step else [first] * len(values)
    return _from(range(0, 4 * len(values), 4), values, places)


def _in_types(block: bytes, section: Section) -> Iterator[Found]:
    """Names count from where their texts begin; a type is an address but for ``TYPES``."""
    names, types = btf.find(block)
    yield _from(names, _at(block, names), [section.target] * len(names))
    numbers = _at(block, types)
    yield Found(types, 4, numbers, list(map(btf.TYPES.__add__, numbers)))


def _at(block: bytes, positions: Iterable[int]) -> list[int]:
    """The words of four bytes there."""
    return [_FOUR_BYTES.unpack_from(block, position)[0] for position in positions]


def _in_frames(block: bytes, base: int) -> Found:
    frames = _frames(block)
    return _from(frames, _at(block, frames), [base + position for position in frames])


def _frames(block: bytes) -> list[int]:
    """Where records of functions say where these begin.

    Source: Linux Standard Base Core Specification, section 10.6, *Exception Frames*.
    """
    positions, at = [], 0
    while at + 12 <= len(block):
        size, kind = struct.unpack_from("<II", block, at)
        if not 4 <= size < 0xFFFFFFF0:
            break
        if kind:
            positions.append(at + 8)
        at += 4 + size
    return positions


def move(block: bytes, found: Iterable[Found], shifts: Shifts) -> bytes:
    """The block with these references as they will be."""
    moved = bytearray(block)
    for each in found:
        by = shifts.of(each.targets)
        if each.spell:
            by = _respelled(each, each.spell, by, shifts)
        elif each.places:
            by = list(map(operator.sub, by, shifts.along(each.places)))
        if each.unit != 1:
            by = [distance // each.unit for distance in by]
        _write(moved, each, by)
    return bytes(moved)


def _respelled(found: Found, spell: a64.Spell, by: Sequence[int], shifts: Shifts) -> list[int]:
    """By how much the values change when targets move so far, and places as they do."""
    targets = map(operator.add, found.targets, by)
    places = map(operator.add, found.places, shifts.along(found.places))
    return list(map(operator.sub, map(spell, found.values, targets, places), found.values))


def _write(block: bytearray, found: Found, by: Sequence[int]) -> None:
    """Add a number to each reference."""
    width, positions = found.width, found.positions
    mask = (1 << 8 * width) - 1
    write = struct.Struct("<" + _CODES[width]).pack_into
    rows = zip(positions, found.values, by, strict=True)
    for position, value, distance in compress(rows, by):
        write(block, position, value + distance & mask)


_CODES = {4: "I", 8: "Q"}


def blocks(program: Program) -> Iterator[tuple[Section, int, int]]:
    """All blocks with references: section, begin in it, size."""
    for section in program.sections:
        if section.kind is not Kind.NONE:
            end = 0
            while end < section.size_bytes:
                begin, end = _block_around(section, end)
                yield section, begin, end - begin


def _block_around(section: Section, inside: int) -> tuple[int, int]:
    """Begin and end of the block in which a byte of a section is."""
    if section.kind is Kind.TYPES:
        after = bisect_right(section.begins, inside)
        return section.begins[after - 1], section.begins[after]
    step = section.size_bytes if section.kind is Kind.FRAMES else BLOCK_BYTES
    begin = inside - inside % step
    return begin, min(begin + step, section.size_bytes)


def uncounted(_: int) -> None:
    """Ignore how much is looked at."""


class Moved:
    """Old content, read as if its references had been moved.

    Args:
        read: gives the old content.
        size_bytes: how much there is of it.
        moves: what is copied.
        corrections: of what follows from that.
        spend: takes how many bytes are looked at for references. Blocks are kept for a while;
            copies to and fro among many of them have them looked at again and again.
        types_at: where what it says of its types is (``btf.py``), if that moves, too.
    """

    def __init__(
        self,
        read: ReadAt,
        size_bytes: int,
        moves: Iterable[Move],
        corrections: Iterable[Correction],
        spend: Callable[[int], None] = uncounted,
        types_at: int | None = None,
    ) -> None:
        self._read = read
        self._spend = spend
        self._sections: list[Section] = []
        program = parse(self._look, size_bytes)
        if program is not None:
            if types_at is not None:
                program = btf.with_types(program, self._look, types_at)
            self._sections = program.sections
            self._shifts = Shifts(program, moves, corrections)
            self._finder = Finder(program, self._look, self._shifts)
        self._offsets = [section.offset for section in self._sections]
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._last_at, self._last = 0, b""  # what was read last

    def _look(self, offset: int, size_bytes: int) -> bytes:
        self._spend(size_bytes)
        return self._read(offset, size_bytes)

    def read(self, offset: int, size_bytes: int) -> bytes:
        """That many bytes from there; fewer only at the end."""
        inside = offset - self._last_at  # most copies are from where the one before was
        if 0 <= inside <= len(self._last) - size_bytes:
            return self._last[inside : inside + size_bytes]
        parts = []
        while size_bytes:
            self._last_at, self._last = self._around(offset)
            inside = offset - self._last_at
            part = self._last[inside : inside + size_bytes]
            if not part:
                break
            parts.append(part)
            offset += len(part)
            size_bytes -= len(part)
        return b"".join(parts)

    def _around(self, offset: int) -> tuple[int, bytes]:
        """A stretch with the byte at an offset, if there is one, and where the stretch begins."""
        index = bisect_right(self._offsets, offset)
        section = self._sections[index - 1] if index else None
        if section is not None and offset < section.offset + section.size_bytes:
            if section.kind is Kind.NONE or not self._shifts:
                end = section.offset + section.size_bytes
                return offset, self._read(offset, min(_PLAIN_BYTES, end - offset))
            return self._block(section, *_block_around(section, offset - section.offset))
        end = self._offsets[index] if index < len(self._offsets) else offset + _PLAIN_BYTES
        return offset, self._read(offset, min(_PLAIN_BYTES, end - offset))

    def _block(self, section: Section, begin: int, end: int) -> tuple[int, bytes]:
        at = section.offset + begin
        block = self._kept.pop(at, None)
        if block is None:
            block = self._look(at, end - begin)
            block = self._finder.moved(section, begin, block, self._shifts)
            if len(self._kept) >= _BLOCKS:
                self._kept.popitem(last=False)
        self._kept[at] = block
        return at, block
