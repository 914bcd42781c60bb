"""What a machine lacks is told with the command that brings it."""

import json
import os

import pytest

from reconix.base.architecture import Architecture
from reconix.base.process import find
from reconix.cli import features
from reconix.cli.main import main


def without(*hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide programs."""
    monkeypatch.setattr(features, "find", lambda name: None if name in hidden else find(name))


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has what is asked for in these tests, whatever this one lacks."""
    monkeypatch.setattr(features, "NEEDED_BY", {"image": ("sh",), "run": ("env",), "lock": ("cp",)})
    monkeypatch.setattr(features, "USED_BY", {"build": ("tar",)})
    monkeypatch.setattr(features, "abilities", lambda *_: iter(()))


@pytest.mark.usefixtures("whole")
def test_a_machine_that_lacks_nothing_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "everything is there" in said and "MISSING" not in said


@pytest.mark.usefixtures("whole")
def test_what_is_missing_is_brought_by_one_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without("env", "cp", monkeypatch=monkeypatch)
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    how = "" if os.geteuid() == 0 else "sudo "
    assert said.endswith(
        f"2 missing; without them these cannot work: lock, run\n  {how}apt install coreutils env\n"
    )
    assert [line.split()[:2] for line in said.splitlines() if line.startswith("MISSING")] == [
        ["MISSING", "cp"],
        ["MISSING", "env"],
    ]


@pytest.mark.usefixtures("whole")
def test_what_only_some_projects_need_is_not_missed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without("tar", monkeypatch=monkeypatch)
    assert main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (tar,) = [each for each in told["findings"] if each["what"] == "tar"]
    assert not tar["is_there"] and tar["needed_by"] == [] and tar["remedy"].endswith("install tar")
    assert told["missing"] == []


def test_the_real_machine_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["doctor", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert status == (1 if told["missing"] else 0)
    found = {each["what"] for each in told["findings"]}
    others = {f"programs of {each.value}" for each in Architecture if not each.is_of_this_machine}
    assert {"KVM", "UEFI firmware for QEMU", "mmdebstrap", *others} <= found
    assert "firmware for QEMU, virt-arm64-u-boot" in found
