"""The picture of a start is that of what the command told."""

import json

from tests.project_files import ROOT
from tools.draw_start import picture

TOLD, PICTURE = ROOT / "docs/start.json", ROOT / "docs/start.svg"


def test_the_picture_in_the_repository_is_that_of_a_start() -> None:
    drawn = picture(json.loads(TOLD.read_bytes()))
    renew = "renew it: python tools/draw_start.py docs/start.json docs/start.svg"
    assert PICTURE.read_text() == drawn, renew
    assert len(drawn) < 200_000
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")
