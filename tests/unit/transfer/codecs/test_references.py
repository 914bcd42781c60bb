"""References follow their targets; any bytes may pass as a program."""

import random
import struct

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.transfer.codecs.test_programs import header, row

from reconix.transfer.codecs.programs import BLOCK_BYTES
from reconix.transfer.codecs.references import Correction, Move, Moved

LOADED, WRITABLE, EXECUTABLE = 2, 3, 6
BASE = 0x40_0000
FILL = b"\x90" * 16


def program(*sections: tuple[int, int, bytes], base: int = BASE) -> bytes:
    """Kind, flags and content of each; addresses are offsets, and ``base``."""
    at = 64 * (len(sections) + 2)
    rows, contents = [row(0, 0, 0, 0, 0)], []
    for kind, flags, content in sections:
        rows.append(row(kind, flags, base + at, at, len(content)))
        contents.append(content)
        at += len(content)
    return header(2, len(rows)) + b"".join(rows + contents)


def moved(old: bytes, moves: list[Move], corrections: list[Correction] | None = None) -> Moved:
    read = lambda at, size: old[at : at + size]  # noqa: E731 - shorter than its name
    return Moved(read, len(old), moves, corrections or [])


def all_of(old: bytes, moves: list[Move], corrections: list[Correction] | None = None) -> bytes:
    return moved(old, moves, corrections).read(0, len(old))


def call(distance: int) -> bytes:
    return b"\xe8" + struct.pack("<i", distance)


def test_a_call_follows_the_function_that_it_calls() -> None:
    old = program((1, EXECUTABLE, call(100) + bytes(200)))
    at = old.index(call(100))
    moves = [(0, 0, at + 50), (at + 50, at + 66, len(old) - at - 50)]
    assert all_of(old, moves) == old.replace(call(100), call(116))


def test_a_call_that_moves_with_its_target_stays() -> None:
    old = program((1, EXECUTABLE, call(100) + bytes(200)))
    assert all_of(old, [(0, 32, len(old))]) == old


def test_an_address_follows_what_it_points_to() -> None:
    pointer = struct.pack("<Q", BASE + 256)
    old = program((1, WRITABLE, pointer + struct.pack("<Q", 7) + bytes(200)))
    assert old.index(pointer) < 256 < len(old)
    shifted = [(0, 0, 256), (256, 264, len(old) - 256)]
    assert all_of(old, shifted) == old.replace(pointer, struct.pack("<Q", BASE + 264))


def test_corrections_tell_what_copies_do_not() -> None:
    pointer = struct.pack("<Q", BASE + 256)
    old = program((1, WRITABLE, pointer + bytes(200)))
    expected = old.replace(pointer, struct.pack("<Q", BASE + 259))
    assert all_of(old, [(0, 0, len(old))], [(BASE + 250, 3), (BASE + 257, 0)]) == expected


def test_what_does_not_move_and_what_is_no_program_stays() -> None:
    noise = random.Random(4).randbytes(9000)
    for old in (program((1, EXECUTABLE, noise)), noise, b""):
        assert all_of(old, [(0, 0, len(old))]) == old
    assert all_of(noise, [(0, 5, 4000), (4000, 4096, 5000)]) == noise


sections = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 4, 11]),
        st.sampled_from([0, LOADED, WRITABLE, EXECUTABLE]),
        st.binary(max_size=300)
        | st.integers(20, 90).map(lambda size: _noise(size)[:size])
        | st.integers(0, 9).map(lambda seed: _noise(seed)),
    ),
    max_size=4,
)
moves = st.lists(
    st.tuples(st.integers(0, 1200), st.integers(0, 1 << 40), st.integers(1, 1 << 41)), max_size=6
)
corrections = st.lists(
    st.tuples(st.integers(-(1 << 62), 1 << 62), st.integers(-(1 << 62), 1 << 62)), max_size=5
)


def _noise(seed: int) -> bytes:
    return random.Random(seed).randbytes(BLOCK_BYTES + 100)


@st.composite
def olds(draw: st.DrawFn) -> bytes:
    base = draw(st.sampled_from([0, BASE, (1 << 64) - (1 << 31)]))
    content = program(*draw(sections), base=base)
    kind = draw(st.sampled_from([1, 2, 3]))
    return content[:16] + struct.pack("<H", kind) + content[18:]


@given(olds(), moves, corrections, st.lists(st.integers(1, 70_000), max_size=8))
def test_in_pieces_it_is_the_same_as_at_once(
    old: bytes, listed: list[Move], more: list[Correction], sizes: list[int]
) -> None:
    at_once, pieces = all_of(old, listed, more), moved(old, listed, more)
    assert len(at_once) == len(old)
    at = 0
    for size in [*sizes, len(old)]:
        assert pieces.read(at, size) == at_once[at : at + size]
        at += size
    assert pieces.read(len(old) // 2, 99) == at_once[len(old) // 2 :][:99]
    assert moved(old, listed, more).read(0, len(old) + 9) == at_once
