"""Texts as HTML and SVG may have them.

Names come from packages and folders: they are bounded, what has no shape is spelt out, and nothing
in them is taken for markup.

Tested by ``tests/unit/composition/test_treemap.py``, with names of all kinds.
"""

import html

from reconix.base.text import one_line

_MAX_LENGTH = 120


def text(words: str) -> str:
    """A text within an element or an attribute."""
    shown = one_line(words)
    return html.escape(shown if len(shown) <= _MAX_LENGTH else f"{shown[: _MAX_LENGTH - 1]}…")
