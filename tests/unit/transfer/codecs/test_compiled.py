"""The compiled library gives what Python gives, is what its source gives, and may be missing."""

import os
import struct
import sys
from array import array
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.conftest import Need
from tests.project_files import ROOT
from tests.unit.transfer.codecs.test_references import corrections as in_any_order
from tests.unit.transfer.codecs.test_references import moves
from tests.unit.transfer.made_btf import Types
from tools import build_moves

from reconix.base.process import run
from reconix.build.agent import zipapp
from reconix.transfer.codecs import btf, compiled
from reconix.transfer.codecs.programs import SPACE, Kind, Program, Section
from reconix.transfer.codecs.references import Correction, Finder, Move, Shifts, move

need = Need()
SYMBOLS_NUMBER, TARGET_NUMBER, TABLE_NUMBER = 1, 2, 3
SYMBOLS = b"".join(struct.pack("<IBBHQQ", 0, kind, 0, 2 + kind // 3, 8, 0) for kind in (0, 3, 3, 2))
FAR = (1 << 63) - 1


def words(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)


X86 = (
    b"\xe8\x10\0\0\0",
    b"\xe8",
    b"\xe9",
    b"\x0f\x84",
    b"\x84",
    b"\x05",
    b"\x48\x8d\x3d",
    b"\x90",
    b"\xff\xff",
)
NUMBERS = (b"\x10\0\0\0", b"\xf0\xff\xff\xff", b"\0\0\0\x03", b"\0\0\0\xfc", b"\0\0\0\x04")
A64 = (
    *map(words, (0x94000010, 0x17FFFFF0, 0x90000021, 0xF0FFFFE1, 0x91004021, 0xF9400821)),
    *map(words, (0x3DC00421, 0x3D800C21, 0x39400021, 0xB0000001, 0xD503201F)),
    words(0x90000001, 0xB0000001, 0x91010020),
)
WIDE = tuple(struct.pack("<q", each) for each in (0, 8, 0x400008, 0x400100, -FAR - 1, FAR, -9))
RECORDS = tuple(
    struct.pack("<QIIq", offset, kind, symbol, addend)
    for offset, kind, symbol in ((8, 2, 1), (64, 1, 2), (1 << 63, 4, 0), (9, 7, 9), (0, 2, 1 << 31))
    for addend in (0, -4, FAR, -FAR - 1)
)
FRAMES = (words(8, 0, 0), words(8, 9, 0x100), words(4, 7), words(20, 9, 0x40), words(3), words(0))


def record(kind: int, number: int) -> bytes:
    """What a kernel says of a type."""
    types = Types()
    types.add(kind, "name", number, [("item", number, number)] * 2)
    return bytes(types.content)


OF_TYPES = tuple(record(kind, number) for kind in range(1, 20) for number in (0, 9, 1 << 31))
TOKENS = {
    Kind.NONE: X86,
    Kind.X86: X86 + NUMBERS,
    Kind.A64: A64,
    Kind.PLACES: FRAMES,
    Kind.FRAME_TABLE: FRAMES,
    Kind.FRAMES: FRAMES,
    Kind.ADDRESSES: WIDE,
    Kind.RELOCATIONS: RECORDS,
    Kind.SYMBOLS: (SYMBOLS, *RECORDS),
    Kind.TYPES: (*OF_TYPES, words(0, 20 << 24, 0)),
}
"""What a block of each kind is put together from, beside any bytes."""


def blocks_of(kind: Kind) -> st.SearchStrategy[tuple[Kind, bytes]]:
    token = st.sampled_from(TOKENS[kind]) | st.binary(max_size=9)
    return st.tuples(st.just(kind), st.lists(token, max_size=40).map(b"".join))


of_types = st.tuples(st.integers(btf.TYPES, btf.TYPES + 12), st.integers(-(1 << 40), 1 << 40))
corrections = st.tuples(in_any_order, st.lists(of_types, max_size=3)).map(
    lambda both: sorted(both[0] + both[1])  # as a stream must have them
)
blocks = st.sampled_from(list(Kind)).flatmap(blocks_of)
bases = st.sampled_from([0, 0x400000, -(1 << 31), FAR, -FAR - 1])


def finder(
    kind: Kind, content: bytes, base: int, listed: list[Move], more: list[Correction]
) -> tuple[Finder, Section, Shifts]:
    """Of a program with one section of that kind; its table of symbols lies behind."""
    relocatable = kind is Kind.SYMBOLS or (kind is Kind.RELOCATIONS and base == 0)
    size = len(content)
    section = Section(b"", kind, 0, size, SPACE if relocatable else base, 1, 2, base)
    numbered = {
        0: section,
        SYMBOLS_NUMBER: Section(b"", Kind.NONE, size, len(SYMBOLS), 2 * SPACE),
        TARGET_NUMBER: Section(b"", Kind.NONE, size + len(SYMBOLS), 512, 3 * SPACE),
        TABLE_NUMBER: Section(b"", Kind.NONE, size + len(SYMBOLS) + 512, 512, 4 * SPACE),
    }
    program = Program(relocatable, numbered)
    shifts = Shifts(program, listed, more)
    whole = content + SYMBOLS
    return Finder(program, lambda at, n: whole[at : at + n], shifts), section, shifts


CALL = (Kind.X86, b"\xe8\x10\0\0\0" + bytes(40))


@given(blocks, bases, st.integers(0, 1 << 40), moves, corrections)
@settings(max_examples=200)
@example(CALL, 0x400000, 0, [(0, 0, 16), (16, 20, 40)], [])
def test_it_gives_what_python_gives(
    block: tuple[Kind, bytes],
    base: int,
    begin: int,
    listed: list[Move],
    more: list[Correction],
) -> None:
    assert compiled.library() is not None
    kind, content = block
    found, section, shifts = finder(kind, content, base, listed, more)
    expected = move(content, found.find(section, begin, content), shifts)
    assert found.moved(section, begin, content, shifts) == expected


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.NONE])
def test_in_each_kind_of_section_something_moves(kind: Kind) -> None:
    content = b"".join(TOKENS[kind]) * 3
    relocatable = kind in (Kind.RELOCATIONS, Kind.SYMBOLS)
    base = 0 if relocatable else 0x400000
    far = [(address * SPACE + 1, 96 * address) for address in (1, 2, 3, 4)]
    more = [(-64, 5 << 12), *far] if relocatable else [(base + 8, 5 << 12), (base + 99, 3 << 13)]
    found, section, shifts = finder(kind, content, base, [], more)
    moved = found.moved(section, 0, content, shifts)
    assert moved != content
    assert moved == move(content, found.find(section, 0, content), shifts)


