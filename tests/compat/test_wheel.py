"""What pip makes of the project works alone: without the checkout, from any folder.

So `pip install`, `pipx install` and `uv tool install` do, which all install the same wheel.
"""

import hashlib
import os
import shutil
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.project_files import ROOT, enough
from tests.test_elsewhere import copy

from reconix.base.process import CommandFailed, Word, run
from reconix.build.agent import zipapp
from reconix.cli.init import TEMPLATES

Need = Callable[..., None]
HIDDEN = ("src", "examples", "docs", "tools")
"""Folders of the checkout that what is installed must not look for."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made from a copy of the project in which somebody has worked."""
    folder = tmp_path_factory.mktemp("wheel")
    work = copy(folder / "work")
    shutil.rmtree(work / "build", ignore_errors=True)  # of an older wheel, with what it had
    for name in (
        "keys/operator",
        "keys/update",
        "reconix.lock",
        ".reconix/gateway/disk.img",
        "dist/a.deb",
    ):
        made = work / "examples" / "gateway" / name
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text("made by a command\n")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, "--no-index", "--wheel-dir", folder, work)
    return next(folder.glob("*.whl"))


class Installed:
    """The wheel in an environment of its own, with the libraries of the one that runs this test."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.place, self.home = folder / "environment", folder / "home"
        run(sys.executable, "-m", "venv", "--without-pip", self.place)
        self.python = self.place / "bin" / "python"
        pip = (sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet")
        run(*pip, "--no-deps", "--no-index", wheel)
        # As a folder, whose own .pth files are not read: so the editable reconix is not in it.
        found = self.python_says("import sysconfig; print(sysconfig.get_path('purelib'))")
        Path(found, "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
        self.home.mkdir()

    def python_says(self, program: str) -> str:
        """What a program prints in the environment."""
        return run(self.python, "-c", program).decode().strip()

    def reconix(self, *words: Word, folder: Path | None = None) -> str:
        """What a command says, with the checkout hidden."""
        covers = "".join(f"mount -t tmpfs none {ROOT / name}; " for name in HIDDEN)
        shut_in = ("unshare", *(() if os.geteuid() == 0 else ("-r",)), "-m", "sh", "-euc")
        command = (self.place / "bin" / "reconix", "--no-progress", *words)
        said = run(
            *(*shut_in, f'{covers} exec "$@"', "sh", *command),
            folder=folder or self.home,
            environment={"HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        return said.decode()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), wheel)


def files_of_the_package() -> set[str]:
    """All files below ``src/reconix`` that no run made; templates are links to ``examples``."""
    found = {
        Path(folder, name).relative_to(ROOT / "src").as_posix()
        for folder, _, names in os.walk(ROOT / "src" / "reconix", followlinks=True)
        for name in names
    }
    return {name for name in found if "__pycache__" not in name and ".reconix" not in name}


def test_the_wheel_has_every_file_of_the_package_and_nothing_that_a_command_made(
    wheel: Path,
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("reconix/")}
    ours = enough(files_of_the_package(), at_least=400, what="files of the package")
    assert sorted(names) == sorted(ours)


def test_it_is_the_installed_one_that_answers(installed: Installed, need: Need) -> None:
    need("unshare")
    assert installed.python_says("import reconix; print(reconix.__file__)").startswith(
        str(installed.place)
    )
    assert installed.reconix("--version").startswith("reconix ")


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_project_can_be_made_and_checked_without_the_checkout(
    template: str, installed: Installed, need: Need
) -> None:
    need("unshare", "ssh-keygen")
    installed.reconix("init", "--template", template, template)
    project = installed.home / template
    assert "*" in (project / "keys" / ".gitignore").read_text()
    assert (project / "keys" / "operator.pub").is_file()
    (project / "dist").mkdir()  # what some build before they lock
    for built in ("own_1.0_all.deb", "own-1.0-py3-none-any.whl"):
        (project / "dist" / built).touch()
    assert installed.reconix("check", folder=project)
    shutil.rmtree(project)


def test_the_words_of_a_shell_can_be_had(installed: Installed, need: Need) -> None:
    need("unshare")
    assert "complete -o default -F _reconix reconix" in installed.reconix("completion", "bash")


def test_the_machine_can_be_looked_at(installed: Installed, need: Need) -> None:
    need("unshare")
    try:
        said = installed.reconix("doctor")
    except CommandFailed as error:  # this machine lacks something, which may be at home
        assert error.status == 1
        said = error.output.decode()
    assert "mmdebstrap" in said and "room for the store" in said


def test_the_agent_for_devices_is_the_same_to_the_byte(installed: Installed) -> None:
    ours = hashlib.sha256(zipapp.pack()).hexdigest()
    asked = (
        "from reconix.build.agent import zipapp; print(hashlib.sha256(zipapp.pack()).hexdigest())"
    )
    assert installed.python_says(f"import hashlib; {asked}") == ours
