"""Section tables of real programs, and of what only looks like one."""

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import Need
from tests.unit.transfer import made_tries

from reconix.base.process import run
from reconix.transfer.codecs import programs
from reconix.transfer.codecs.programs import MAX_SECTIONS, SPACE, Kind, Program

need = Need()


def parse(content: bytes) -> Program | None:
    return programs.parse(lambda at, size: content[at : at + size], len(content))


def header(kind: int, count: int, *, at: int = 64, names: int = 0) -> bytes:
    start = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack("<HHIQQQ", kind, 62, 1, 0, 0, at)
    return start + struct.pack("<IHHHHHH", 0, 64, 0, 0, 64, count, names)


def row(kind: int, flags: int, address: int, offset: int, size: int) -> bytes:
    return struct.pack("<IIQQQQIIQQ", 0, kind, flags, address, offset, size, 0, 0, 0, 0)


def test_sections_are_those_that_readelf_shows() -> None:
    need("readelf")
    path = Path(sys.executable).resolve()
    program = parse(path.read_bytes())
    assert program is not None
    found = {
        (each.name.decode(), each.address, each.offset, each.size_bytes)
        for each in program.numbered.values()
    }
    shown = [line[6:].split() for line in run("readelf", "-SW", path).decode().splitlines()]
    rows = {
        (row[0], int(row[2], 16), int(row[3], 16), int(row[4], 16))
        for row in shown
        if len(row) > 7 and "A" in row[6]
    }
    assert found == rows
    assert {Kind.X86, Kind.ADDRESSES, Kind.FRAMES} <= {each.kind for each in program.sections}


def test_addresses_at_the_upper_end_are_just_below_0() -> None:
    content = header(2, 2) + row(0, 0, 0, 0, 0) + row(1, 6, 0xFFFF_FFFF_8100_0000, 0, 64)
    program = parse(content)
    assert program is not None
    assert [each.address for each in program.sections] == [-0x7F00_0000]


def test_sections_of_a_module_have_spaces_of_their_own() -> None:
    content = header(1, 3) + row(0, 0, 0, 0, 0) + row(1, 6, 0, 0, 8) + row(1, 6, 0, 8, 8)
    program = parse(content)
    assert program is not None
    assert [each.address for each in program.sections] == [2 * SPACE, 3 * SPACE]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x7fELF\2\1",
        b"\x7fELF\1\1" + header(2, 1)[6:] + row(0, 0, 0, 0, 0),
        header(4, 1) + row(0, 0, 0, 0, 0),
        header(2, 1, at=1 << 63) + row(0, 0, 0, 0, 0),
        header(2, 2) + row(0, 0, 0, 0, 0),
        header(2, 1, names=1) + row(0, 0, 0, 0, 0),
        header(2, MAX_SECTIONS + 1) + row(0, 0, 0, 0, 0) * (MAX_SECTIONS + 1),
    ],
)
def test_s6_what_is_odd_is_no_program(content: bytes) -> None:
    assert parse(content) is None


def test_s6_sections_outside_the_file_or_over_each_other_are_left_out() -> None:
    inside, over = row(1, 6, 4096, 64, 100), row(1, 6, 8192, 100, 10)
    outside = row(1, 6, 1 << 63, (1 << 64) - 1, (1 << 64) - 1)
    program = parse(header(3, 4) + row(0, 0, 0, 0, 0) + inside + over + outside)
    assert program is not None
    assert [each.address for each in program.sections] == [4096]


def test_s6_names_without_an_end_and_second_frames_take_no_memory() -> None:
    count, endless = 40, b"x" * 5000
    at = 64 + 64 * (count + 1)
    rows = [row(0, 0, 0, at, len(endless))] + [row(1, 2, 0, at + 9 * n, 9) for n in range(count)]
    program = parse(header(2, count + 1) + b"".join(rows) + endless)
    assert program is not None
    assert max(len(each.name) for each in program.sections) <= 128
    named = b".eh_frame\0".ljust(len(endless))
    program = parse(header(2, count + 1) + b"".join(rows) + named)
    assert program is not None
    assert [each.kind for each in program.sections].count(Kind.FRAMES) == 1


numbers = st.integers(0, (1 << 64) - 1) | st.integers(0, 2000)


@given(st.lists(st.tuples(*[numbers] * 5), min_size=1, max_size=6), st.integers(1, 3))
def test_s6_any_table_is_read_or_refused(rows: list[tuple[int, ...]], kind: int) -> None:
    table = b"".join(row(a % 2**32, b, c, d, e) for a, b, c, d, e in rows)
    content = header(kind, len(rows)) + table
    program = parse(content)
    assert program is not None
    end = 0
    for section in program.sections:
        assert end <= section.offset
        end = section.offset + section.size_bytes
        assert end <= len(content)


RECORDS = {f"usb:v{n:04X}*": {"ID_VENDOR": f"Maker {n * n}"} for n in range(99)}


def test_a_trie_has_nodes_and_texts() -> None:
    content = made_tries.made(RECORDS)
    found = parse(content)
    assert found is not None and programs.is_trie(content)
    nodes, texts = found.sections
    assert (nodes.kind, texts.kind) == (Kind.ADDRESSES, Kind.NONE)
    assert nodes.offset == nodes.address == made_tries.HEADER_BYTES
    assert texts.offset == texts.address == nodes.offset + nodes.size_bytes
    assert texts.offset + texts.size_bytes == len(content)


@pytest.mark.parametrize("at", [16, 24, 64, 72])
def test_a_trie_that_contradicts_itself_is_no_trie(at: int) -> None:
    content = bytearray(made_tries.made(RECORDS))
    content[at] ^= 1
    assert parse(bytes(content)) is None
    assert parse(bytes(content[:70])) is None
