"""A project as it was: what git knows of then, and what it does not know of now."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.base.errors import UsageError
from reconix.base.process import run
from reconix.project.revisions import at_revision


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@x.invalid")
    run("git", *who, *words, folder=folder, environment={"HOME": str(folder)})


@pytest.fixture
def project(tmp_path: Path, need: Callable[..., None]) -> Path:
    """A project in a folder of a repository, with a commit and changes since."""
    need("git", "tar")
    folder = tmp_path / "repository/project"
    folder.mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "old"\n')
    git(folder.parent, "init", "-q")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "-q", "-m", "first")
    (folder / "reconix.toml").write_text('name = "new"\n')
    return folder


def test_a_revision_has_what_git_knows_of_then(project: Path) -> None:
    with at_revision(project, "HEAD") as folder:
        assert (folder / "reconix.toml").read_text() == 'name = "old"\n'
    assert not folder.exists()


def test_without_a_revision_it_is_the_project_as_it_is(project: Path) -> None:
    with at_revision(project, "") as folder:
        assert folder == project
    assert project.exists()


def test_files_that_git_does_not_know_are_there_unless_they_configure(project: Path) -> None:
    for name in ("keys/update", "hosts/new/machine.toml", ".reconix/gw/disk.img"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("x")
    with at_revision(project, "HEAD") as folder:
        found = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
        assert found == {"reconix.toml", "keys"}
        assert (folder / "keys/update").read_text() == "x"


@pytest.mark.parametrize("revision", ["v9", "--all", "HEAD:reconix.toml"])
def test_what_is_no_commit_is_refused(project: Path, revision: str) -> None:
    with (
        pytest.raises(UsageError, match="git does not know the revision"),
        at_revision(project, revision),
    ):
        pass


def test_a_folder_that_was_built_is_there_as_it_is(project: Path) -> None:
    """It may be a tree of a device: its files are files, and programs in Python are among them."""
    (project / "build/air").mkdir(parents=True)
    (project / "build/air/air.py").write_text("x")
    (project / "modules").mkdir()
    (project / "modules/new.py").write_text("x")
    with at_revision(project, "HEAD") as folder:
        assert (folder / "build/air/air.py").is_file()
        assert not (folder / "build/air/air.py").is_symlink()
        assert not (folder / "modules/new.py").exists()


def test_of_a_folder_that_git_knows_the_rest_is_there_too(project: Path) -> None:
    (project / "keys").mkdir()
    (project / "keys/known").write_text("x")
    git(project, "add", "keys/known")
    git(project, "commit", "-q", "-m", "second")
    (project / "keys/unknown").write_text("y")
    with at_revision(project, "HEAD") as folder:
        assert (folder / "keys/known").read_text() + (folder / "keys/unknown").read_text() == "xy"
