"""The picture of a start."""

import re
from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from reconix.pictures.timeline import MAX_BARS, Bar, draw

SVG = "{http://www.w3.org/2000/svg}"
TEXT = st.text(max_size=200)
TIME = st.integers(0, 10**12)
GROUPS = [
    [Bar("kernel", "kernel: all of it", 0, 4_000_000)],
    [
        Bar("one.service", "one", 4_000_000, 6_000_000),
        Bar("two.target", "two", 9_000_000, 9_000_000),
    ],
]


def bars(drawn: str) -> list[dict[str, float]]:
    found = ElementTree.fromstring(drawn).iter(f"{SVG}rect")
    places = [each.attrib for each in found if "x" in each.attrib]
    return [{name: float(each[name]) for name in ("x", "y", "width")} for each in places]


def words(drawn: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(drawn).iter(f"{SVG}text")]


def test_bars_are_where_and_as_long_as_the_time_was() -> None:
    kernel, one, two = bars(draw("start", [], GROUPS))
    assert abs(kernel["x"] + kernel["width"] - one["x"]) < 0.2
    assert abs(kernel["width"] - 2 * one["width"]) < 0.2
    assert two["x"] > one["x"] + one["width"] and two["width"] > 1, "it is seen"


def test_each_bar_says_what_it_is_and_how_long_it_took() -> None:
    drawn = draw("start", ["a note"], GROUPS)
    said = words(drawn)
    assert {"kernel  4.00 s", "one.service  2.00 s", "two.target  0.00 s", "a note"} <= {*said}
    assert {"0 s", "1 s", "9 s"} <= {*said}
    places = [each["y"] for each in bars(drawn)]
    assert all(other - one >= 13 for one, other in pairwise(places)), "none is over another one"


def test_words_stay_within_the_picture() -> None:
    late = [[Bar("x" * 30, "", 9_999_000, 10_000_000), Bar("y" * 30, "", 0, 10_000_000)]]
    first, second = (
        each
        for each in ElementTree.fromstring(draw("start", [], late)).iter(f"{SVG}text")
        if "x  " in (each.text or "") or "y  " in (each.text or "")
    )
    assert first.attrib["text-anchor"] == "end"
    assert float(second.attrib["x"]) < 20


def test_a_picture_asks_for_nothing_and_is_bounded() -> None:
    many = [[Bar("a" * 300, "b" * 300, number, 10**9) for number in range(500)]]
    drawn = draw("x" * 400, [], many)
    assert len(bars(drawn)) == MAX_BARS and len(drawn.encode()) < 100_000
    assert re.findall(r"(?i)<script|href|url\(|@import|src=|on\w+=", drawn) == []
    assert re.findall(r"https?://[^\"]*", drawn) == ["http://www.w3.org/2000/svg"]


@given(title=TEXT, spans=st.lists(st.tuples(TEXT, TIME, TIME), max_size=5))
def test_no_name_and_no_time_breaks_the_document(
    title: str, spans: list[tuple[str, int, int]]
) -> None:
    found = [Bar(name, name, min(times), max(times)) for name, *times in spans]
    assert len(bars(draw(title, [title], [found]))) == len(spans)
