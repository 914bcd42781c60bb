"""Where in a new program is what an old one refers to: the sender's side of moved references.

The receiver moves references by the copies (``transfer/codecs/references.py``). Both depend on each
other: good copies tell where everything went, and knowing that one finds better copies. A table of
calls has no two bytes in common with the new one if everything moved; and the wrong entry of a
table looks as good as the right one. So:

1. Copies are found as in any other file.
2. In both programs each reference is *spelled out*: instead of how far away its target is, where
   it is, in the new program. Now equal is what means the same, and copies are found again.
3. What these copies tell wrongly is seen by comparing with the new program's references, and
   *corrected* where it pays: from one address on, a number is added to all shifts.

Of numbers of types (``transfer/codecs/btf.py``) copies tell nothing, so they are corrected by the
first copies already, before they are spelled out.

Tested by ``tests/unit/transfer/sending/test_targets.py``.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconix.transfer.codecs import btf, compiled, programs
from reconix.transfer.codecs.a64 import WORD_BYTES as _WORD
from reconix.transfer.codecs.programs import SPACE, Kind, Program
from reconix.transfer.codecs.references import (
    Correction,
    Finder,
    Found,
    Move,
    Shifts,
    blocks,
    stretches,
)
from reconix.transfer.format.plan import MAX_CORRECTIONS, MAX_SHIFT, Copies
from reconix.transfer.sending import covers
from reconix.transfer.sending.covers import Copy

_STEP_COST = 4  # bytes of a correction, about; of a wrong reference likewise one each


@dataclass(frozen=True, slots=True)
class Targets:
    """Copies, what they tell wrongly, and how many references a device has to look at."""

    copies: list[Copy]
    corrections: list[Correction]
    references: int
    types_at: int | None = None  # where the old program says of its types; None: they stay


@dataclass(frozen=True, slots=True)
class Executable:
    """A program and its content."""

    program: Program
    content: bytes
    types_at: int | None = None

    @classmethod
    def parse(cls, content: bytes, *, with_types: bool = False) -> "Executable | None":
        """Take content, if it is a program; with what it says of its types, if that may move."""
        read = _reader(content)
        found = programs.parse(read, len(content))
        at = btf.place(content) if with_types else None
        if found is None or at is None:
            return None if found is None else cls(found, content)
        cut = btf.with_types(found, read, at)
        return cls(cut, content, None if cut is found else at)

    def types(self) -> "Executable":
        """What says of types, alone."""
        sections = [each for each in self.program.sections if each.kind is Kind.TYPES]
        return Executable(
            Program(relocatable=False, numbered=dict(enumerate(sections))), self.content
        )

    def references(self) -> Iterator[tuple[int, Found]]:
        """All references, with the offset that their positions count from."""
        finder = Finder(self.program, _reader(self.content))
        for section, begin, size in blocks(self.program):
            at = section.offset + begin
            for found in finder.find(section, begin, self.content[at : at + size]):
                yield at, found


def _reader(content: bytes) -> programs.ReadAt:
    return lambda offset, size_bytes: content[offset : offset + size_bytes]


def find(old: bytes, new: bytes, copies: Copies, *, with_types: bool = False) -> Targets | None:
    """How a new program is made from an old one.

    Args:
        old: the old program.
        new: the new one.
        copies: a first guess.
        with_types: whether numbers and names of types may move.

    Returns:
        None if they are no programs, or nothing in them moved.
    """
    before, after = (Executable.parse(each, with_types=with_types) for each in (old, new))
    if before is None or after is None or not copies:
        return None
    shifts = Shifts(before.program, copies.moves())
    if not shifts:
        return None
    numbers = _numbers(before, after, list(copies.moves()), shifts)
    shifts = Shifts(before.program, copies.moves(), numbers)
    spelled = spell_out(before, shifts), spell_out(after, Shifts(after.program, ()))
    better = in_words(covers.find(*spelled), after.program)
    moves = list(Copies.of(better).moves())
    shifts = Shifts(before.program, moves)
    count = sum(len(found.positions) for _, found in before.references())
    corrections = _corrections(before, after, moves, shifts)
    return Targets(better, corrections, count, before.types_at)


def _numbers(
    old: Executable, new: Executable, moves: Sequence[Move], shifts: Shifts
) -> list[Correction]:
    """By how much numbers of types differ, as the first copies show."""
    if old.types_at is None:
        return []
    found = _corrections(old.types(), new.types(), moves, shifts)
    return [step for step in found if step[0] >= btf.TYPES]


def in_words(copies: Sequence[Copy], program: Program) -> list[Copy]:
    """Copies of whole instructions, where these are of Arm.

    A part of one at an end of a copy is a difference that nothing explains. A copy that is not from
    where an instruction would begin stays as it is.

    Args:
        copies: into a program.
        program: that is made.
    """
    code = [section for section in program.sections if section.kind is Kind.A64]
    starts = [section.offset for section in code]
    found: list[Copy] = []
    at = done = 0
    for origin, gap, length in copies:
        begin, end = at + gap, at + gap + length
        at = end
        section = code[bisect_right(starts, begin) - 1] if code and starts[0] <= begin else None
        if section and end <= section.offset + section.size_bytes and not (begin - origin) % _WORD:
            origin -= begin
            begin, end = begin + -begin % _WORD, end - end % _WORD
            origin += begin
        if begin < end:
            found.append((origin, begin - done, end - begin))
            done = end
    return found


def spell_out(file: Executable, shifts: Shifts) -> bytes:
    """The content with the address of its target in each reference, after the shifts."""
    library = compiled.library()
    if library is None:
        return spell_out_slowly(file, shifts)
    content = bytearray(file.content)
    finder = Finder(file.program, _reader(file.content))
    for section, begin, size in blocks(file.program):
        at = section.offset + begin
        block = file.content[at : at + size]
        spelled = finder.compiled(library, section, begin, block, shifts, spelled=True)
        content[at : at + size] = spelled
    return bytes(content)


def spell_out_slowly(file: Executable, shifts: Shifts) -> bytes:
    """The same, by Python alone."""
    content = bytearray(file.content)
    for at, found in file.references():
        by = shifts.of(found.targets)
        width, mask = found.width, (1 << 8 * found.width) - 1
        rows = zip(found.positions, found.values, found.targets, by, strict=True)
        for position, value, target, distance in rows:
            begin = at + position
            if found.spell:
                value = found.spell(value, target + distance, 0)
            elif found.places:
                value = target + distance
            elif distance:
                there = int.from_bytes(file.content[begin : begin + width], "little")
                value = there + distance // found.unit
            else:
                continue
            content[begin : begin + width] = (value & mask).to_bytes(width, "little")
    return bytes(content)


def _corrections(
    old: Executable, new: Executable, moves: Sequence[Move], shifts: Shifts
) -> list[Correction]:
    right: list[int] = []
    wrong: dict[int, Counter[int]] = {}
    for target, error in _errors(old, new, moves, shifts):
        if error:
            wrong.setdefault(target, Counter())[error] += 1
        else:
            right.append(target)
    found = steps(wrong, sorted(right))
    allowed = [step for step in found if max(map(abs, step)) <= MAX_SHIFT]
    return allowed[:MAX_CORRECTIONS]


def _errors(
    old: Executable, new: Executable, moves: Sequence[Move], shifts: Shifts
) -> Iterator[tuple[int, int]]:
    """For each reference that is copied: its target, and by how much more that moved."""
    there = _by_position(new)
    same = _same_spaces(old.program, new.program)
    moved_stretches = list(stretches(moves))
    starts = [begin for begin, _, _ in moved_stretches]
    for at, found in old.references():
        by = shifts.of(found.targets)
        for position, target, guess in zip(found.positions, found.targets, by, strict=True):
            begin, end, moved = moved_stretches[bisect_right(starts, at + position) - 1]
            if not begin <= at + position <= end - found.width:
                continue
            actual = there.get(at + position + moved)
            if actual is not None:
                yield target, same.get(actual // SPACE, 0) + actual - target - guess


def _by_position(file: Executable) -> dict[int, int]:
    """The target of each reference of a program, by its offset."""
    targets: dict[int, int] = {}
    for at, found in file.references():
        targets.update(zip(map(at.__add__, found.positions), found.targets, strict=True))
    return targets


def _same_spaces(old: Program, new: Program) -> Mapping[int, int]:
    """From the space of a section to that of the old section of the same name, as a distance."""
    if not new.relocatable:
        return {}
    named = {section.name: section.address for section in old.numbered.values()}
    return {
        section.address // SPACE: named.get(section.name, section.address) - section.address
        for section in new.numbered.values()
    }


def steps(wrong: Mapping[int, Counter[int]], right: Sequence[int]) -> list[Correction]:
    """The corrections that leave the fewest errors, each counted as a few.

    For each address it is known how many references want which correction. Along the addresses
    the best course is followed for each correction that was wanted so far; to change to another
    one costs. (The algorithm of Viterbi.)

    Args:
        wrong: for each target how many references want which correction.
        right: targets of references that want none, in order; each as often as it is meant.
    """
    best, leader = {0: 0}, 0
    path: list[tuple[int, dict[int, int]]] = []
    for address, wanted in _wants(wrong, right):
        changed = {}
        entry = best[leader] - _STEP_COST
        for correction, count in wanted.items():
            if best.get(correction, entry - 1) < entry:
                best[correction], changed[correction] = entry, leader
            best[correction] += count
        path.append((address, changed))
        leader = max([leader, *wanted], key=best.__getitem__)
    return _course(path, leader)


def _wants(
    wrong: Mapping[int, Counter[int]], right: Sequence[int]
) -> Iterator[tuple[int, Mapping[int, int]]]:
    """What is wanted at each address; what is right between two of them is counted together."""
    seen = 0
    for address in sorted(wrong):
        until = bisect_left(right, address)
        if until > seen:
            yield right[seen], {0: until - seen}
        seen = bisect_right(right, address)
        yield address, {**wrong[address], 0: seen - until}
    if seen < len(right):
        yield right[seen], {0: len(right) - seen}


def _course(path: Sequence[tuple[int, dict[int, int]]], last: int) -> list[Correction]:
    """The corrections along the best way, which is known from its end."""
    found: list[Correction] = []
    current = last
    for address, changed in reversed(path):
        if current in changed:
            found.append((address, current))
            current = changed[current]
    return found[::-1]
