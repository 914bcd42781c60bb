"""Texts as HTML and SVG may have them.

Names come from packages and folders: they are bounded, what has no shape is spelt out, and nothing
in them is taken for markup.

Tested by ``tests/unit/pictures/test_treemap.py``, with names of all kinds.
"""

import html

from reconix.base.text import one_line

_MAX_LENGTH = 120
_CHARACTER = 6.7
"""How wide a letter of a label is, on average and a little more."""
_BESIDE = 8
"""What is left free beside a label, in all."""


def text(words: str) -> str:
    """A text within an element or an attribute."""
    shown = one_line(words)
    return html.escape(shown if len(shown) <= _MAX_LENGTH else f"{shown[: _MAX_LENGTH - 1]}…")


def room(width: float) -> int:
    """How many letters of a label fit beside each other."""
    return int((width - _BESIDE) / _CHARACTER)


def width_of(words: str) -> float:
    """How wide a label must be to have room for some words."""
    return len(words) * _CHARACTER + _BESIDE


def fitting(words: str, width: float) -> str:
    """As much of some words as fits, as a text: of a path the end."""
    most = max(room(width), 1)
    if len(words) <= most:
        return text(words)
    return text(f"…{words[1 - most :]}" if words.startswith("/") else f"{words[: most - 1]}…")


def coordinate(number: float) -> str:
    """A number with one digit behind the point."""
    return f"{number:.1f}".removesuffix(".0")
