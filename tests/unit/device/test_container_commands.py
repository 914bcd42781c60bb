"""The commands about containers: what they show, what they start, and what they refuse."""

import json
from pathlib import Path

import pytest
from tests.containers_of_devices import BROKER, LOGGER, containers_in_store, device_with
from tests.device_model import Machine
from tests.unit.device.conftest import Units

from reconix.device.__main__ import main
from reconix.device.settings.containers import unit_of

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def device(machine: Machine, units: Units) -> Machine:
    units.activate("container-broker.service")
    found = device_with(machine, BROKER, LOGGER)
    found.time.moment = 100.0
    return found


def program(folder: Path, name: str, script: str) -> None:
    """A program on the path of a test, beside its systemctl."""
    (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin" / name).chmod(0o755)


def test_containers_are_shown_with_their_state(device: Machine, capsys: Capture) -> None:
    assert main(["containers"], device.device) == 0
    header, broker, logger = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["name", "state", "since", "restarts"]
    digest = str(BROKER.digest)[: len("sha256:") + 12]
    assert broker.split() == [
        *("broker", "active", "39", "s", "2", "starting", "3.0", "MiB", BROKER.image, digest)
    ]
    assert logger.split()[:2] == ["logger", "failed"]
    assert logger.split()[-2:] == ["python3-flask", "-"]


@pytest.mark.parametrize("found", ["healthy", "unhealthy", ""])
def test_a_program_gets_all_that_is_known(device: Machine, capsys: Capture, found: str) -> None:
    folder = device.paths.containers / "broker"
    folder.mkdir(parents=True)
    (folder / (found or "pid")).touch()
    assert main(["containers", "--json"], device.device) == 0
    broker, logger = json.loads(capsys.readouterr().out)["containers"]
    assert broker == {
        "name": "broker",
        "image": BROKER.image,
        "digest": str(BROKER.digest),
        "packages": [],
        "unit": "container-broker.service",
        "network": "private",
        "state": "active",
        "seconds": 39,
        "restarts": 2,
        "health": found or "starting",
        "memory_bytes": 3 << 20,
    }
    assert (logger["state"], logger["health"], logger["image"]) == ("failed", None, None)


@pytest.mark.parametrize("memory", ["[not set]", str(2**64 - 1), ""])
def test_what_systemd_does_not_know_is_not_known(
    device: Machine, units: Units, capsys: Capture, memory: str
) -> None:
    units.memory.write_text(memory)
    main(["containers", "--json"], device.device)
    assert json.loads(capsys.readouterr().out)["containers"][0]["memory_bytes"] is None


def test_what_an_update_without_a_restart_brought_counts(device: Machine, capsys: Capture) -> None:
    device.paths.containers.mkdir(parents=True)
    here = device.paths.containers / "store" / containers_in_store(device, LOGGER).basename
    device.paths.changed_containers.symlink_to(here)
    assert main(["containers"], device.device) == 25, "its generation is not installed here"
    here = here.with_name(containers_in_store(device, BROKER, LOGGER).basename)
    device.paths.changed_containers.unlink()
    device.paths.changed_containers.symlink_to(here)
    capsys.readouterr()
    assert main(["containers"], device.device) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_system_without_containers_says_so(
    machine: Machine, units: Units, capsys: Capture
) -> None:
    machine.boot()
    assert main(["containers"], machine.device) == 0
    assert capsys.readouterr().out == "this system has no containers\n"
    assert main(["containers", "--json"], machine.device) == 0
    assert json.loads(capsys.readouterr().out) == {"containers": []}


def test_a_program_runs_in_a_container_with_its_words(
    device: Machine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    program(tmp_path, "crun", 'for word; do echo "<$word>"; done; exit 7')
    (device.paths.crun / "broker").mkdir(parents=True)
    assert main(["exec", "broker", "ls", "-l", "a b", "--json"], device.device) == 7
    assert capfd.readouterr().out.splitlines() == [
        f"<--root={device.paths.crun}>",
        *("<--cgroup-manager=disabled>", "<exec>", "<broker>", "<ls>", "<-l>", "<a b>", "<--json>"),
    ]
    assert main(["exec", "broker"], device.device) == 7
    assert capfd.readouterr().out.endswith("<broker>\n</bin/sh>\n")


def test_a_container_that_does_not_run_is_not_entered(device: Machine, capsys: Capture) -> None:
    assert main(["exec", "broker", "ls"], device.device) == 1
    said = capsys.readouterr().err
    assert "container broker does not run" in said
    assert f"systemctl status {unit_of('broker')}" in said


@pytest.mark.parametrize("words", [["exec", "brok", "ls"], ["logs", "--", "--all"]])
def test_what_is_no_container_is_refused_with_those_that_are_there(
    device: Machine, capsys: Capture, words: list[str]
) -> None:
    assert main(words, device.device) == 2
    assert "there are: broker, logger" in capsys.readouterr().err


def test_what_a_container_says_is_shown_line_by_line(
    device: Machine, tmp_path: Path, capsys: Capture
) -> None:
    program(tmp_path, "journalctl", 'echo "$*"; printf "red \\033[31m\\n"')
    assert main(["logs", "broker", "-n", "5", "-f"], device.device) == 0
    assert capsys.readouterr().out.splitlines() == [
        "--boot --no-pager --quiet --no-hostname --lines=5 --follow "
        "--unit=container-broker.service",
        "red \\x1b[31m",
    ]
    main(["logs", "broker", "--lines", "0"], device.device)
    assert "--lines=all --unit" in capsys.readouterr().out
