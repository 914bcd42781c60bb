"""A shell, a log, a file: what reaches a device and what comes back from it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.device_status import DOCUMENT
from tests.project_files import ROOT
from tools import draw_told

from reconix.base.documents import print_json
from reconix.cli.main import main

TO = ["--to", "root@192.0.2.1"]


class Device:
    """A device whose ssh is a shell on this machine, in which programs of it can be put."""

    def __init__(self, folder: Path, project: Path) -> None:
        self.programs, self.log, self.project = folder / "programs", folder / "log", project
        self.programs.mkdir()
        self.log.touch()
        ssh = 'for last in "$@"; do :; done\nPATH="$(dirname "$0")/there:$PATH" exec sh -c "$last"'
        self._program(self.programs / "ssh", ssh)
        (self.programs / "there").mkdir()
        self.runs("default")

    def _program(self, path: Path, *lines: str) -> None:
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        path.chmod(0o755)

    def has(self, name: str, *lines: str) -> None:
        """Put a program there, which also writes down its words."""
        heard = f"echo \"{name} $*\" >> '{self.log}'"
        self._program(self.programs / "there" / name, heard, *lines)

    def runs(self, system: str, *, after: str = "") -> None:
        """Let its agent say that a system runs, and another one once that was started."""
        said = {name: self._said(name) for name in filter(None, (system, after))}
        first, then = said[system], said[after or system]
        self.has(
            "reconix-device",
            f"case $1 in boot) touch '{then}.on'; exit 255 ;; esac",
            f"if [ -e '{then}.on' ]; then cat '{then}'; else cat '{first}'; fi",
        )

    def _said(self, system: str) -> Path:
        document = json.loads(print_json(DOCUMENT))
        document["booted"]["system"] = system
        path = self.programs / f"{system}.json"
        path.write_bytes(print_json(document))
        return path

    def heard(self) -> list[str]:
        """What its programs were told."""
        return self.log.read_text().splitlines()

    def reconix(self, *words: str) -> int:
        return main(["--project", str(self.project), *words, *TO])


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, need: Callable[..., None]) -> Device:
    need("ssh-keygen")
    assert main(["init", str(tmp_path / "project")]) == 0
    found = Device(tmp_path, tmp_path / "project")
    monkeypatch.setenv("PATH", str(found.programs), prepend=":")
    return found


def test_a_command_runs_there_and_its_exit_status_is_ours(
    device: Device, capfd: pytest.CaptureFixture[str]
) -> None:
    assert device.reconix("shell", "-c", "echo 'a  b'; exit 7") == 7
    assert capfd.readouterr().out.endswith("a  b\n")


def test_one_logs_in_only_if_the_system_runs_that_was_named(
    device: Device, capfd: pytest.CaptureFixture[str]
) -> None:
    assert device.reconix("shell", "default", "-c", "true") == 0
    assert device.reconix("shell", "mqtt", "-c", "echo never") == 70
    said = capfd.readouterr()
    assert "runs default, not mqtt" in said.err and "never" not in said.out
    assert device.reconix("shell", "no-such", "-c", "true") == 2
    assert "there are: default, mqtt, web" in capfd.readouterr().err


def test_the_system_that_was_named_is_started_if_that_is_wished(
    device: Device, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("reconix.cli.shell._PAUSE_SECONDS", 0)
    device.runs("default", after="mqtt")
    assert device.reconix("shell", "mqtt", "--start", "-c", "echo in") == 0
    assert capfd.readouterr().out.endswith("in\n")
    assert "reconix-device boot mqtt --now" in device.heard()


def test_a_system_that_does_not_start_is_not_waited_for_for_ever(
    device: Device, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("reconix.cli.shell._PAUSE_SECONDS", 0)
    monkeypatch.setattr("reconix.cli.shell._START_SECONDS", 0.2)
    assert device.reconix("shell", "web", "--start") == 70
    assert "does not run web after" in capfd.readouterr().err


def test_start_needs_a_system(device: Device, capfd: pytest.CaptureFixture[str]) -> None:
    assert device.reconix("shell", "--start") == 2
    assert "which system?" in capfd.readouterr().err


def test_without_a_command_none_is_run(device: Device) -> None:
    """Once it was the name of our own command."""
    device.has("shell")
    device.reconix("shell")
    assert device.heard() == []


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ([], "--lines=200"),
        (["nginx", "-n", "5"], "--lines=5 --unit=nginx"),
        (["-f", "-n", "0"], "--lines=all --follow"),
        (["a b; reboot"], "--lines=200 --unit=a b; reboot"),
    ],
)
def test_the_log_is_asked_for(words: list[str], asked: str, device: Device) -> None:
    device.has("journalctl")
    assert device.reconix("logs", *words) == 0
    assert device.heard()[-1] == f"journalctl --boot --no-pager --quiet --no-hostname {asked}"


BROKER = '[containers.broker]\npackages = ["mosquitto"]\ncommand = ["mosquitto"]\n'


def test_the_log_of_a_container_is_that_of_its_unit(device: Device) -> None:
    (device.project / "hosts/gateway/systems/broker.toml").write_text(BROKER)
    device.has("journalctl")
    assert device.reconix("logs", "broker", "-n", "1") == 0
    assert device.heard()[-1].endswith("--unit=broker --unit=container-broker.service")


def test_one_logs_in_to_a_container(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    (device.project / "hosts/gateway/systems/broker.toml").write_text(BROKER)
    device.has("reconix-device", "exit 7")
    assert device.reconix("shell", "--container", "broker") == 7
    assert device.reconix("shell", "--container", "broker", "-c", "echo 'a  b'") == 7
    assert device.heard() == [
        "reconix-device exec broker",
        "reconix-device exec broker /bin/sh -c echo 'a  b'",
    ]
    assert device.reconix("shell", "--container", "other") == 2
    assert "there are: broker" in capsys.readouterr().err


def test_a_log_cannot_change_the_terminal(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    device.has("journalctl", r"printf 'first\nsec\033]0;title\007ond\377\n'")
    capsys.readouterr()
    assert device.reconix("logs") == 0
    assert capsys.readouterr().out == "first\nsec\\x1b]0;title\\x07ond\N{REPLACEMENT CHARACTER}\n"


def test_a_line_without_an_end_does_not_fill_the_memory(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    device.has("journalctl", "head -c 200000 /dev/zero | tr '\\0' x")
    capsys.readouterr()
    assert device.reconix("logs") == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(map(len, lines)) == 200_000 and max(map(len, lines)) == 1 << 16


def test_why_there_is_no_log_is_told(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    device.has("journalctl", "echo no journal files were found >&2; exit 1")
    assert device.reconix("logs") == 1
    assert "no journal files were found" in capsys.readouterr().err


def test_a_file_goes_there_and_comes_back(device: Device, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (tmp_path / "sent").write_text("content")
    assert device.reconix("cp", str(tmp_path / "sent"), f":{there}/") == 0
    assert (there / "sent").read_text() == "content"
    assert device.reconix("cp", f":{there}/sent", str(tmp_path / "came")) == 0
    assert (tmp_path / "came").read_text() == "content"


@pytest.mark.parametrize("words", [(":a", ":b"), ("a", "b")])
def test_one_of_the_two_is_on_the_device(
    words: tuple[str, str], device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    assert device.reconix("cp", *words) == 2
    assert "begins with a colon" in capsys.readouterr().err


def test_a_start_is_told_and_drawn(
    device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ROOT / "tests/data/start"
    device.has(
        "systemctl",
        f"case $2 in '*') cat '{data}/units.txt' ;; *) cat '{data}/manager.txt' ;; esac",
    )
    device.has("journalctl", f"cat '{data}/kernel.json'")
    picture = tmp_path / "start.svg"
    capsys.readouterr()
    assert device.reconix("timeline", "--svg", str(picture)) == 0
    said = capsys.readouterr().out
    assert "started in 112.2 s\n" in said and "its firmware and loader took" in said
    assert " 5.82 s  kernel\n" in said and "etc.mount" not in said and ", with --all" in said
    assert ">initrd  7.84 s<" in picture.read_text()
    assert device.reconix("timeline", "--all") == 0
    assert "etc.mount" in capsys.readouterr().out
    assert device.reconix("timeline", "--json") == 0
    said = capsys.readouterr().out
    told = json.loads(said)
    assert [each["name"] for each in told["phases"]] == ["kernel", "initrd", "userspace"]
    assert draw_told.start(said.encode()) == picture.read_text()


def test_a_device_that_answers_something_else_is_told(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    device.has("systemctl", "echo UserspaceTimestampMonotonic=soon")
    device.has("journalctl")
    assert device.reconix("timeline") == 42
    assert "'soon', not a number" in capsys.readouterr().err
