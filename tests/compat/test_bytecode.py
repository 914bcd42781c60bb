"""The compiled agent: the same program, and nothing to compile again."""

import email._policybase
import enum
import io
import marshal
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from reconix.base.process import run
from reconix.build.agent import zipapp
from reconix.build.agent.bytecode import SCRIPT
from reconix.build.minify.undescribed import WITHOUT_ANY

MODULE = '''"""A module."""
"""And another text."""

class Air:
    """A class."""

@decorated
class Water:
    """Wet."""
    depth = 3

def checked(value):
    """A function."""
    assert value, "nothing"
    return value

async def nothing():
    """Only this."""
'''


def compile_here(archive: bytes | None = None) -> bytes:
    return run(sys.executable, "-I", "-S", "-B", SCRIPT, stdin=archive or zipapp.pack())


def compile_files(files: dict[str, str], comment: bytes = b"") -> dict[str, bytes]:
    """What is compiled, by name, in the order in which it was."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.comment = comment
        for name, source in files.items():
            archive.writestr(name, source)
    with zipfile.ZipFile(io.BytesIO(compile_here(packed.getvalue()))) as compiled:
        return {name: compiled.read(name) for name in compiled.namelist()}


def names_of(compiled: bytes) -> dict[str, Any]:
    """What a module defines."""
    names: dict[str, Any] = {"__name__": "module", "decorated": lambda inner: inner}
    exec(marshal.loads(compiled[16:]), names)
    return names


def test_the_compiled_agent_runs_without_any_source(tmp_path: Path) -> None:
    program = tmp_path / zipapp.PROGRAM
    program.write_bytes(compile_here())
    with zipfile.ZipFile(program) as archive:
        sources = [name for name in archive.namelist() if name.endswith(".py")]
    assert sources == ["__main__.py"]
    said = run(sys.executable, "-I", "-S", program, "--help").decode()
    assert "status" in said


def test_the_same_sources_give_the_same_bytes() -> None:
    assert compile_here() == compile_here()


def test_every_module_is_still_there() -> None:
    with (
        zipfile.ZipFile(io.BytesIO(zipapp.pack())) as packed,
        zipfile.ZipFile(io.BytesIO(compile_here())) as compiled,
    ):
        names = {name.removesuffix("c") for name in compiled.namelist()}
        assert names == set(packed.namelist())


def test_docstrings_go_but_for_those_of_programs_and_of_decorated_classes() -> None:
    made = compile_files({"/usr/lib/air.py": MODULE, "air/__main__.py": MODULE})
    names = names_of(made["/usr/lib/air.pyc"])
    described = [names[name].__doc__ for name in ("Air", "checked", "nothing", "Water")]
    assert described == [None, None, None, "Wet."]
    assert names.get("__doc__") is None
    assert names_of(made["air/__main__.pyc"])["checked"].__doc__ == "A function."


def test_assertions_hold_and_lines_are_those_of_the_source() -> None:
    names = names_of(compile_files({"/usr/lib/air.py": MODULE})["/usr/lib/air.pyc"])
    assert names["checked"](3) == 3
    with pytest.raises(AssertionError, match="nothing") as raised:
        names["checked"](0)
    last = raised.traceback[-1]
    assert (str(last.path), last.lineno + 1) == ("/usr/lib/air.py", 14)


def test_a_module_is_the_same_whatever_was_compiled_before_it() -> None:
    folder = Path(enum.__file__).parent
    sources = {
        f"/{name}": (folder / name).read_text()
        for name in ("json/decoder.py", "argparse.py", "enum.py")
    }
    turned = dict(reversed(sources.items()))
    assert compile_files(sources) == compile_files(turned)


def test_the_help_of_the_agent_is_there(tmp_path: Path) -> None:
    program = tmp_path / zipapp.PROGRAM
    program.write_bytes(compile_here())
    said = run(sys.executable, "-I", "-S", program, "status", "--help").decode()
    assert len(said.splitlines()) > 5
    assert "Show what runs, what boots next" in said


def test_without_any_text_a_module_runs_that_puts_texts_together() -> None:
    source = Path(email._policybase.__file__).read_text()
    made = compile_files({"p.py": source, "m.py": MODULE}, WITHOUT_ANY)
    assert names_of(made["p.pyc"])["Compat32"].__doc__ is None
    assert names_of(made["m.pyc"])["Water"].__doc__ is None
    with pytest.raises(AttributeError, match="rsplit"):
        names_of(compile_files({"p.py": source})["p.pyc"])
