"""Modules compiled from their sources, against ``py_compile`` and what a process may take."""

import importlib.util
import py_compile
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from reconix.transfer.codecs.modules import (
    MAX_SOURCE_BYTES,
    PROVED_MEMORY_BYTES,
    CannotCompile,
    Compiler,
    Interpreter,
    own,
)

SOURCE = b'''"""A module."""
KINDS = {"pump", "valve", "tank"}

def level(name):
    return name in {"pump", "valve"} and KINDS
'''


@pytest.fixture
def compiler() -> Iterator[Compiler]:
    compiler = Compiler(own())
    yield compiler
    compiler.close()


def test_the_code_is_that_of_py_compile(compiler: Compiler, tmp_path: Path) -> None:
    place = tmp_path / "module.py"
    place.write_bytes(SOURCE)
    made = tmp_path / "module.pyc"
    py_compile.compile(str(place), cfile=str(made), dfile="/m.py")
    code = made.read_bytes()[16:]
    head = importlib.util.MAGIC_NUMBER + b"\1\0\0\0" + sha256(code).digest()[:8]
    assert compiler.compiled(b"/m.py", SOURCE) == head + code


def test_what_was_compiled_before_changes_nothing(compiler: Compiler) -> None:
    library = sorted(Path(importlib.util.__file__).parent.glob("*.py"))
    alone = {path: path.read_bytes() for path in library}
    found = [compiler.compiled(b"/m.py", source) for source in alone.values()]
    for source, before in reversed(list(zip(alone.values(), found, strict=True))):
        assert compiler.compiled(b"/m.py", source) == before
    other = Compiler(own())
    assert [other.compiled(b"/m.py", source) for source in alone.values()] == found
    other.close()


def test_a_warning_of_the_compiler_changes_nothing(compiler: Compiler) -> None:
    doubtful = b"a = '\\d' is 1\n"
    assert compiler.compiled(b"/m.py", doubtful) == compiler.compiled(b"/m.py", doubtful)


@pytest.mark.parametrize(
    "source",
    [b"def", b"\0", b"x = " + b"(" * 1000, b"# coding: nothing\n", bytes(MAX_SOURCE_BYTES + 1)],
)
def test_what_is_no_module_is_refused_and_the_next_one_is_compiled(
    compiler: Compiler, source: bytes
) -> None:
    with pytest.raises(CannotCompile):
        compiler.compiled(b"/m.py", source)
    assert compiler.compiled(b"/m.py", SOURCE)


def test_a_module_that_takes_too_much_memory_is_refused() -> None:
    greedy = b"x = [" + b"1," * 130_000 + b"]\n"
    compiler = Compiler(replace(own(), memory_bytes=PROVED_MEMORY_BYTES))
    with pytest.raises(CannotCompile, match="does not compile"):
        compiler.compiled(b"/m.py", greedy)
    assert compiler.compiled(b"/m.py", SOURCE)
    compiler.close()


def test_the_identity_is_that_of_a_program_and_what_it_loads(
    compiler: Compiler, tmp_path: Path
) -> None:
    program = own().program
    other = tmp_path / program.name
    shutil.copy(program, other)
    with other.open("ab") as file:
        file.write(b"\0")
    home = (("PYTHONHOME", sys.base_prefix),)
    changed = Compiler(Interpreter(other, (other,), home))
    same = Compiler(Interpreter(program, (program,), home))
    assert same.identity() == compiler.identity() != changed.identity()
    same.close()
    changed.close()


@pytest.mark.parametrize("program", ["/nowhere/python3", "/bin/false", "/bin/cat"])
def test_what_is_no_python_is_an_error(program: str) -> None:
    compiler = Compiler(Interpreter(Path(program), (program,)))
    with pytest.raises(CannotCompile, match="Python does not work"):
        compiler.compiled(b"/m.py", SOURCE)


def test_its_process_ends_after_a_while_of_other_work_and_begins_again(compiler: Compiler) -> None:
    first = compiler.compiled(b"/a.py", b"level = 1\n")
    for _ in range(16):
        assert compiler.is_running
        compiler.rest()
    assert not compiler.is_running
    assert compiler.compiled(b"/a.py", b"level = 1\n") == first
