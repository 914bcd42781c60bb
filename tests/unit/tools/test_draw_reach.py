"""The picture of what an update reaches is that of what the command told."""

from tests.project_files import ROOT
from tools.draw_reach import draw

from reconix.base.documents import Fields

TOLD, PICTURE = ROOT / "docs/reach.json", ROOT / "docs/reach.svg"


def test_the_picture_in_the_repository_is_that_of_an_answer() -> None:
    drawn = draw(Fields.parse(TOLD.read_bytes(), source=TOLD.name))
    renew = "renew it: python tools/draw_reach.py docs/reach.json docs/reach.svg"
    assert PICTURE.read_text() == drawn, renew
    assert len(drawn) < 200_000
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")
