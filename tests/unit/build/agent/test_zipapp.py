"""The agent is one file: the same bytes everywhere, and nothing but what it needs."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

from reconix.base.process import run
from reconix.build.agent.zipapp import foreign_modules, modules, pack

ROOT = Path(__file__).parents[4]


def test_it_runs_with_nothing_but_python(tmp_path: Path) -> None:
    program = tmp_path / "agent.pyz"
    program.write_bytes(pack())
    said = run(sys.executable, "-I", "-S", program, "--help", folder=tmp_path).decode()
    assert "rollback" in said


def test_every_module_in_it_can_be_imported_from_it(tmp_path: Path) -> None:
    program = tmp_path / "agent.pyz"
    program.write_bytes(pack())
    names = [path.removesuffix(".py").replace("/", ".") for path in modules()]
    lines = [f"import {name.removesuffix('.__init__')}" for name in names]
    code = "\n".join([f"import sys; sys.path.insert(0, {str(program)!r})", *lines])
    run(sys.executable, "-I", "-S", "-c", code)


def test_it_has_the_packages_of_the_device_and_no_others() -> None:
    found = {path.split("/")[1] for path in modules() if path.count("/") > 1}
    assert found == {"base", "store", "boot", "transfer", "device"}
    assert not {"reconix/transfer/sending/send.py", "reconix/transfer/sending/encode.py"} & set(
        modules()
    )


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "import sys; from reconix.build.agent.zipapp import pack; sys.stdout.buffer.write(pack())"
    )
    packed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": seed, "TZ": zone},
            cwd=tmp_path,
            capture_output=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert packed == {pack()}


def test_times_and_modes_in_it_are_fixed() -> None:
    with zipfile.ZipFile(io.BytesIO(pack())) as archive:
        entries = archive.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100444}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}


def test_it_imports_what_the_table_of_the_device_says() -> None:
    said = subprocess.run(
        [sys.executable, ROOT / "tools/device_stdlib.py"],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stdout) == (0, "")
    assert not {name for name in foreign_modules() if name.split(".")[0] == "reconix"}
