from pathlib import Path

import pytest

from reconix.base.errors import UsageError
from reconix.config.load import load
from reconix.project.workplace import Workplace, pick_host


def test_what_commands_leave_behind_is_left_out_of_git(tmp_path: Path) -> None:
    workplace = Workplace(tmp_path, "gateway")
    workplace.make()
    workplace.make()
    assert workplace.image.parent.is_dir()
    assert (tmp_path / ".reconix" / ".gitignore").read_text() == "*\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the smallest possible hosts."""
    (tmp_path / "reconix.toml").write_text('name = "test"\narchitecture = "amd64"\n')
    add_host(tmp_path, "one")
    return tmp_path


def add_host(project: Path, name: str) -> None:
    systems = project / "hosts" / name / "systems"
    systems.mkdir(parents=True)
    (systems.parent / "machine.toml").write_text('[kernel]\npackage = "linux-image-amd64"\n')
    (systems / "default.toml").write_text("")


def test_the_only_host_needs_no_name(project: Path) -> None:
    assert pick_host(load(project), None).name == "one"


def test_one_of_several_must_be_named_and_must_exist(project: Path) -> None:
    add_host(project, "two")
    configuration = load(project)
    assert pick_host(configuration, "two").name == "two"
    for name in (None, "three"):
        with pytest.raises(UsageError) as caught:
            pick_host(configuration, name)
        assert caught.value.hint == "this project has: one, two"
