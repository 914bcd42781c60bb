"""The command line of the agent."""

import json
import os
import random
import sys

import pytest
from tests.device_model import Machine
from tests.unit.device.conftest import Units

from reconix.boot.trial import Phase, read_state
from reconix.device.__main__ import main, make_parser
from reconix.device.state.lock import exclusive_rw
from reconix.store.tree import File, Node
from reconix.transfer.format.stream import TruncatedStream


def feed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    descriptor = os.memfd_create("stdin")
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    monkeypatch.setattr(sys, "stdin", os.fdopen(descriptor, closefd=False))


def test_an_update_from_receive_to_confirm(
    machine: Machine,
    units: Units,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine.firmware()
    assert main(["start"], machine.device) == 0
    two = machine.generation("two")
    feed(monkeypatch, machine.stream("one", "two").getvalue())
    assert main(["receive"], machine.device) == 0
    assert units.calls == ["reboot"]
    said = capsys.readouterr()
    assert f"installed {two}" in said.out
    assert "receive: done" in said.err
    machine.firmware()
    assert main(["start"], machine.device) == 0
    assert main(["watch"], machine.device) == 0
    assert read_state(machine.paths.state).committed.generation == str(two)
    assert main(["verify"], machine.device) == 0
    assert main(["collect"], machine.device) == 0
    assert main(["confirm"], machine.device) == 0
    assert main(["status"], machine.device) == 0


def test_an_update_of_another_system_needs_no_restart(
    machine: Machine,
    units: Units,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine.boot()
    two = machine.generation("two", only=["mqtt"])
    feed(monkeypatch, machine.stream("one", "two").getvalue())
    assert main(["receive"], machine.device) == 0
    said = capsys.readouterr().out
    assert "committed without a restart" in said and "not yet tried: mqtt" in said
    assert read_state(machine.paths.state).committed.generation == str(two)
    assert main(["status"], machine.device) == 0
    assert "untried    system mqtt" in capsys.readouterr().out
    assert main(["status", "--json"], machine.device) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["untried"] == ["mqtt"] and status["booted"]["generation"] == str(two)
    assert main(["rollback"], machine.device) == 0
    assert read_state(machine.paths.state).committed.generation == str(machine.generations["one"])
    assert units.calls == []


@pytest.mark.parametrize("words", [["--restart"], ["--system", "mqtt"]])
def test_a_trial_of_it_can_be_asked_for(machine: Machine, units: Units, words: list[str]) -> None:
    machine.boot()
    two = machine.generation("two", only=["mqtt"])
    machine.install("two")
    assert main(["apply", str(two), *words], machine.device) == 0
    assert read_state(machine.paths.state).phase is Phase.ARMED
    assert units.calls == ["reboot"]


def test_receive_can_leave_it_at_that(
    machine: Machine, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.boot()
    two = machine.generation("two")
    feed(monkeypatch, machine.stream("one", "two").getvalue())
    assert main(["receive", "--no-apply"], machine.device) == 0
    assert read_state(machine.paths.state).phase is Phase.IDLE
    assert main(["apply", str(two), "--no-reboot"], machine.device) == 0
    assert read_state(machine.paths.state).phase is Phase.ARMED
    assert units.calls == []


def test_a_system_may_forbid_that_the_device_restarts_by_itself(
    machine: Machine, units: Units, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = machine.saying(automatic=False)
    machine.boot()
    two = machine.generation("two")
    machine.install("two")
    assert main(["apply", str(two)], machine.device) == 0
    assert read_state(machine.paths.state).phase is Phase.ARMED
    assert units.calls == []
    assert "automatic restart is off" in capsys.readouterr().out


def test_n3_a_finished_update_that_is_sent_again_changes_nothing(
    machine: Machine, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N3: a lost acknowledgement."""
    machine.boot()
    machine.generation("two")
    stream = machine.stream("one", "two").getvalue()
    feed(monkeypatch, stream)
    assert main(["receive"], machine.device) == 0
    machine.boot()
    assert main(["confirm"], machine.device) == 0
    before = (machine.place / "disk").stat().st_mtime_ns, machine.paths.state.read_bytes()
    feed(monkeypatch, stream)
    calls = units.calls
    assert main(["receive"], machine.device) == 0
    assert units.calls == calls
    after = (machine.place / "disk").stat().st_mtime_ns, machine.paths.state.read_bytes()
    assert after == before


def test_a_stream_that_ends_early_installs_nothing(
    machine: Machine,
    units: Units,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine.boot()
    machine.generation("two")
    stream = machine.stream("one", "two").getvalue()
    feed(monkeypatch, stream[: len(stream) // 2])
    assert main(["receive", "--json"], machine.device) == TruncatedStream.exit_code
    assert machine.device.installed() == (machine.generations["one"],)
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["event"] == "error" and last["exit_code"] == TruncatedStream.exit_code


def test_c1_a_second_command_gets_a_clear_answer(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    """C1: two updaters at once."""
    machine.boot()
    with exclusive_rw(machine.paths):
        assert main(["boot", "mqtt"], machine.device) == 72
    assert "another update or command is running on this device" in capsys.readouterr().err


def test_a_system_is_chosen_and_booted(machine: Machine, units: Units) -> None:
    machine.boot()
    assert main(["boot", "mqtt", "--now"], machine.device) == 0
    assert units.calls == ["reboot"]
    assert machine.boot().booted.system == "mqtt"


def test_b6_an_unhealthy_trial_is_left_step_by_step(
    machine: Machine, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B6: the reboot is actually issued, and insisted on."""
    monkeypatch.setattr("reconix.device.hardware.restart.time.sleep", lambda _: None)
    machine.boot()
    two = machine.generation(
        "two", health={"timeout_seconds": 1, "checks": [{"kind": "unit", "unit": "x.service"}]}
    )
    machine.install("two")
    assert main(["apply", str(two), "--no-reboot"], machine.device) == 0
    machine.boot()
    assert main(["watch"], machine.device) == 1
    assert [call for call in units.calls if "reboot" in call] == [
        "reboot",
        "reboot --force --force",
    ]
    assert (machine.paths.proc / "sysrq-trigger").read_bytes() == b"b"


def test_a_system_that_forbids_updates_takes_none(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine = machine.saying(receive=False)
    machine.boot()
    machine.generation("two")
    feed(monkeypatch, machine.stream("one", "two").getvalue())
    assert main(["receive"], machine.device) == 77
    assert "may not receive updates" in capsys.readouterr().err


def test_an_error_of_the_kernel_is_no_traceback(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.boot()
    os.truncate(machine.place / "disk", 512)
    assert main(["verify"], machine.device) != 0
    assert "reconix-device:" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["fly"], ["boot"], ["apply"]])
def test_words_that_do_not_fit_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2


def test_n1_a_stream_that_was_cut_goes_on_where_the_agent_says(
    machine: Machine,
    units: Units,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine.boot()
    large: dict[str, Node] = {"large": File(random.Random(7).randbytes(1 << 20))}
    two = machine.generation("two", extra=large)
    stream = machine.stream("one", "two").getvalue()
    feed(monkeypatch, stream[: len(stream) - 5000])
    assert main(["receive"], machine.device) == TruncatedStream.exit_code
    machine.boot()
    capsys.readouterr()
    assert main(["resume-offset", "--json"], machine.device) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["size_bytes"] == len(stream) and said["generation"] == str(two)
    assert said["offset"] > len(stream) // 2
    feed(monkeypatch, stream[said["offset"] :])
    assert main(["receive", "--resume-at", "1"], machine.device) == 51
    kept = machine.paths.spool.read_bytes()
    assert main(["collect"], machine.device) == 0
    assert not machine.paths.spool.exists()
    machine.paths.spool.write_bytes(kept)
    assert main(["receive", "--resume-at", str(said["offset"])], machine.device) == 0
    assert two in machine.device.installed()
    capsys.readouterr()
    assert main(["resume-offset"], machine.device) == 0
    assert capsys.readouterr().out == "0\n"


@pytest.mark.parametrize(
    ("before", "now"),
    [("offset", "resume-offset"), ("identify", "apply-identity"), ("abandon", "mark-bad")],
)
def test_a_command_is_known_by_the_name_that_agents_before_had_for_it(
    before: str, now: str
) -> None:
    """A host asks every agent with the same words, and units of one release call another."""
    parser = make_parser()
    assert parser.parse_args([before]).command is parser.parse_args([now]).command
