"""What the linker does to references is foreseen, in programs that it linked."""

from pathlib import Path

import pytest
from tests.conftest import Need

from reconix.base.process import run
from reconix.transfer import covers, targets
from reconix.transfer.codecs.patch import subtract
from reconix.transfer.codecs.references import Moved
from reconix.transfer.plan import Copies

need = Need()
FUNCTIONS = 300


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
    "link", [["-e", "f0"], ["-pie", "--eh-frame-hdr", "-e", "f0"], ["-shared", "-Bsymbolic"], []]
)
def test_what_the_linker_changes_is_foreseen(tmp_path: Path, link: list[str]) -> None:
    old, new = built(tmp_path, 0, *link), built(tmp_path, 37, *link)
    plain = covers.find(old, new)
    found = targets.find(old, new, Copies.of(plain))
    assert found is not None
    moves = Copies.of(found.copies).moves()
    moved = Moved(lambda at, size: old[at : at + size], len(old), moves, found.corrections)
    before, after = differences(old, new, plain, None), differences(old, new, found.copies, moved)
    assert after < before / 10
    assert len(found.corrections) < 20


def test_what_is_no_program_or_did_not_move_has_no_targets(tmp_path: Path) -> None:
    old = built(tmp_path, 0, "-e", "f0")
    same = Copies.of([(0, 0, len(old))])
    assert targets.find(old, old, same) is None
    assert targets.find(old, b"text", same) is None
    assert targets.find(b"text", old, same) is None
    assert targets.find(old, old, Copies.of([])) is None
