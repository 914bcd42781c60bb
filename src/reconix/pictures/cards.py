"""Cards beside each other: each with a title, a sentence, and lines of what is in it.

A card and a line have a kind, which is a word, a mark and a colour; each of them alone says it.

The same cards give the same bytes: numbers are rounded, and nothing else is asked.

Tested by ``tests/unit/pictures/test_cards.py``.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from reconix.pictures.frame import TITLE, document
from reconix.pictures.markup import coordinate, fitting, room, text

MAX_CARDS = 16
MAX_LINES = 60
"""Of a card; more are counted."""
_WIDTH, _EDGE, _GAP, _ROW, _BAR = 1200, 10, 10, 19, 16
_COLUMNS = 3
_INSET = 14


class Kind(Enum):
    """What happens to something: a mark, and the class of its colour."""

    STOPS = ("●", "c1")
    CHANGES = ("◐", "c5")
    SAME = ("○", "c2")

    @property
    def mark(self) -> str:
        """It stands before the words."""
        return self.value[0]

    @property
    def colour(self) -> str:
        """Of its box."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing on a card.

    Attributes:
        kind: what happens to it; ``None``: it says more of the line before.
        words: what it is, and what happens to it.
    """

    kind: Kind | None
    words: str


@dataclass(frozen=True, slots=True)
class Card:
    """Things that belong together.

    Attributes:
        kind: what happens to all of it.
        title: what it is.
        told: what happens to it, in a sentence.
        lines: what it consists of.
    """

    kind: Kind
    title: str
    told: str
    lines: tuple[Line, ...] = ()


def draw(title: str, notes: Sequence[str], cards: Sequence[Card]) -> str:
    """The picture.

    Args:
        title: what it shows.
        notes: what there is to say about all cards, a line each.
        cards: the first ``MAX_CARDS`` are drawn.
    """
    shown = [_bounded(card) for card in cards[:MAX_CARDS]]
    columns = min(_COLUMNS, len(shown)) or 1
    width = (_WIDTH - 2 * _EDGE + _GAP) / columns - _GAP
    top, body = TITLE, [*_notes(notes)]
    top += _ROW * len(notes) + _GAP
    for begin in range(0, len(shown), columns):
        row = shown[begin : begin + columns]
        height = max(_height(card, width) for card in row)
        for number, card in enumerate(row):
            body += _card(card, _EDGE + number * (width + _GAP), top, width, height)
        top += height + _GAP
    left = len(cards) - len(shown)
    more = [f"and {left} more"] if left else []
    body += [f'<text x="{_EDGE}" y="{top + 12}">{text(words)}</text>' for words in more]
    return document(title, width=_WIDTH, height=top + _ROW * len(more), body=body)


def _bounded(card: Card) -> Card:
    left = len(card.lines) - MAX_LINES
    if left <= 0:
        return card
    more = Line(None, f"and {left} more")
    return Card(card.kind, card.title, card.told, (*card.lines[:MAX_LINES], more))


def _notes(notes: Sequence[str]) -> Iterator[str]:
    for number, note in enumerate(notes):
        words = fitting(note, _WIDTH)
        yield f'<text x="{_EDGE}" y="{TITLE + _ROW * number + 13}">{words}</text>'


def _sentence(card: Card, width: float) -> list[str]:
    return textwrap.wrap(card.told, room(width))


def _height(card: Card, width: float) -> int:
    return _ROW * (1 + len(_sentence(card, width)) + len(card.lines)) + _GAP


def _card(card: Card, x: float, y: int, width: float, height: int) -> Iterator[str]:
    yield f'<g class="{card.kind.colour}">'
    box = f'x="{coordinate(x)}" y="{y}" width="{coordinate(width)}" height="{height}"'
    yield f'<rect {box} fill-opacity=".35"/>'
    left = x + 6
    heading = fitting(f"{card.kind.mark} {card.title}", width)
    yield f'<text class="head" x="{coordinate(left)}" y="{y + 15}">{heading}</text>'
    at = y + 15
    for words in _sentence(card, width):
        at += _ROW
        yield f'<text x="{coordinate(left)}" y="{at}">{text(words)}</text>'
    yield "</g>"
    for line in card.lines:
        at += _ROW
        yield from _line(line, left, at, width - 2 * 6)


def _line(line: Line, x: float, y: int, width: float) -> Iterator[str]:
    if line.kind is None:
        words = fitting(line.words, width - _INSET)
        yield f"<g><title>{text(line.words)}</title>"
        yield f'<text x="{coordinate(x + _INSET + 4)}" y="{y}">{words}</text></g>'
        return
    yield f'<g class="{line.kind.colour}"><title>{text(line.words)}</title>'
    box = f'width="{coordinate(width)}" height="{_BAR}"'
    yield f'<rect x="{coordinate(x)}" y="{y - 12}" {box}/>'
    words = fitting(f"{line.kind.mark} {line.words}", width)
    yield f'<text x="{coordinate(x + 4)}" y="{y}">{words}</text></g>'
