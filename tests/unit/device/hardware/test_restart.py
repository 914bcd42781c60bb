"""A restart that somebody is in the way of, told as what it is."""

import json
from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.unit.device.conftest import Units

from reconix.base.documents import BadDocument
from reconix.device.__main__ import main
from reconix.device.hardware.inhibitors import Inhibitor, parse_inhibitors
from reconix.device.hardware.restart import force_restart

REFUSES = """\
#!/bin/sh
echo "$*" >> {log}
case "$1" in
    reboot | soft-reboot)
        [ $# -gt 1 ] && exit 0
        echo "Call to Reboot failed: Operation denied due to active block inhibitor" >&2
        exit 1 ;;
esac
"""
ROWS = [
    ["sleep", "NetworkManager", "it would lose its network", "block", 0, 7],
    ["shutdown:sleep", "recorder", "the film is not\u001b[2J whole", "block", 1000, 8],
    ["shutdown", "journal", "it writes", "delay", 0, 9],
    ["idle:shutdown", "valve", "it moves", "block-weak", 0, 10],
]
ANSWER = json.dumps({"type": "a(ssssuu)", "data": [ROWS]})


@pytest.fixture
def refusing(tmp_path: Path, units: Units) -> Units:
    """A systemd that does not restart, and says because of whom."""
    folder = tmp_path / "bin"
    (folder / "systemctl").write_text(REFUSES.format(log=folder / "log"))
    (folder / "busctl").write_text(f"#!/bin/sh\ncat <<'E'\n{ANSWER}\nE\n")
    (folder / "busctl").chmod(0o755)
    return units


def test_who_is_in_the_way_is_read_from_what_logind_says() -> None:
    assert parse_inhibitors(ANSWER.encode()) == (
        Inhibitor("recorder", "the film is not\u001b[2J whole"),
        Inhibitor("valve", "it moves"),
    )
    for wrong in (b"", b"{}", b'{"data": []}', b'{"data": [[["x"]]]}', b'{"data": [[7]]}'):
        with pytest.raises(BadDocument):
            parse_inhibitors(wrong)


def test_an_update_that_may_not_restart_is_armed_and_says_who_is_in_the_way(
    machine: Machine, refusing: Units, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.boot()
    two = machine.generation("two")
    machine.install("two")
    assert main(["apply", str(two)], machine.device) == 73
    said = capsys.readouterr().err
    assert "recorder (the film is not\\x1b[2J whole), valve (it moves) is in the way" in said
    assert "the next restart carries it out" in said
    assert machine.boot().booted.generation == two


def test_programs_get_the_same_as_json(
    machine: Machine, refusing: Units, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.boot()
    assert main(["boot", "mqtt", "--now", "--json"], machine.device) == 73
    error = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (error["event"], error["exit_code"]) == ("error", 73)
    assert machine.boot().booted.system == "mqtt", "what was asked for stays"


def test_without_the_program_that_tells_who_it_is_the_status_is_the_same(
    machine: Machine, refusing: Units, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bin/busctl").write_text("#!/bin/sh\nexit 1\n")
    machine.boot()
    assert main(["reset"], machine.device) == 73
    assert "an unknown program is in the way" in capsys.readouterr().err


def test_b6_what_failed_its_trial_is_left_all_the_same(machine: Machine, refusing: Units) -> None:
    machine.paths.proc.joinpath("sysrq-trigger").touch()
    force_restart(machine.paths, grace_seconds=0)
    assert refusing.calls[:2] == ["reboot", "reboot --force --force"]
