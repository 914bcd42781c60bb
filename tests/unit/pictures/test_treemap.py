"""The picture of sizes."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.pictures.treemap import (
    MAX_BYTES,
    MAX_GROUPS,
    MAX_TILES,
    Group,
    Tile,
    bounded,
    draw,
    picture,
)

SVG = "{http://www.w3.org/2000/svg}"


def tile(name: str, size: int) -> Tile:
    return Tile(name, f"{size} B", f"{name}: {size} bytes", size)


def group(name: str, *tiles: Tile) -> Group:
    return Group(name, "9 B", f"in {name}", tiles)


TWO = [group("all", tile("libc6", 900), tile("tool", 100)), group("web", tile("nginx", 200))]
TEXT = st.text(max_size=300)
TILES = st.builds(Tile, TEXT, TEXT, TEXT, st.integers(1, 10**12))


def rectangles(drawn: str) -> list[ElementTree.Element]:
    return [each for each in ElementTree.fromstring(drawn).iter(f"{SVG}rect") if "x" in each.attrib]


def test_each_tile_is_a_box_that_says_what_it_is() -> None:
    drawn = ElementTree.fromstring(draw("gateway: 1.2 kB", TWO))
    titles = [each.text for each in drawn.iter(f"{SVG}title")]
    assert titles == [
        "gateway: 1.2 kB",
        "libc6: 900 bytes; in all",
        "tool: 100 bytes; in all",
        "nginx: 200 bytes; in web",
    ]
    texts = [each.text for each in drawn.iter(f"{SVG}text")]
    assert texts == [
        "gateway: 1.2 kB",
        "all: 9 B",
        "libc6",
        "900 B",
        "tool",
        "100 B",
        "web: 9 B",
        "nginx",
        "200 B",
    ]


def test_boxes_of_a_group_are_as_large_as_what_they_show() -> None:
    one, other, _ = (
        float(each.attrib["width"]) * float(each.attrib["height"])
        for each in rectangles(draw("x", TWO))
    )
    assert 8.5 < one / other < 9.5, "900 and 100, but for the gaps"


def test_of_words_that_do_not_fit_the_telling_end_is_shown() -> None:
    long = [tile("/usr/share/locale/of/somewhere" * 9, 1), tile("a-long-name-of-a-package" * 9, 1)]
    drawn = ElementTree.fromstring(draw("x", [group("all", *long)]))
    path, name = (each.text or "" for each in drawn.iter(f"{SVG}text") if len(each.text or "") > 9)
    assert path.startswith("…") and path.endswith("/of/somewhere")
    assert name.startswith("a-long-name") and name.endswith("…")


def test_parts_of_a_large_tile_are_shown_in_it() -> None:
    parts = (tile("/usr/bin", 600), tile("/usr/share", 300))
    large = Tile("libc6", "900 B", "libc6", 900, parts)
    whole, one, other = rectangles(draw("x", [group("all", large)]))
    for part in (one, other):
        for at, length in (("x", "width"), ("y", "height")):
            begin, end = (
                float(part.attrib[at]),
                float(part.attrib[at]) + float(part.attrib[length]),
            )
            assert float(whole.attrib[at]) < begin
            assert end < float(whole.attrib[at]) + float(whole.attrib[length])
    titles = [
        each.text
        for each in ElementTree.fromstring(draw("x", [group("all", large)])).iter(f"{SVG}title")
    ]
    assert titles[-2:] == ["/usr/bin: 600 bytes", "/usr/share: 300 bytes"]


def test_the_same_tiles_give_the_same_bytes() -> None:
    assert draw("x", TWO) == draw("x", TWO)


def test_a_picture_asks_for_nothing() -> None:
    drawn = draw("x", TWO)
    assert re.findall(r"(?i)<script|href|url\(|@import|src=|on\w+=", drawn) == []
    assert re.findall(r"https?://[^\"]*", drawn) == ["http://www.w3.org/2000/svg"]


def test_colours_follow_the_page_and_only_repeat_what_names_say() -> None:
    drawn = draw("x", TWO)
    assert "@media(prefers-color-scheme:dark)" in drawn
    assert drawn.count('class="head"') == len(TWO)


@given(title=TEXT, tiles=st.lists(TILES, min_size=1, max_size=8))
def test_no_name_breaks_the_document(title: str, tiles: list[Tile]) -> None:
    ordered = sorted(tiles, key=lambda each: -each.size_bytes)
    drawn = draw(title, [Group(title, title, title, tuple(ordered))])
    found = ElementTree.fromstring(drawn)
    assert len(rectangles(drawn)) == len(tiles)
    assert {each.tag for each in found.iter()} <= {
        f"{SVG}{name}" for name in ("svg", "title", "style", "rect", "text", "g")
    }


@pytest.mark.parametrize("letter", ["x", "&", "\x1b", "\N{GRINNING FACE}"])
def test_many_tiles_and_long_names_are_bounded(letter: str) -> None:
    many = [
        group(f"{letter * 200}{number}", *(tile(letter * 500, 1000) for _ in range(500)))
        for number in range(40)
    ]
    found = bounded(many)
    assert len(found) == MAX_GROUPS + 1
    assert sum(len(each.tiles) for each in found) <= MAX_TILES + MAX_GROUPS + 1
    assert sum(each.size_bytes for each in found) == sum(each.size_bytes for each in many)
    drawn = picture(letter * 500, many)
    assert len(drawn.encode()) <= MAX_BYTES
    assert len(rectangles(drawn)) > 100


@given(sizes=st.lists(st.lists(st.integers(1, 99), min_size=1), min_size=1, max_size=20))
def test_what_is_put_together_has_the_size_of_its_parts(sizes: list[list[int]]) -> None:
    made = [group("x", *(tile("y", size) for size in sorted(each)[::-1])) for each in sizes]
    found = bounded(made)
    assert sum(each.size_bytes for each in found) == sum(map(sum, sizes))
    for each in found:
        assert list(each.tiles) == sorted(each.tiles, key=lambda tile: -tile.size_bytes)
