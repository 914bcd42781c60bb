"""References in the instructions of A64, Arm's 64-bit instruction set.

Each instruction is a word of four bytes and has room for a part of an address only:

======= ===================================== ========================================
branch  ``b``, ``bl``                         how many words away: 26 bits
page    ``adrp``                              how many pages away: 21 bits, in two parts
low     ``add``, or a load or store, with     where in that page: 12 bits, in units of
        the register that ``adrp`` has set    what is loaded
======= ===================================== ========================================

Code that addresses memory sets a page first and adds the rest soon after. These two are read as a
pair: only together they give the target, and when that moves, both may change.

Branches within a function (``cbz`` and the like) hardly ever change and are left alone.

Source: *Arm Architecture Reference Manual for A-profile architecture*, C6.2: ADD (immediate), ADRP,
B, BL; LDR (immediate), *Unsigned offset*.
Tested by ``tests/unit/transfer/codecs/test_a64.py`` against ``objdump``.
"""

import re
from array import array
from collections.abc import Callable, Iterator, Sequence

from reconix.base.records import dataclass

WORD_BYTES = 4

_PAGE_BITS = 12
_PAGE = (1 << _PAGE_BITS) - 1
_NEAR = 8  # words in which the partner of ``adrp`` is looked for
_BRANCH_TOP = re.compile(rb"(?s)[\x14-\x17\x94-\x97]")  # the highest byte of the word
_PAGE_TOP = re.compile(rb"(?s)[\x90\xb0\xd0\xf0]")
_FAR = (1 << 26) - 1
_REGISTER = 31
_ADD, _ADD_MASK = 0x91000000, 0xFFC00000
_ACCESS, _ACCESS_MASK = 0x39000000, 0x3B000000
_VECTOR = 1 << 26 | 1 << 23  # set in 16-byte loads and stores, whose size bits are 0

Spell = Callable[[int, int, int], int]
"""From an instruction, a target and the instruction's own address: the instruction for these."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Instructions that hold the same part of a reference each."""

    indices: Sequence[int]  # which words, rising
    targets: Sequence[int]
    spell: Spell


def find(words: "array[int]", base: int) -> Iterator[Parts]:
    """The references in instructions, the first of which is at the address ``base``."""
    highest = words.tobytes()[WORD_BYTES - 1 :: WORD_BYTES]
    branches = [match.start() for match in _BRANCH_TOP.finditer(highest)]
    yield Parts(branches, [_target(words[at], base + WORD_BYTES * at) for at in branches], branch)
    starts = [match.start() for match in _PAGE_TOP.finditer(highest)]
    pairs = [pair for at in starts if (pair := _pair(words, at, base))]
    targets = [target for _, _, target in pairs]
    yield Parts([at for at, _, _ in pairs], targets, page)
    lows = sorted({partner: target for _, partner, target in pairs}.items())
    yield Parts([at for at, _ in lows], [target for _, target in lows], low)


def branch(word: int, target: int, place: int) -> int:
    """``b`` or ``bl`` to there."""
    return word & ~_FAR | (target - place) // WORD_BYTES & _FAR


def page(word: int, target: int, place: int) -> int:
    """``adrp`` for there."""
    pages = (target >> _PAGE_BITS) - (place >> _PAGE_BITS)
    return word & 0x9F00001F | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5


def low(word: int, target: int, place: int) -> int:
    """The rest of it: it does not matter from where."""
    return word & 0xFFC003FF | (target & _PAGE) >> _unit_bits(word) << 10


def _target(word: int, place: int) -> int:
    distance = word & _FAR
    return place + WORD_BYTES * (distance - (distance >> 25 << 26))


def _pair(words: Sequence[int], at: int, base: int) -> tuple[int, int, int] | None:
    """An ``adrp``, its partner, and what they refer to."""
    word = words[at]
    register = word & _REGISTER
    for near in range(at + 1, min(at + 1 + _NEAR, len(words))):
        other = words[near]
        adds = other & _ADD_MASK == _ADD or other & _ACCESS_MASK == _ACCESS
        if adds and other >> 5 & _REGISTER == register:
            rest = (other >> 10 & _PAGE) << _unit_bits(other)
            begin = _page_begin(word, base + WORD_BYTES * at)
            return (at, near, begin + rest) if rest <= _PAGE else None
    return None


def _page_begin(word: int, place: int) -> int:
    pages = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
    return ((place >> _PAGE_BITS) + pages - (pages >> 20 << 21)) << _PAGE_BITS


def _unit_bits(word: int) -> int:
    """How many bits of the address an instruction leaves out, because they are 0."""
    if word & _ADD_MASK == _ADD:
        return 0
    size = word >> 30
    return 4 if not size and word & _VECTOR == _VECTOR else size
