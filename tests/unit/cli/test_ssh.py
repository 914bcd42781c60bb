"""The words that say which device is meant, as ssh gets them."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconix.base.process import CommandFailed, run
from reconix.cli import ssh
from reconix.cli.main import main
from reconix.fleet.remote import NotReached
from reconix.project import virtual_device
from reconix.project.workplace import Workplace

TO = "root@192.0.2.1"


def words(folder: Path, *given: str) -> list[str]:
    """What ssh is started with, up to the options that are always there."""
    parser = argparse.ArgumentParser()
    ssh.add_arguments(parser, virtual=False)
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


PORT = 40123


@pytest.fixture
def project(tmp_path: Path, need: Callable[..., None]) -> Path:
    """A new project in a folder whose name ssh must be told with care."""
    need("ssh-keygen")
    assert main(["init", str(tmp_path / "my 100% project")]) == 0
    return tmp_path / "my 100% project"


@pytest.fixture
def running(project: Path) -> Iterator[Path]:
    """The project while its virtual device runs."""
    workplace = Workplace(project, "gateway")
    workplace.make()
    with virtual_device.occupied(workplace) as announcement:
        announcement.tell({22: PORT, 80: 40124})
        yield project


def virtual(project: Path, folder: Path, *given: str) -> list[str]:
    """What ssh is started with for the virtual device."""
    assert main(["--project", str(project), "shell", "-c", "uname -a", *given]) == 255
    return (folder / "words").read_text().splitlines()


def test_the_way_to_the_virtual_device_is_known(running: Path, folder: Path) -> None:
    said = virtual(running, folder)
    assert said[:4] == ["-F", "none", "-p", str(PORT)]
    assert said[said.index("-i") + 1] == str(running / "keys" / "operator")
    assert said[-3:] == ["root@127.0.0.1", "--", "uname -a"]


def test_the_key_that_it_shows_first_is_remembered_beside_its_disk(
    running: Path, folder: Path
) -> None:
    said = virtual(running, folder)
    known = running / ".reconix/gateway/vm/known_hosts"
    assert f'UserKnownHostsFile="{known}"'.replace("%", "%%") in said
    assert {"StrictHostKeyChecking=accept-new", "HostKeyAlias=gateway"} <= set(said)
    assert "BatchMode=yes" not in said, "ssh may ask, there is somebody"


def test_the_real_ssh_understands_what_it_is_told(
    running: Path, folder: Path, need: Callable[..., None]
) -> None:
    need("ssh")
    said = virtual(running, folder)
    real = next(path for path in ("/usr/bin/ssh", "/bin/ssh") if Path(path).exists())
    told = run(real, "-G", *said[: said.index("root@127.0.0.1") + 1]).decode().splitlines()
    known = running / ".reconix/gateway/vm/known_hosts"
    assert f"userknownhostsfile {known}".replace("%", "%%") in told or any(
        line.startswith("userknownhostsfile") and str(known) in line.replace("%%", "%")
        for line in told
    )
    assert f"port {PORT}" in told and "hostkeyalias gateway" in told


def test_another_key_and_options_of_ssh_can_be_given(running: Path, folder: Path) -> None:
    said = virtual(running, folder, "-i", "mine", "-o", "Compression=yes")
    assert said[said.index("-i") + 1] == "mine"
    assert said[:2] == ["-o", "Compression=yes"]


def test_the_port_of_a_virtual_device_need_not_be_told(
    running: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--project", str(running), "shell", "-p", "22"]) == 2
    assert "--port goes with --to" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["shell"], ["logs"], ["cp", ":/etc/hostname", "x"], ["status", "--device"]]
)
def test_where_no_virtual_device_runs_it_is_told_how_to_start_it(
    words: list[str], project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--project", str(project), "--store", str(tmp_path / "store"), *words]) == 78
    said = capsys.readouterr().err
    assert "no virtual device of gateway runs here" in said
    assert "reconix run gateway" in said


def test_a_device_that_does_not_answer_is_told_with_its_console(
    running: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--project", str(running), "logs"]) == 78
    said = capsys.readouterr().err
    assert "cannot reach root@127.0.0.1" in said and "console.log" in said