@pytest.mark.parametrize("machine", compiled.MACHINES)
def test_it_is_what_its_source_gives(machine: str, tmp_path: Path) -> None:
    need(build_moves.COMPILERS[machine])
    if build_moves.release(machine) != build_moves.MADE_BY:
        pytest.skip(f"another compiler than {build_moves.MADE_BY}")
    build_moves.build(machine, tmp_path / "again.so")
    kept = build_moves.FOLDER / compiled.file_name(machine)
    assert (tmp_path / "again.so").read_bytes() == kept.read_bytes(), "tools/build_moves.py"


@pytest.mark.parametrize("machine", compiled.MACHINES)
def test_it_needs_no_other_library_and_nothing_is_put_into_it(machine: str) -> None:
    need("readelf")
    file = build_moves.FOLDER / compiled.file_name(machine)
    said = run("readelf", "--wide", "--dynamic", "--relocs", "--dyn-syms", file).decode()
    assert "There are no relocations" in said
    assert "NEEDED" not in said
    assert "TEXTREL" not in said
    symbols = [line.split() for line in said.splitlines() if " GLOBAL " in line]
    assert {words[-1] for words in symbols} == set(compiled.FUNCTIONS)
    assert not [words for words in symbols if "UND" in words]


@pytest.mark.parametrize(
    ("content", "loads"),
    [(None, False), (b"", False), (b"\x7fELF" + bytes(60), False), ("own", True)],
)
def test_an_agent_takes_what_lies_beside_it_and_does_without(
    content: bytes | str | None, loads: bool, tmp_path: Path
) -> None:
    program = tmp_path / "agent.pyz"
    program.write_bytes(zipapp.pack())
    own = build_moves.FOLDER / compiled.file_name(os.uname().machine)
    if content is not None:
        data = own.read_bytes() if isinstance(content, str) else content
        (tmp_path / own.name).write_bytes(data)
    code = (
        f"import sys; sys.path.insert(0, {str(program)!r}); "
        "from reconix.transfer.codecs import compiled; print(compiled.library() is not None)"
    )
    assert run(sys.executable, "-I", "-S", "-c", code).decode().strip() == str(loads)


def test_sizes_are_those_of_what_is_given() -> None:
    with pytest.raises(AssertionError):
        compiled.Steps(array("q", [1]), array("q", [1]))
    with pytest.raises(AssertionError):
        compiled.Steps(array("I", []), array("q", [1]))


@pytest.fixture(scope="module")
def on_arm64(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that has the library for arm64 in it and calls it."""
    need("qemu-aarch64-static", build_moves.COMPILERS["aarch64"])
    program = tmp_path_factory.mktemp("arm64") / "call_moves"
    library = build_moves.FOLDER / compiled.file_name("aarch64")
    flags = ("-O1", "-nostdlib", "-static", "-ffreestanding", f'-DLIBRARY="{library}"')
    run(build_moves.COMPILERS["aarch64"], *flags, "-o", program, ROOT / "tests/data/call_moves.c")
    return program


def move_block_at() -> int:
    with (build_moves.FOLDER / compiled.file_name("aarch64")).open("rb") as file:
        symbols = ELFFile(file).get_section_by_name(".dynsym")
        assert isinstance(symbols, SymbolTableSection)
        (found,) = symbols.get_symbol_by_name("move_block") or []
        return int(found["st_value"])


@pytest.mark.parametrize("spelled", [False, True])
@pytest.mark.parametrize("kind", compiled.KINDS)
def test_the_library_for_arm64_gives_the_same(on_arm64: Path, kind: Kind, spelled: bool) -> None:
    library = compiled.library()
    assert library is not None
    content = b"".join(TOKENS[kind]) * 3
    section = Section(b"", kind, 0, len(content), 0x400000, target=0x400000)
    starts = array("q", [0x400008, 0x400063, 0x400105, btf.TYPES + 5])
    by = array("q", [0, 5 << 12, 3 << 13, 64, 7])
    steps, bounds = compiled.Steps(starts, by), (0x400000, 0x400200)
    expected = library.block(section, 0, content, bounds, steps, spelled=spelled)
    numbers = (move_block_at(), compiled.KINDS[kind], spelled, len(content), 0x400000, 0, *bounds)
    given = struct.pack("<9q", *numbers, len(starts)) + starts.tobytes() + by.tobytes() + content
    assert run("qemu-aarch64-static", on_arm64, stdin=given) == expected
    assert expected != content
