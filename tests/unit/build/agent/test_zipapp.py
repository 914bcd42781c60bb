"""The agent is one file: the same bytes everywhere, and nothing but what it needs."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.conftest import Need

from reconix.base.process import run
from reconix.build.agent.zipapp import SCRIPTS, foreign_modules, modules, pack, units

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


def test_systemd_accepts_the_units(tmp_path: Path, need: Need) -> None:
    need("systemd-analyze")
    for name, text in units().items():
        (tmp_path / name).write_text(text)
    said = subprocess.run(
        ["systemd-analyze", "verify", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in said.stderr.splitlines() if "reconix-" in line]
    assert (said.returncode, ours) == (0, [])


def test_a_failing_agent_restarts_only_what_is_on_trial(tmp_path: Path) -> None:
    """The last line of the unit needs no agent; here it runs with its places moved aside."""
    last = units()["reconix-fallback.service"].splitlines()[-1]
    found = {f"ExecStart=/bin/sh /etc/reconix/{path.name}": path for path in SCRIPTS}
    script = found[last].read_text()
    script = script.replace("/run/reconix", str(tmp_path)).replace("sleep", "echo sleep")
    script = script.replace("systemctl", "echo systemctl").replace("/proc", str(tmp_path))
    state = tmp_path / "system/reconix/state.json"
    state.parent.mkdir(parents=True)

    def said() -> str:
        return run("/bin/sh", "-c", script).decode()

    assert said() == ""
    for phase, restarts in (("idle", False), ("written", False), ("rejected", True)):
        state.write_text(f'{{\n  "phase": "{phase}"\n}}\n')
        assert ("systemctl reboot --force --force" in said()) is restarts
    for phase in ("armed", "on-trial"):
        state.write_text(f'{{\n  "phase": "{phase}"\n}}\n')
        assert "systemctl reboot --force --force" in said()
    (tmp_path / "committed").touch()
    assert said() == ""
    (tmp_path / "switched").touch()
    assert "systemctl reboot --force --force" in said()
