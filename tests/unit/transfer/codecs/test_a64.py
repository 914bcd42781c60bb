"""What Arm's instructions refer to, beside ``objdump``; and that they follow it when it moves."""

import random
import re
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import Need
from tests.project_files import enough
from tests.unit.transfer.codecs.test_programs import parse
from tests.unit.transfer.codecs.test_references import moved

from reconix.base.process import run
from reconix.transfer.codecs import a64
from reconix.transfer.codecs.a64 import Parts
from reconix.transfer.codecs.programs import Kind

need = Need()
TOOLS = "aarch64-linux-gnu-"
BASE = 0x40_0000
BL, B, ADRP, ADD, LDR = 0x94000000, 0x14000000, 0x90000000, 0x91000000, 0xF9400000
NOP = 0xD503201F


def block(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}I", *words)


def find(content: bytes, base: int = BASE) -> list[Parts]:
    words = array("I", content[: len(content) // 4 * 4])
    return list(a64.find(words, base))


def targets(content: bytes) -> dict[int, int]:
    """By the address of the instruction."""
    return {
        BASE + 4 * at: target
        for part in find(content)
        for at, target in zip(part.indices, part.targets, strict=True)
    }


UNITS = {ADD: 1, LDR: 8, 0x39400000: 1, 0xB9000000: 4, 0x3D800000: 16, 0x79400000: 2}
"""Of ``add`` and of loads and stores of several sizes."""


def some_words(seed: int) -> Iterator[int]:
    """Branches, and pages with their partners, among what refers to nothing."""
    source = random.Random(seed)
    for _ in range(200):
        register = source.randrange(31)
        yield source.choice([BL, B]) | source.randrange(1 << 26)
        yield ADRP | source.randrange(4) << 29 | source.randrange(1 << 19) << 5 | register
        yield from [NOP] * source.randrange(4)
        partner = source.choice(list(UNITS))
        rest = source.randrange(4096 // UNITS[partner])
        yield partner | rest << 10 | register << 5 | source.randrange(31)


def test_targets_are_those_that_objdump_shows(tmp_path: Path) -> None:
    need(f"{TOOLS}objdump")
    content = block(*some_words(7))
    (tmp_path / "code").write_bytes(content)
    words = ("-D", "-b", "binary", "-m", "aarch64", f"--adjust-vma={BASE}")
    found, shown = targets(content), {}
    page = 0
    for line in run(f"{TOOLS}objdump", *words, tmp_path / "code").decode().splitlines():
        match = re.match(r" +([0-9a-f]+):\t[0-9a-f]{8} \t(\S+)\t(.*)", line)
        if not match:
            continue
        at, name, what = int(match[1], 16), match[2], match[3]
        if name in ("b", "bl", "adrp"):
            target = int(what.split(", ")[-1].split()[0], 16)
            page, shown[at] = target, target & (1 << 64) - 1
        elif name != "nop":
            low = re.search(r"#(0x[0-9a-f]+|\d+)", what)
            shown[at] = page + (int(low[1], 0) if low else 0)
    pages = {
        at for at in shown if struct.unpack_from("<I", content, at - BASE)[0] >> 24 & 0x9F == 0x90
    }
    assert len(pages) == 200
    for at, target in found.items():
        rest = 4095 if at in pages else 0  # a page alone shows less than both together
        assert target & ~rest & (1 << 64) - 1 == shown[at]
    assert found.keys() == shown.keys()


def test_an_instruction_spelled_again_is_the_same() -> None:
    content = block(*some_words(3))
    words = array("I", content)
    found = [
        (part, at, target)
        for part in find(content)
        for at, target in zip(part.indices, part.targets, strict=True)
    ]
    for part, at, target in enough(found, at_least=300, what="instructions"):
        assert part.spell(words[at], target, BASE + 4 * at) == words[at]


PROGRAM = """\
    .text
    .globl _start
_start:
    bl first
{more}
first:
    adrp x0, variable
    ldr w1, [x0, :lo12:variable]
    adrp x2, text
    add x2, x2, :lo12:text
    b _start
    .data
{room}
variable: .word 7
text: .ascii "text"
"""


def link(folder: Path, name: str, *, more: str, room: str) -> bytes:
    (folder / f"{name}.s").write_text(PROGRAM.format(more=more, room=room))
    run(f"{TOOLS}as", "-o", folder / f"{name}.o", folder / f"{name}.s")
    run(f"{TOOLS}ld", "-o", folder / name, folder / f"{name}.o")
    return (folder / name).read_bytes()


def test_code_follows_what_is_moved_as_the_linker_moved_it(tmp_path: Path) -> None:
    need(f"{TOOLS}as", f"{TOOLS}ld")
    old = link(tmp_path, "old", more="", room="")
    new = link(tmp_path, "new", more="    nop\n" * 7, room="    .skip 4096 + 48")
    before, after = parse(old), parse(new)
    assert before is not None
    assert after is not None
    (code, data), (new_code, new_data) = before.sections, after.sections
    assert code.kind is Kind.A64
    moves = [
        (code.offset, new_code.offset, 4),
        (code.offset + 4, new_code.offset + 32, code.size_bytes - 4),
        (data.offset, new_data.offset + 4096 + 48, data.size_bytes),
    ]
    corrections = [
        (code.address, new_code.address - code.address - new_code.offset + code.offset),
        (data.address, new_data.address - data.address - new_data.offset + data.offset),
    ]
    made = moved(old, moves, corrections)
    for begin, place, size in moves:
        assert made.read(begin, size) == new[place : place + size]
    assert old[code.offset : code.offset + 4] != new[new_code.offset : new_code.offset + 4]


def portable(*sections: tuple[int, bytes], count: int | None = None) -> bytes:
    """A kernel: flags and content of each section; addresses are offsets."""
    head = b"MZ".ljust(56, b"\0") + b"ARM\x64" + struct.pack("<I", 64)
    coff = struct.pack(
        "<4sHH12xHH", b"PE\0\0", 0xAA64, len(sections) if count is None else count, 8, 0
    )
    at, table, contents = 1024, b"", b""
    for flags, content in sections:
        table += struct.pack("<8sIIII12xI", b".text", len(content), at, len(content), at, flags)
        at, contents = at + len(content), contents + content
    return (head + coff + bytes(8) + table).ljust(1024, b"\0") + contents


CODE = 0x60000020


def test_a_kernel_is_a_program_too() -> None:
    old = portable((CODE, block(BL | 4, *[NOP] * 4, B)))
    moves = [(1024, 1024, 16), (1040, 1048, len(old) - 1040)]
    assert moved(old, moves).read(1024, 4) == block(BL | 6)


@pytest.mark.parametrize(
    "content",
    [
        portable(count=0),
        portable(count=60_000),
        portable((CODE, b""))[:70],
        b"MZ".ljust(60, b"\0") + b"\xff" * 4,
    ],
)
def test_s6_what_is_odd_is_no_kernel(content: bytes) -> None:
    assert parse(content) is None


some_instructions = st.lists(
    st.integers(0, (1 << 32) - 1)
    | st.integers(0, (1 << 26) - 1).map(BL.__or__)
    | st.sampled_from([ADRP, ADRP | 0x60FFFFE0, ADD, LDR, 0x3DC00000]),
    max_size=60,
)


@given(some_instructions, st.integers(-1 << 40, 1 << 40), st.binary(max_size=3))
def test_s6_any_bytes_may_be_instructions(words: list[int], by: int, rest: bytes) -> None:
    old = portable((CODE, block(*words) + rest))
    size = len(old) - 1024
    made = moved(old, [(1024, 1024, size)], [(1030, by)]).read(1024, size)
    assert len(made) == size
