"""The pictures of the documents are those of what commands have told."""

from pathlib import Path

import pytest
from tests.unit.cli.test_size_minify import words
from tools.draw_told import DOCUMENTS, DRAWN, minified

from reconix.cli.main import main

__all__ = ["words"]


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_in_the_repository_is_that_of_what_was_told(name: str) -> None:
    drawn = DRAWN[name]((DOCUMENTS / f"{name}.json").read_bytes())
    picture = (DOCUMENTS / f"{name}.svg").read_text()
    assert picture == drawn, "renew it: python tools/draw_told.py"
    assert len(drawn) < 200_000
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")


def test_what_is_drawn_of_sizes_is_what_the_command_draws(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "size.svg"
    assert main([*words, "gw", "--json", "--svg", str(file)]) == 0
    assert minified(capsys.readouterr().out.encode()) == file.read_text()
