from collections.abc import Callable
from pathlib import Path

import pytest
from tests.project_files import enough

from reconix.base.process import run
from reconix.cli import commands
from reconix.cli.manual import pages

FOLDER = Path(__file__).parents[3] / "docs" / "man"


def test_manual_pages_are_those_of_the_command_line() -> None:
    """After a change of the command line: `make docs`."""
    kept = {path.name: path.read_bytes() for path in FOLDER.glob("*.1")}
    assert enough(kept, at_least=20, what="manual pages") == pages()


@pytest.mark.parametrize("name", ["", *(f"-{name}" for name in commands.available())])
def test_man_shows_each_page_without_a_warning(
    name: str, need: Callable[..., None], tmp_path: Path
) -> None:
    need("man")
    path = tmp_path / f"reconix{name}.1"
    path.write_bytes(pages()[path.name])
    environment = {"MANROFFSEQ": "", "MANWIDTH": "80"}
    shown = run("man", "--warnings", "-l", path, environment=environment).decode()
    assert "NAME" in shown and "SYNOPSIS" in shown
