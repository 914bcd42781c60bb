"""The compiled agent: the same program, and nothing to compile again."""

import io
import sys
import zipfile
from pathlib import Path

from reconix.base.process import run
from reconix.build.agent import zipapp
from reconix.build.agent.bytecode import SCRIPT


def compile_here() -> bytes:
    return run(sys.executable, "-I", "-S", "-B", SCRIPT, stdin=zipapp.pack())


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
