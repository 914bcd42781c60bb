"""The page that shows sizes."""

import re
from html.parser import HTMLParser

import pytest

from reconix.pictures.size_page import page
from reconix.pictures.treemap import Group, Tile, picture

HEAD = ("size", "alone", "part")


class Cells(HTMLParser):
    """Reads tables."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def table(text: str) -> list[list[str]]:
    cells = Cells()
    cells.feed(text)
    return cells.rows


def drawn(count: int, name: str) -> str:
    tiles = tuple(Tile(name, "1 B", name, 1) for _ in range(count))
    return picture("x", [Group("x", "x", "x", tiles)])


def test_the_table_says_what_the_picture_shows() -> None:
    made = page("gateway & <co>", drawn(1, "x"), HEAD, [("9 B", "1 B", "a <b>"), ("1 B", "", "c")])
    assert table(made) == [[*HEAD], ["9 B", "1 B", "a <b>"], ["1 B", "", "c"]]
    assert "<title>gateway &amp; &lt;co&gt;</title>" in made


def test_a_page_loads_nothing_and_forbids_it() -> None:
    made = page("x", drawn(3, "x"), HEAD, [("9 B", "1 B", "a")])
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'\"" in made
    assert re.findall(r"(?i)<script|<link|<img|href|url\(|@import|src=[\"']|\bon\w+=", made) == []


@pytest.mark.parametrize("name", ["libpackage-name 1.2.3-4+deb13u1", "&" * 500])
def test_the_largest_page_is_below_200_kilobytes(name: str) -> None:
    made = page(name, drawn(5000, name), HEAD, [("12.3 MiB", "12.3 MiB", name)] * 5000)
    assert len(made.encode()) < 200_000
    told = 5001 - len(table(made))
    assert told > 0
    assert f"<p>{told} smaller ones</p>" in made
