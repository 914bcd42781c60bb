"""`reconix deploy --live`, with the agent itself behind a program in place of ssh."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.unit.cli.test_dry_run import TO, Project
from tests.unit.device.conftest import Units, machine, new_machine, store, units
from tests.unit.fleet.test_delivery import Link, link

from reconix.boot.trial import Phase
from reconix.device.state.running import BootReason, read_running, write_running

__all__ = ["link", "machine", "new_machine", "store", "units"]


@pytest.fixture
def project(machine: Machine, link: Link, tmp_path: Path) -> Project:
    return Project(machine, tmp_path / "project")


@pytest.mark.parametrize("words", [["--dry-run"], ["--restart"]])
def test_it_goes_without_what_would_mean_something_else(project: Project, words: list[str]) -> None:
    assert project("deploy", *TO, "--live", *words) == 2


def test_what_cannot_run_live_is_refused_and_changes_nothing(
    project: Project, units: Units, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project("deploy", *TO, "--live", "--unsigned") == 77
    said = capsys.readouterr().err
    assert "this cannot run live: systemd cannot do a soft reboot" in said
    state = project.machine.device.recall()
    assert (state.phase, units.calls) == (Phase.IDLE, [])
    assert state.committed.generation == str(project.machine.generations["one"])


def test_a_device_on_which_it_is_live_already_is_left_alone_and_status_tells(
    project: Project, units: Units, capsys: pytest.CaptureFixture[str]
) -> None:
    device, two = project.machine, project.machine.generations["two"]
    booted = read_running(device.paths.booted)
    write_running(device.paths, replace(booted, generation=two, reason=BootReason.LIVE))
    assert project("deploy", *TO, "--live", "--unsigned") == 0
    assert "it has this generation already" in capsys.readouterr().out
    assert project("status", *TO) == 0
    assert f"live       generation 2  {two}, until the next boot" in capsys.readouterr().out
    assert project("status", *TO, "--json") == 0
    assert json.loads(capsys.readouterr().out)["live"] == str(two)
    assert units.calls == []
