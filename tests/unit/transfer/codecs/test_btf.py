"""Types of a kernel: records as a compiler writes them, and anything else."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import Need
from tests.unit.transfer.made_btf import HEADER_BYTES, Types, kernel, structures

from reconix.base.process import run
from reconix.transfer.codecs import btf, compiled, programs
from reconix.transfer.codecs.programs import BLOCK_BYTES, Kind, Program, Section
from reconix.transfer.codecs.references import Correction, Move, Moved

need = Need()
SOURCE = """
enum color { RED, GREEN };
struct node {
    struct node *next; const volatile char *restrict name; unsigned flags : 3; int table[4];
    enum color c; union { int a; double f; } u;
};
typedef struct node *(*walk_t)(struct node *, int);
struct elsewhere; struct elsewhere *there; walk_t known;
struct node first; static int counter;
struct node *walk(struct node *n, int steps, ...)
{ while (steps--) n = n->next, counter++; return n; }
"""
WORD = struct.Struct("<I")
BEFORE, BEHIND = b"before" * 9, b"behind" * 9
Records = list[tuple[int, str, int, list[tuple[str, int, int]]]]


def of_gcc(place: Path) -> bytes:
    """What a compiler says of the types of a program."""
    need("gcc", "objcopy")
    (place / "types.c").write_text(SOURCE)
    run("gcc", "-gbtf", "-c", "-o", place / "types.o", place / "types.c")
    run("objcopy", "--dump-section", f".BTF={place}/types.btf", place / "types.o")
    return (place / "types.btf").read_bytes()


def at(content: bytes, positions: list[int]) -> list[int]:
    return [WORD.unpack_from(content, position)[0] for position in positions]


def test_records_are_those_of_a_compiler(tmp_path: Path) -> None:
    content = of_gcc(tmp_path)
    size, texts, texts_bytes = struct.unpack_from("<III", content, 12)
    block = content[HEADER_BYTES : HEADER_BYTES + size]
    strings = content[HEADER_BYTES + texts :][:texts_bytes]
    found = list(btf.records(block))
    assert found[-1][1] == size == btf.whole_bytes(block)
    assert {WORD.unpack_from(block, begin + 4)[0] >> 24 & 31 for begin, _, _ in found} >= {
        *(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16),
    }
    names, types = btf.find(block)
    spelled = {strings[name:].split(b"\0", 1)[0] for name in at(block, names)}
    assert spelled >= {b"RED", b"color", b"next", b"walk_t", b"elsewhere", b"steps", b"double"}
    assert all(name == 0 or strings[name - 1] == 0 for name in at(block, names))
    assert set(at(block, types)) <= set(range(len(found) + 1))
    assert len(types) > 30


texts = st.text("ab_", max_size=3)
items = st.lists(st.tuples(texts, st.integers(0, 99), st.integers(0, 1 << 20)), max_size=4)
records = st.lists(st.tuples(st.integers(1, 19), texts, st.integers(0, 99), items), max_size=30)


def made(listed: Records) -> Types:
    found = Types()
    for record in listed:
        found.add(*record)
    return found


@given(records)
def test_names_and_types_are_found_in_records_of_every_kind(
    listed: Records,
) -> None:
    types = made(listed)
    assert btf.find(bytes(types.content)) == (types.names, types.types)
    assert btf.whole_bytes(bytes(types.content)) == len(types.content)


@given(records, st.lists(st.tuples(st.integers(0, 999), st.binary(max_size=9)), max_size=4))
def test_the_library_measures_what_python_does_whatever_it_is(
    listed: Records,
    damage: list[tuple[int, bytes]],
) -> None:
    library = compiled.library()
    assert library is not None
    block = bytes(made(listed).content)
    for place, data in damage:
        place %= len(block) + 1
        block = block[:place] + data + block[place + len(data) // 2 :]
    assert library.whole_bytes(block) == btf.whole_bytes(block) <= len(block)


def parsed(content: bytes, place: int) -> tuple[Program, Program]:
    """A program before and after it was cut."""
    read = lambda offset, size: content[offset : offset + size]  # noqa: E731 - shorter than its name
    found = programs.parse(read, len(content))
    assert found is not None
    return found, btf.with_types(found, read, place)


def place(content: bytes) -> int:
    found = btf.place(content)
    assert found is not None
    return found


def test_types_and_their_texts_become_sections() -> None:
    types = structures(4000)
    content = kernel(types.printed(), BEFORE, BEHIND)
    begin = place(content) + HEADER_BYTES
    whole, cut = parsed(content, place(content))
    (around,) = whole.sections
    before, numbers, texts, behind = cut.sections
    assert [each.kind for each in cut.sections] == [Kind.NONE, Kind.TYPES, Kind.NONE, Kind.NONE]
    assert (before.offset, numbers.offset) == (around.offset, begin)
    assert numbers.size_bytes == len(types.content) == texts.offset - begin
    assert numbers.target == texts.address == around.address + texts.offset - around.offset
    assert behind.offset == texts.offset + texts.size_bytes
    assert 0 <= behind.offset - texts.offset - len(types.texts) < 8
    assert not (behind.offset - around.offset) % 8
    assert behind.offset + behind.size_bytes == around.offset + around.size_bytes
    sizes = [end - start for start, end in zip(numbers.begins, numbers.begins[1:], strict=False)]
    assert len(sizes) > 2
    assert all(BLOCK_BYTES - 72 < size <= BLOCK_BYTES for size in sizes[:-1])


@pytest.mark.parametrize(
    ("at", "word"),
    [
        *((0, 0), (4, 25), (8, 1 << 31), (12, 1 << 20), (16, 1 << 30), (20, 1 << 20)),
        (20, (1 << 32) - 1),
    ],
)
def test_a_header_that_contradicts_itself_is_none(at: int, word: int) -> None:
    types = bytearray(structures(9).printed())
    WORD.pack_into(types, at, word)
    content = kernel(bytes(types), BEFORE, BEHIND)
    there = len(kernel(b"", BEFORE))
    whole, cut = parsed(content, there)
    assert cut is whole


def test_types_are_where_they_are_said_to_be_or_nowhere() -> None:
    content = kernel(structures(9).printed(), BEFORE, BEHIND)
    there = place(content)
    for elsewhere in (there + 1, 0, len(content), 1 << 60):
        whole, cut = parsed(content, elsewhere)
        assert cut is whole
    linked = content[:16] + struct.pack("<H", 1) + content[18:]
    whole, cut = parsed(linked, there)
    assert cut is whole, "a kernel module has types of two"


def test_sections_keep_the_numbers_that_others_name_them_by() -> None:
    content = kernel(structures(9).printed())
    whole, _ = parsed(content, place(content))
    symbols = Section(b"", Kind.NONE, len(content), 24, 99)
    table = Section(b"", Kind.RELOCATIONS, len(content) + 24, 24, 123, linked=2, info=1)
    more = Program(relocatable=False, numbered={**whole.numbered, 2: symbols, 3: table})
    cut = btf.with_types(more, lambda at, size: content[at : at + size], place(content))
    assert {2: symbols, 3: table}.items() <= cut.numbered.items()
    assert min(cut.numbered) == -4
    assert 1 not in cut.numbered


def test_what_is_no_record_ends_the_types() -> None:
    types = structures(9)
    types.content[types.content.index(struct.pack("<I", 4 << 24 | 5)) + 3] = 20
    content = kernel(types.printed(), BEFORE, BEHIND)
    _, cut = parsed(content, place(content))
    kinds = [each for each in cut.sections if each.kind is Kind.TYPES]
    assert [each.size_bytes for each in kinds] == [btf.whole_bytes(bytes(types.content))]
    assert 0 < kinds[0].size_bytes < len(types.content)


def test_a_record_larger_than_a_block_ends_the_types() -> None:
    types = structures(9)
    size = len(types.content)
    types.add(4, "large", 0, [("", 1, 0)] * 5459)
    types.add(4, "too_large", 0, [("", 1, 0)] * 5460)
    content = kernel(types.printed(), BEFORE, BEHIND)
    _, cut = parsed(content, place(content))
    (numbers,) = (each for each in cut.sections if each.kind is Kind.TYPES)
    assert list(numbers.begins) == [0, size, size + BLOCK_BYTES]


def moved(
    content: bytes, moves: list[Move], corrections: list[Correction], there: int | None
) -> Moved:
    read = lambda offset, size: content[offset : offset + size]  # noqa: E731 - as above
    return Moved(read, len(content), moves, corrections, types_at=there)


def test_a_name_follows_its_text_and_a_type_its_correction() -> None:
    types = structures(20)
    content = kernel(types.printed(), BEFORE, BEHIND)
    begin = place(content) + HEADER_BYTES
    texts = begin + len(types.content)
    later = content.index(b"node_25\0")
    moves = [(0, 0, later), (later, later + 16, len(content) - later)]
    corrections = [(btf.TYPES, -16), (btf.TYPES + 30, -13)]
    expected = bytearray(content)
    for position in types.names:
        (name,) = WORD.unpack_from(content, begin + position)
        WORD.pack_into(expected, begin + position, name + (16 if texts + name >= later else 0))
    for position in types.types:
        (number,) = WORD.unpack_from(content, begin + position)
        WORD.pack_into(expected, begin + position, number + (3 if number >= 30 else 0))
    assert moved(content, moves, corrections, place(content)).read(0, len(content)) == expected
    assert moved(content, moves, corrections, None).read(0, len(content)) == content


several = st.lists(
    st.tuples(st.integers(0, 1200), st.integers(0, 1 << 40), st.integers(1, 1 << 41)), max_size=6
)
more = st.lists(
    st.tuples(
        st.integers(-(1 << 62), 1 << 62) | st.integers(btf.TYPES, btf.TYPES + 99),
        st.integers(-(1 << 62), 1 << 62),
    ),
    max_size=5,
).map(sorted)
damages = st.lists(st.tuples(st.integers(0, 999), st.integers(0, 255)), max_size=6)


@given(records, damages, st.integers(-30, 30), several, more, st.integers(1, 99))
def test_whatever_it_is_it_is_read_and_in_pieces_as_at_once(
    listed: Records,
    damage: list[tuple[int, int]],
    beside: int,
    moves: list[Move],
    corrections: list[Correction],
    piece: int,
) -> None:
    """On both ways: by the library, which is there, and by Python."""
    types = bytearray(made(listed).printed())
    for offset, byte in damage:
        types[offset % len(types)] = byte
    content = kernel(bytes(types), BEFORE, BEHIND)
    there = max(0, len(kernel(b"", BEFORE)) + (beside if beside % 3 == 0 else 0))
    at_once = moved(content, moves, corrections, there).read(0, len(content))
    pieces = moved(content, moves, corrections, there)
    read = b"".join(pieces.read(begin, piece) for begin in range(0, len(content), piece))
    assert read == at_once
    assert len(at_once) == len(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "library", lambda: None)
        assert moved(content, moves, corrections, there).read(0, len(content)) == at_once
