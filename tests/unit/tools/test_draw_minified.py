"""The picture of what minify took is that of what the command told."""

from pathlib import Path

import pytest
from tests.project_files import ROOT
from tests.unit.cli.test_size_minify import words
from tools.draw_minified import draw

from reconix.base.documents import Fields
from reconix.cli.main import main

__all__ = ["words"]

TOLD, PICTURE = ROOT / "docs/minified.json", ROOT / "docs/minified.svg"


def test_the_picture_in_the_repository_is_that_of_the_figures() -> None:
    picture = draw(Fields.parse(TOLD.read_bytes(), source=TOLD.name))
    renew = "renew it: python tools/draw_minified.py docs/minified.json docs/minified.svg"
    assert PICTURE.read_text() == picture, renew
    assert len(picture) < 200_000
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


def test_what_is_drawn_of_the_figures_is_what_the_command_draws(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "size.svg"
    assert main([*words, "gw", "--json", "--svg", str(file)]) == 0
    told = Fields.parse(capsys.readouterr().out.encode(), source="the command")
    assert draw(told) == file.read_text()
