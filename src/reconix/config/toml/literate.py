"""Configuration in Markdown: the fenced ``toml`` blocks of a text, in order, are its TOML.

A file such as ``mqtt.toml.md`` explains itself, and its settings are next to their explanation.
For a reader of TOML everything else is blanked out line by line, so places stay what they are.

Source: CommonMark 0.31, section 4.5 (fenced code blocks).
Tested by ``tests/unit/config/toml/test_literate.py``.
"""

import re
from collections.abc import Iterator

_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*)")


def toml_of(markdown: str) -> str:
    """The TOML in a Markdown text: the content of its ``toml`` blocks, all other lines empty."""
    return "\n".join(line if is_toml else "" for line, is_toml in marked_lines(markdown))


def marked_lines(markdown: str) -> Iterator[tuple[str, bool]]:
    """The lines of a Markdown text, and for each whether it is inside of a ``toml`` block."""
    fence, wanted = "", False
    for line in markdown.replace("\r\n", "\n").split("\n"):
        found = _FENCE.match(line)
        if not fence:
            if found:
                fence, wanted = found["fence"], found["language"] == "toml"
            yield line, False
        elif _closes(line, fence):
            fence = ""
            yield line, False
        else:
            yield line, wanted


def _closes(line: str, fence: str) -> bool:
    text = line.strip()
    return len(text) >= len(fence) and set(text) == {fence[0]} and not line.startswith("    ")
