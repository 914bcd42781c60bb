"""The statements of a text of TOML, with what ``tomllib`` drops: places, spelling, comments.

``tomllib`` decides whether a text is TOML and what it means, but not where a key is, how a value
was spelt or which comment belongs to it. So the text is walked over once more, in one place for
everything that needs any of that: ``reader.py`` takes the places, ``formatter.py`` prints the
statements again.

    Blank | Comment | Header(key) | Assignment(key, value)
    value: Plain | Array(item, …) | InlineTable((key, value), …)

The patterns are short because the text is known to be valid: they have to know where a thing ends,
not whether it is right.

Source: TOML 1.0.0.
Tested by ``tests/unit/config/toml/test_reader.py`` (places) and
``tests/unit/config/toml/test_formatter.py`` (spelling and comments).
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

_SPACE = re.compile(r"[ \t]*")
_COMMENT = re.compile(r"#[^\n]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")|'
    r"'''.*?'{3,5}(?!')|"
    r'"(?:\\.|[^"\\])*"|'
    r"'[^']*'",
    re.DOTALL,
)
_OTHER = re.compile(r"[^,\]}\n#]*")
"""A value that is neither a text nor a list nor a table; space at its end does not belong to it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a dotted key."""

    text: str
    """As it was spelt."""
    at: int
    """Where it begins, in characters from the begin of the text."""

    @property
    def name(self) -> str:
        """What it stands for, without quotes."""
        return str(tomllib.loads(f"key = {self.text}")["key"]) if self._is_quoted else self.text

    @property
    def _is_quoted(self) -> bool:
        return self.text[0] in "\"'"


Key = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Plain:
    """A value without parts, as it was spelt."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Item:
    """An item of an array, or a comment on a line of its own."""

    value: "Value | None"
    comment: str = ""
    spaced: bool = False
    """Whether an empty line precedes it."""


@dataclass(frozen=True, slots=True)
class Array:
    """Values in brackets."""

    items: tuple[Item, ...]
    is_open: bool
    """Whether a comma follows the last item."""
    at: int

    @property
    def values(self) -> "tuple[Value, ...]":
        """The items that are not comments."""
        return tuple(item.value for item in self.items if item.value is not None)


@dataclass(frozen=True, slots=True)
class InlineTable:
    """Keys and values in braces."""

    pairs: "tuple[tuple[Key, Value], ...]"
    at: int


Value = Plain | Array | InlineTable


@dataclass(frozen=True, slots=True)
class Blank:
    """An empty line."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a line of its own."""

    text: str


@dataclass(frozen=True, slots=True)
class Header:
    """``[key]``, or ``[[key]]`` of an array of tables."""

    key: Key
    is_of_array: bool
    comment: str
    at: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """``key = value``."""

    key: Key
    value: Value
    comment: str


Statement = Blank | Comment | Header | Assignment


def statements(text: str) -> Iterator[Statement]:
    """Take a text apart that is valid TOML; its lines end in a line feed alone."""
    return _Walk(f"{text}\n").statements()


class _Walk:
    """A place in a text, which moves on."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def statements(self) -> Iterator[Statement]:
        while self._skip(_SPACE) or self._next:
            if self._next == "\n":
                yield Blank()
            elif self._next == "#":
                yield Comment(self._comment())
            elif self._next == "[":
                yield self._header()
            elif self._next:
                key, value = self._pair()
                yield Assignment(key, value, self._comment())
            self._at += 1  # the end of the line

    @property
    def _next(self) -> str:
        """The character that comes next; nothing at the end."""
        return self._text[self._at : self._at + 1]

    def _skip(self, pattern: re.Pattern[str]) -> str:
        """Go past what a pattern takes, and give it."""
        found = pattern.match(self._text, self._at)
        assert found is not None, "the text is valid TOML"
        self._at = found.end()
        return found[0]

    def _comment(self) -> str:
        """A comment, if there is one on this line."""
        self._skip(_SPACE)
        return self._skip(_COMMENT).rstrip() if self._next == "#" else ""

    def _header(self) -> Header:
        begin = self._at
        width = 2 if self._text.startswith("[[", begin) else 1
        self._at += width
        key = self._key()
        self._at += width
        return Header(key, width == 2, self._comment(), begin)

    def _pair(self) -> tuple[Key, Value]:
        key = self._key()
        self._at += 1  # =
        return key, self._value()

    def _key(self) -> Key:
        parts = [self._part()]
        while self._next == ".":
            self._at += 1
            parts.append(self._part())
        return tuple(parts)

    def _part(self) -> Part:
        self._skip(_SPACE)
        begin = self._at
        text = self._skip(_STRING if self._next in "\"'" else _BARE_KEY)
        self._skip(_SPACE)
        return Part(text, begin)

    def _value(self) -> Value:
        self._skip(_SPACE)
        if self._next == "[":
            return self._array()
        if self._next == "{":
            return self._inline_table()
        begin = self._at
        return Plain(self._skip(_STRING if self._next in "\"'" else _OTHER).rstrip(), begin)

    def _inline_table(self) -> InlineTable:
        begin, pairs = self._at, []
        self._at += 1
        self._skip(_SPACE)
        while self._next != "}":
            pairs.append(self._pair())
            self._skip(_SPACE)
            self._at += self._next == ","
            self._skip(_SPACE)
        self._at += 1
        return InlineTable(tuple(pairs), begin)

    def _array(self) -> Array:
        begin, items, is_open = self._at, list[Item](), False
        lines = 0
        """How many lines have ended since the last item or comment."""
        self._at += 1
        while self._skip(_SPACE) or self._next != "]":
            if self._next == "\n":
                lines += 1
                self._at += 1
            elif self._next == ",":
                is_open = True
                self._at += 1
            elif self._next == "#":
                _add_comment(items, self._comment(), lines)
                lines = 0
            elif self._next != "]":
                items.append(Item(self._value(), spaced=lines > 1))
                lines, is_open = 0, False
        self._at += 1
        return Array(tuple(items), is_open, begin)


def _add_comment(items: list[Item], comment: str, lines: int) -> None:
    """Add a comment: to the item on its line, or on a line of its own."""
    last = items[-1] if items else None
    if last is not None and last.value is not None and not last.comment and not lines:
        items[-1] = Item(last.value, comment, last.spaced)
    else:
        items.append(Item(None, comment, lines > 1))
