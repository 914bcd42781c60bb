r"""Patterns of paths: the language of ``.gitignore`` files, to the letter.

Everybody knows it, and git itself is the oracle of the tests. A line is a pattern::

    *.pyc       a file or folder of such a name anywhere: there is no ``/`` but at its end
    /notes      with a ``/`` elsewhere it counts from the top
    build/      folders only
    **/x  x/**  x/**/y     any folders before, anything within, any folders between
    * ? [a-z] [!a-z]       not across a ``/``; a ``\`` takes the meaning of what follows
    !keep.pyc   takes back: of the patterns that match a path the last one counts

What is below a folder that is matched is not asked for: nothing takes it back. Classes such as
``[[:alpha:]]`` are not there, and a line that is no pattern is an error instead of one that never
matches.

Source: gitignore(5); git, ``wildmatch.c``.
Tested by ``tests/unit/config/test_patterns.py``, against ``git ls-files``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_ANY_FOLDERS = "(?:[^/]+/)*"
_TRAILING_SPACE = re.compile(r"(?<!\\)[ \t]+$")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line."""

    path: re.Pattern[str]
    """Matches whole paths."""
    takes_back: bool
    folders_only: bool

    @classmethod
    def parse(cls, line: str) -> "Pattern":
        """Read a line.

        Raises:
            ValueError: it is no pattern, or a comment.
        """
        text = _TRAILING_SPACE.sub("", line)
        takes_back = text.startswith("!")
        text = text.removeprefix("!")
        folders_only = text.endswith("/")
        text = text.removesuffix("/")
        if text.strip("/") == "" or text.startswith("#") or "//" in text:
            raise ValueError("a pattern")
        regex = _anchored(text.removeprefix("/")) if "/" in text else f"(?:.*/)?{_step(text)}"
        return cls(re.compile(regex, re.DOTALL), takes_back, folders_only)


class Patterns:
    """Several patterns, of which the last one that matches counts."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._last_first = [Pattern.parse(line) for line in lines][::-1]

    def match(self, path: str, *, is_folder: bool = False) -> bool:
        """Whether a path is matched, itself; nobody asks for what is below such a folder."""
        for each in self._last_first:
            if (is_folder or not each.folders_only) and each.path.fullmatch(path):
                return not each.takes_back
        return False

    def cover(self, path: str) -> bool:
        """Whether a file is matched, or a folder around it."""
        if not self._last_first:
            return False
        parts = path.split("/")
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        return any(self.match(each, is_folder=True) for each in above) or self.match(path)


def check(line: str) -> str:
    """A line that is a pattern, as it is.

    Raises:
        ValueError: it is none.
    """
    Pattern.parse(line)
    return line


def _anchored(text: str) -> str:
    *folders, last = text.split("/")
    begin = "".join(_ANY_FOLDERS if step == "**" else f"{_step(step)}/" for step in folders)
    return begin + (".+" if last == "**" else _step(last))


def _step(text: str) -> str:
    """The regular expression of a name."""
    regex, at = "", 0
    while at < len(text):
        char = text[at]
        if char == "*":
            regex += "[^/]*"
        elif char == "?":
            regex += "[^/]"
        elif char == "[":
            inner, at = _class(text, at + 1)
            regex += inner
        elif char == "\\":
            at += 1
            if at == len(text):
                raise ValueError("a pattern")
            regex += re.escape(text[at])
        else:
            regex += re.escape(char)
        at += 1
    return regex


def _class(text: str, at: int) -> tuple[str, int]:
    """The regular expression of a class of characters, and where its end is."""
    negated = text[at : at + 1] in ("!", "^")
    at += negated
    inner, begin = "", at
    while at < len(text) and (text[at] != "]" or at == begin):
        if text[at] == "[" and text[at + 1 : at + 2] == ":":
            raise ValueError("a pattern")
        at += text[at] == "\\"
        inner += (
            re.escape(text[at : at + 1])
            if text[at : at + 1] != "-" or text[at - 1] == "\\"
            else "-"
        )
        at += 1
    if at >= len(text):
        raise ValueError("a pattern")
    try:
        re.compile(f"[{inner}]")
    except re.error as error:
        raise ValueError("a pattern") from error
    return (f"(?!/)[{'^' if negated else ''}{inner}]", at)
