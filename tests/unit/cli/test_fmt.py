"""``reconix fmt`` finds the files of a project, and changes them only when it is asked to."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.cli.init import TEMPLATES
from reconix.cli.main import main

Capture = pytest.CaptureFixture[str]
UNTIDY, TIDY = "name='x'\n", "name = 'x'\n"
FILES = (
    "reconix.toml",
    "hosts/gw/machine.toml",
    "hosts/gw/systems/web.toml",
    "shared/one.toml",
    "shared/two.toml",
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(UNTIDY)
    machine = f'imports=["../../shared/one.toml"]\n{UNTIDY}'
    (tmp_path / "hosts/gw/machine.toml").write_text(machine)
    shared = f'imports={{force=["two.toml","one.toml","gone.toml"]}}\n{UNTIDY}'
    (tmp_path / "shared/one.toml").write_text(shared)
    (tmp_path / "hosts/gw/systems/mqtt.toml.md").write_text(f"# A  b\n```toml\n{UNTIDY}```\n")
    (tmp_path / "other.toml").write_text(UNTIDY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_files_of_the_project_are_formatted_and_no_other(
    project: Path, capsys: Capture
) -> None:
    (project / "reconix.toml").chmod(0o600)
    assert main(["fmt", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    names = [Path(name).relative_to(project).as_posix() for name in told["different"]]
    assert names == sorted([*FILES, "hosts/gw/systems/mqtt.toml.md"])
    assert told["files"] == 6
    assert all((project / name).read_text().endswith(TIDY) for name in FILES)
    assert (
        project / "hosts/gw/systems/mqtt.toml.md"
    ).read_text() == f"# A  b\n```toml\n{TIDY}```\n"
    assert (project / "other.toml").read_text() == UNTIDY
    assert (project / "reconix.toml").stat().st_mode & 0o777 == 0o600
    assert main(["fmt", "--check"]) == 0


def test_check_changes_nothing_and_says_so_with_its_status(project: Path, capsys: Capture) -> None:
    assert main(["fmt", "--check", "reconix.toml"]) == 1
    assert "reconix.toml: would be reformatted" in capsys.readouterr().out
    assert (project / "reconix.toml").read_text() == UNTIDY


def test_one_file_that_is_not_toml_stops_all(project: Path, capsys: Capture) -> None:
    (project / "hosts/gw/systems/web.toml").write_text("a = = 1\n")
    assert main(["fmt"]) == 2
    assert "web.toml:1:5: invalid TOML" in capsys.readouterr().err
    assert (project / "reconix.toml").read_text() == UNTIDY


def test_a_file_of_another_kind_is_refused(project: Path, capsys: Capture) -> None:
    (project / "a.json").write_text("{}")
    assert main(["fmt", "a.json"]) == 2
    assert "not a configuration file" in capsys.readouterr().err


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_init_writes_has_this_layout(
    template: str, tmp_path: Path, need: Callable[..., None]
) -> None:
    need("ssh-keygen")
    assert main(["init", str(tmp_path / "new"), "--template", template]) == 0
    assert main(["--project", str(tmp_path / "new"), "fmt", "--check"]) == 0
