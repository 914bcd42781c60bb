"""Cards beside each other."""

import re
from itertools import combinations
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from reconix.pictures.cards import MAX_CARDS, MAX_LINES, Card, Kind, Line, draw

SVG = "{http://www.w3.org/2000/svg}"
TEXT = st.text(max_size=200)
LINES = st.builds(Line, st.sampled_from([None, *Kind]), TEXT)
CARDS = st.builds(Card, st.sampled_from(Kind), TEXT, TEXT, st.lists(LINES, max_size=4).map(tuple))


def words(drawn: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(drawn).iter(f"{SVG}text")]


def boxes(drawn: str, *, cards: bool) -> list[tuple[float, float, float, float]]:
    found = ElementTree.fromstring(drawn).iter(f"{SVG}rect")
    kept = [each.attrib for each in found if "x" in each.attrib]
    kept = [each for each in kept if ("fill-opacity" in each) is cards]
    return [
        (float(each["x"]), float(each["y"]), float(each["width"]), float(each["height"]))
        for each in kept
    ]


def test_a_card_says_what_it_is_what_happens_and_what_is_in_it() -> None:
    lines = (Line(Kind.CHANGES, "packages: changed"), Line(None, "less 1 → 2"))
    drawn = draw("an update", ["a note"], [Card(Kind.STOPS, "web", "It stops.", lines)])
    assert words(drawn) == [
        *("an update", "a note", "● web", "It stops."),
        *("◐ packages: changed", "less 1 → 2"),
    ]
    assert f'class="{Kind.STOPS.colour}"' in drawn and f'class="{Kind.CHANGES.colour}"' in drawn
    assert len({kind.mark for kind in Kind}) == len({kind.colour for kind in Kind}) == len(Kind)


def test_cards_do_not_lie_over_each_other_and_lines_are_on_theirs() -> None:
    lines = tuple(Line(Kind.SAME, f"line {number}") for number in range(3))
    drawn = draw("x", [], [Card(Kind.SAME, "y", "long words " * 30, lines)] * 5)
    height = float(ElementTree.fromstring(drawn).attrib["viewBox"].split()[3])
    cards = boxes(drawn, cards=True)
    assert len(cards) == 5
    for (x, y, width, high), (other_x, other_y, _, _) in combinations(cards, 2):
        assert x + width <= other_x + 0.2 or y + high <= other_y or other_x + width <= x + 0.2
    for x, y, width, high in boxes(drawn, cards=False):
        assert any(
            left <= x and x + width <= left + wide + 0.2 and top <= y and y + high <= top + tall
            for left, top, wide, tall in cards
        )
    assert all(y + high <= height for _, y, _, high in cards)


def test_many_cards_and_lines_are_counted_and_a_picture_asks_for_nothing() -> None:
    lines = tuple(Line(Kind.SAME, f"{number} {'&' * 300}") for number in range(100))
    drawn = draw("x", [], [Card(Kind.SAME, "y", "z", lines)] * 20)
    assert f"and {20 - MAX_CARDS} more" in words(drawn)
    assert words(drawn).count(f"and {100 - MAX_LINES} more") == MAX_CARDS
    assert re.findall(r"(?i)<script|href|url\(|@import|src=|on\w+=", drawn) == []
    assert re.findall(r"https?://[^\"]*", drawn) == ["http://www.w3.org/2000/svg"]


@given(title=TEXT, cards=st.lists(CARDS, max_size=5))
def test_no_words_break_the_document(title: str, cards: list[Card]) -> None:
    assert len(boxes(draw(title, [title], cards), cards=True)) == len(cards)
