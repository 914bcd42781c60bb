import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.base.process import run
from reconix.cli.main import main

Capture = pytest.CaptureFixture[str]
KEY = 'users.root.authorized_keys_files = ["../../operator.pub"]\n'


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.test")
    run("git", *who, *words, folder=folder, environment={"HOME": str(folder)})


@pytest.fixture
def project(tmp_path: Path, need: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Path:
    need("git", "tar")
    folder = tmp_path / "repository/project"  # below the top of the repository
    (folder / "hosts/gw/systems").mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "test"\n')
    (folder / "hosts/gw/machine.toml").write_text(f'kernel.package = "linux-image-amd64"\n{KEY}')
    (folder / "hosts/gw/systems/default.toml").touch()
    (folder / "hosts/gw/systems/web.toml").write_text("")
    (folder / ".gitignore").write_text("*.pub\n")
    (folder / "operator.pub").write_text("ssh-ed25519 AAAA test\n")
    git(tmp_path / "repository", "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return folder


def test_a_change_is_shown_where_it_arrives(project: Path, capsys: Capture) -> None:
    (project / "hosts/gw/systems/web.toml").write_text('health.timeout = "2min"\n')
    assert main(["diff"]) == 0
    assert capsys.readouterr().out == (
        "machine: unchanged\ndefault: unchanged (no store path known: --build)\n"
        'web:\n  health.timeout = "90s" → "2min"\n'
    )


def test_two_revisions_are_compared_whatever_the_files_say_now(
    project: Path, capsys: Capture
) -> None:
    (project / "hosts/gw/machine.toml").write_text(f'kernel.package = "linux-image-x"\n{KEY}')
    (project / "hosts/gw/systems/mqtt.toml").write_text("mosquitto.enable = true\n")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "second")
    (project / "hosts/gw/machine.toml").write_text("nonsense")
    assert main(["diff", "HEAD~1..HEAD", "gw", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["web"]["differences"] == [
        {"key": "kernel.package", "old": '"linux-image-amd64"', "new": '"linux-image-x"'}
    ]
    assert {"key": "ports.1883", "old": None, "new": '"mosquitto"'} in found["mqtt"]["differences"]


def test_a_revision_that_git_does_not_know_is_told(project: Path, capsys: Capture) -> None:
    assert main(["diff", "--", "v9"]) == 2
    assert "does not know the revision v9" in capsys.readouterr().err


def test_a_change_that_no_device_would_see_is_told(project: Path, capsys: Capture) -> None:
    web = project / "hosts/gw/systems/web.toml"
    web.write_text('persist.paths = ["/etc/app"]\n[files."app/a"]\ntext = "one"\n')
    git(project, "commit", "-q", "-a", "-m", "second")
    web.write_text('persist.paths = ["/etc/app"]\n[files."app/a"]\ntext = "two"\n')
    assert main(["diff"]) == 0
    told = 'files."app/a": devices that have kept /etc/app keep their own'
    assert told in capsys.readouterr().out
    assert main(["diff", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["web"]["unseen"] == [told]


def test_what_is_fixed_when_a_device_is_flashed_is_told(project: Path, capsys: Capture) -> None:
    machine = project / "hosts/gw/machine.toml"
    machine.write_text(f'{machine.read_text()}disk.data_size = "64M"\n')
    git(project, "commit", "-q", "-a", "-m", "second")
    machine.write_text(machine.read_text().replace("64M", "128M"))
    assert main(["diff"]) == 0
    assert "  disk.data_size: devices keep what their image was made with\n" in (
        capsys.readouterr().out
    )
