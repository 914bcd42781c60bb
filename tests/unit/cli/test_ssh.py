"""The words that say which device is meant, as ssh gets them."""

import argparse
from pathlib import Path

import pytest

from reconix.base.process import CommandFailed
from reconix.cli import ssh
from reconix.fleet.remote import NotReached

TO = "root@192.0.2.1"


def words(folder: Path, *given: str) -> list[str]:
    """What ssh is started with, up to the options that are always there."""
    parser = argparse.ArgumentParser()
    ssh.add_arguments(parser, required=True)
    with pytest.raises(NotReached) as caught:
        ssh.remote(parser.parse_args(["--to", TO, *given])).status()
    assert isinstance(caught.value.__cause__, CommandFailed)
    said = (folder / "words").read_text().splitlines()
    assert said[-3:] == [TO, "--", "reconix-device status --json"]
    return said[: said.index("BatchMode=yes") - 1]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `ssh` that writes down its words and reaches nobody."""
    program = tmp_path / "ssh"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > '{tmp_path}/words'\nexit 255\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def test_without_options_ssh_is_used_as_it_is_set_up(folder: Path) -> None:
    assert words(folder) == []


def test_options_reach_ssh_in_its_own_words(folder: Path) -> None:
    given = ("-o", "ProxyJump=hub", "-p", "2222", "-i", "key", "-o", "User=root")
    expected = ["-o", "ProxyJump=hub", "-o", "User=root", "-p", "2222", "-i", "key"]
    assert words(folder, *given) == expected


def test_a_command_that_is_about_a_device_asks_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    ssh.add_arguments(parser, required=True)
    with pytest.raises(SystemExit):
        parser.parse_args([])
    assert "--to" in capsys.readouterr().err
