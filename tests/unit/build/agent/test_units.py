"""The units of the agent: systemd takes them, and the last of them needs no agent."""

import subprocess
from pathlib import Path

from tests.conftest import Need

from reconix.base.process import run
from reconix.build.agent.units import AGENT, units
from reconix.build.agent.zipapp import SCRIPTS


def test_every_unit_but_one_starts_the_agent() -> None:
    without = {name for name, text in units().items() if AGENT not in text}
    assert without == {"reconix-switch.service"}


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
