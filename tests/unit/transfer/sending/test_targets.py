"""What the linker does to references is foreseen, in programs that it linked."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import Need

from reconix.base.process import run
from reconix.transfer.codecs import compiled
from reconix.transfer.codecs.patch import subtract
from reconix.transfer.codecs.programs import Kind, Program, Section
from reconix.transfer.codecs.references import Moved, Shifts
from reconix.transfer.format.plan import Copies
from reconix.transfer.sending import covers, targets

need = Need()
FUNCTIONS = 300
Wrong = dict[int, Counter[int]]


def source(inserted: int) -> str:
    """Functions that call each other and read a variable, a table of them, and some more."""
    lines = [".text"]
    for number in range(FUNCTIONS):
        more = ["nop"] * inserted if number == FUNCTIONS // 2 else []
        lines += [f".globl f{number}", f".type f{number}, @function", f"f{number}:"]
        lines += [".cfi_startproc", f"call f{number * 7 % FUNCTIONS}", *more]
        lines += [f"mov v{number % 9}(%rip), %eax", f"je f{number * 3 % FUNCTIONS}"]
        lines += [f"movq ${number * number}, %rcx", "ret", ".cfi_endproc"]
    lines += [".data", ".balign 8"]
    lines += [f".quad f{number * 11 % FUNCTIONS}" for number in range(FUNCTIONS)]
    lines += ['.section .smp_locks, "a"']
    lines += [f".long f{number * 13 % FUNCTIONS} - ." for number in range(FUNCTIONS)]
    lines += [".bss"] + [f"v{number}: .zero {8 + inserted}" for number in range(9)]
    return "\n".join(lines) + "\n"


def built(place: Path, inserted: int, *link: str) -> bytes:
    need("as", "ld")
    name = place / f"program-{inserted}"
    name.with_suffix(".s").write_text(source(inserted))
    run("as", "-o", name.with_suffix(".o"), name.with_suffix(".s"))
    if not link:
        return name.with_suffix(".o").read_bytes()
    run("ld", *link, "--build-id=none", "-o", name, name.with_suffix(".o"))
    run("strip", name)
    return name.read_bytes()


def differences(old: bytes, new: bytes, copies: list[covers.Copy], moved: Moved | None) -> int:
    """How many bytes are new or different, with or without references moved."""
    listed, count = Copies.of(copies), len(new)
    for origin, at, size in listed.moves():
        there = old[origin : origin + size] if moved is None else moved.read(origin, size)
        count -= subtract(new[at : at + size], there).count(0)
    return count


@pytest.mark.parametrize(
    ("link", "factor"),
    [
        (["-e", "f0"], 10),
        (["-pie", "--eh-frame-hdr", "-e", "f0"], 10),
        (["-shared", "-Bsymbolic"], 10),
        ([], 5),  # what the assembler has resolved stays
    ],
)
def test_what_the_linker_changes_is_foreseen(tmp_path: Path, link: list[str], factor: int) -> None:
    old, new = built(tmp_path, 0, *link), built(tmp_path, 37, *link)
    plain = covers.find(old, new)
    found = targets.find(old, new, Copies.of(plain))
    assert found is not None
    moves = Copies.of(found.copies).moves()
    moved = Moved(lambda at, size: old[at : at + size], len(old), moves, found.corrections)
    before, after = differences(old, new, plain, None), differences(old, new, found.copies, moved)
    assert after * factor < before
    assert len(found.corrections) < 20


def cost(steps: list[tuple[int, int]], wrong: Wrong, right: list[int]) -> int:
    """What a course costs: its steps, and the references that it leaves wrong."""

    def at(address: int) -> int:
        return next((by for start, by in reversed(steps) if start <= address), 0)

    errors = sum(
        count
        for address, wanted in wrong.items()
        for by, count in wanted.items()
        if at(address) != by
    )
    return 4 * len(steps) + errors + sum(at(address) != 0 for address in right)


addresses = st.integers(0, 12)


@given(
    st.dictionaries(addresses, st.dictionaries(st.integers(1, 3), st.integers(1, 9), min_size=1)),
    st.lists(addresses).map(sorted),
)
def test_corrections_rise_and_cost_less_than_any_simple_course(
    wrong: dict[int, dict[int, int]], right: list[int]
) -> None:
    counted = {address: Counter(wanted) for address, wanted in wrong.items()}
    found = targets.steps(counted, right)
    assert all(one < other for (one, _), (other, _) in pairwise(found))
    best = cost(found, counted, right)
    assert best <= cost([], counted, right)
    for begin in range(13):
        for end in range(begin + 1, 14):
            for by in (1, 2, 3):
                assert best <= cost([(begin, by), (end, 0)], counted, right)


def test_what_is_no_program_or_did_not_move_has_no_targets(tmp_path: Path) -> None:
    old = built(tmp_path, 0, "-e", "f0")
    same = Copies.of([(0, 0, len(old))])
    assert targets.find(old, old, same) is None
    assert targets.find(old, b"text", same) is None
    assert targets.find(b"text", old, same) is None
    assert targets.find(old, old, Copies.of([])) is None


@pytest.mark.parametrize("link", [("-e", "f0"), ()], ids=["program", "object"])
def test_spelled_out_by_the_library_it_is_the_same(tmp_path: Path, link: tuple[str, ...]) -> None:
    assert compiled.library() is not None
    contents = [built(tmp_path, inserted, *link) for inserted in (0, 40)]
    old, new = (targets.Executable.parse(content) for content in contents)
    assert old is not None
    assert new is not None
    shifts = Shifts(old.program, Copies.of(covers.find(*contents)).moves())
    for file, each in ((old, shifts), (new, Shifts(new.program, ()))):
        spelled = targets.spell_out(file, each)
        assert spelled == targets.spell_out_slowly(file, each)
        assert (spelled != file.content) == (bool(link) or bool(each))


def test_copies_into_code_of_arm_begin_and_end_with_an_instruction() -> None:
    code = Section(b".text", Kind.A64, 0x100, 0x1000, 0)
    program = Program(relocatable=False, numbered={0: code})
    copies = [(3, 0, 0x80), (0x103, 0x83, 9), (0x205, 0, 90), (0x30F, 1, 2)]
    snapped = [(3, 0, 0x80), (0x104, 0x84, 8), (0x205, 0, 90)]
    assert targets.in_words(copies, program) == snapped
    assert targets.in_words(copies, Program(relocatable=False, numbered={})) == copies
