"""One layout for all files of a configuration, so that nobody has to think about it.

A team that reviews what reaches a device must see what changed, not who likes tabs. ``tidy`` gives
a text its layout and changes nothing else: every key, every value as it was spelt, every comment,
in their order.

* One statement on a line, without indentation: ``key = value``; a comment after two spaces.
* At most one empty line in a row, one before each header and the comments that stand on it, none at
  the ends.
* ``[ 1, 2 ]`` becomes ``[1, 2]``, ``{a=1}`` becomes ``{ a = 1 }``.
* A list that does not fit in ``WIDTH`` columns, that has comments in it, or whose last item has a
  comma behind it stands with an item on each line, indented by two, a comma behind each.

The result, laid out again, is the same. In a literate file only ``toml`` blocks are laid out, those
whose fence is indented are left alone, because they are part of a list of Markdown's.

Source: TOML 1.0.0.
Tested by ``tests/unit/config/toml/test_formatter.py``: ``tomllib`` reads the same from both.
"""

import enum
import itertools
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconix.config.toml.cursor import BARE_KEY, COMMENT, OTHER, SPACE, STRING, Cursor
from reconix.config.toml.reader import marked

WIDTH = 100
_INDENT = "  "


# --- what was written -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plain:
    """A value without parts, as it was spelt."""

    text: str


@dataclass(frozen=True, slots=True)
class _Item:
    """An item of a list, or a comment on a line of its own."""

    value: "_Value | None"
    comment: str = ""
    spaced: bool = False
    """Whether an empty line stands before it."""


@dataclass(frozen=True, slots=True)
class _List:
    items: tuple[_Item, ...]
    is_open: bool
    """Whether a comma stands behind the last item."""


@dataclass(frozen=True, slots=True)
class _Table:
    pairs: tuple[tuple[str, "_Value"], ...]


_Value = _Plain | _List | _Table


class _Kind(enum.Enum):
    EMPTY = enum.auto()
    COMMENT = enum.auto()
    HEADER = enum.auto()
    PAIR = enum.auto()


@dataclass(frozen=True, slots=True)
class _Statement:
    """A line of the result; a list may make several of it."""

    kind: _Kind
    text: str = ""


class _Reader(Cursor):
    """Takes a text apart that is valid TOML."""

    def statements(self) -> Iterator[_Statement]:
        while self.skip(SPACE) or self.next:
            if self.next == "\n":
                yield _Statement(_Kind.EMPTY)
            elif self.next == "#":
                yield _Statement(_Kind.COMMENT, self._comment())
            elif self.next:
                kind = _Kind.HEADER if self.next == "[" else _Kind.PAIR
                text = self._header() if kind is _Kind.HEADER else self._pair()
                yield _Statement(kind, _with_comment(text, self._comment()))
            self.at += 1  # the end of the line

    def _comment(self) -> str:
        """A comment, if there is one on this line."""
        self.skip(SPACE)
        return self.skip(COMMENT).rstrip() if self.next == "#" else ""

    def _header(self) -> str:
        double = self.text.startswith("[[", self.at)
        self.at += 2 if double else 1
        key = self._key()
        self.at += 2 if double else 1
        return f"[[{key}]]" if double else f"[{key}]"

    def _pair(self) -> str:
        key, value = self._key_and_value()
        return f"{key} = {_print(value, '', len(key) + 3)}"

    def _key_and_value(self) -> tuple[str, _Value]:
        key = self._key()
        self.at += 1  # =
        return key, self._value()

    def _key(self) -> str:
        parts = [self._part()]
        while self.next == ".":
            self.at += 1
            parts.append(self._part())
        return ".".join(parts)

    def _part(self) -> str:
        self.skip(SPACE)
        part = self.skip(STRING if self.next in "\"'" else BARE_KEY)
        self.skip(SPACE)
        return part

    def _value(self) -> _Value:
        self.skip(SPACE)
        if self.next == "[":
            return self._list()
        if self.next == "{":
            return self._table()
        return _Plain(self.skip(STRING if self.next in "\"'" else OTHER).rstrip())

    def _table(self) -> _Table:
        pairs = []
        self.at += 1
        self.skip(SPACE)
        while self.next != "}":
            pairs.append(self._key_and_value())
            self.skip(SPACE)
            self.at += self.next == ","
            self.skip(SPACE)
        self.at += 1
        return _Table(tuple(pairs))

    def _list(self) -> _List:
        items: list[_Item] = []
        is_open = False
        lines = 0
        """How many lines have ended since the last item or comment."""
        self.at += 1
        while self.skip(SPACE) or self.next != "]":
            if self.next == "\n":
                lines += 1
                self.at += 1
            elif self.next == ",":
                is_open = True
                self.at += 1
            elif self.next == "#":
                _add_comment(items, self._comment(), lines)
                lines = 0
            elif self.next != "]":
                items.append(_Item(self._value(), spaced=lines > 1))
                lines, is_open = 0, False
        self.at += 1
        return _List(tuple(items), is_open)


def _add_comment(items: list[_Item], comment: str, lines: int) -> None:
    """Add a comment: to the item on its line, or on a line of its own."""
    last = items[-1] if items else None
    if last is not None and last.value is not None and not last.comment and not lines:
        items[-1] = _Item(last.value, comment, last.spaced)
    else:
        items.append(_Item(None, comment, lines > 1))


# --- how it is laid out ---------------------------------------------------------------------------


def _with_comment(text: str, comment: str) -> str:
    return f"{text}  {comment}" if comment else text


def _print(value: _Value, indent: str, used: int) -> str:
    """A value, on one line if it can be.

    Args:
        value: to print.
        indent: of the line on which it begins.
        used: how many columns of that line are taken.
    """
    flat = _flat(value)
    if flat is not None and used + len(flat) <= WIDTH:
        return flat
    if isinstance(value, _List):
        return _print_items(value, indent)
    if isinstance(value, _Table):
        pairs = (f"{key} = {_print(each, indent, used)}" for key, each in value.pairs)
        return f"{{ {', '.join(pairs)} }}"
    return value.text


def _print_items(value: _List, indent: str) -> str:
    inner = indent + _INDENT
    lines = []
    for number, item in enumerate(value.items):
        lines += [""] if item.spaced and number else []
        if item.value is None:
            lines.append(f"{inner}{item.comment}")
        else:
            text = f"{_print(item.value, inner, len(inner) + 1)},"
            lines.append(f"{inner}{_with_comment(text, item.comment)}")
    return "\n".join(["[", *lines, f"{indent}]"])


def _flat(value: _Value) -> str | None:
    """A value on one line; nothing if it needs several."""
    if isinstance(value, _Plain):
        return None if "\n" in value.text else value.text
    if isinstance(value, _Table):
        printed = [(key, _flat(each)) for key, each in value.pairs]
        pairs = [f"{key} = {text}" for key, text in printed if text is not None]
        return _enclosed("{ ", pairs, " }") if len(pairs) == len(printed) else None
    if value.is_open or any(item.comment for item in value.items):
        return None
    items = [_flat(item.value) for item in value.items if item.value is not None]
    known = [text for text in items if text is not None]
    return _enclosed("[", known, "]") if len(known) == len(items) else None


def _enclosed(begin: str, parts: Sequence[str], end: str) -> str:
    return f"{begin}{', '.join(parts)}{end}" if parts else f"{begin}{end}".replace(" ", "")


def tidy(text: str) -> str:
    """Give a text of TOML its layout.

    Raises:
        tomllib.TOMLDecodeError: it is no TOML.
    """
    text = text.replace("\r\n", "\n")
    before = tomllib.loads(text)
    lines = _spaced(list(_Reader(f"{text}\n").statements()))
    laid_out = "".join(f"{line}\n" for line in lines)
    # Compared as printed, because a number may be nan. What this module does not see, it must not
    # break.
    assert repr(tomllib.loads(laid_out)) == repr(before), "a layout must not change the meaning"
    return laid_out


def _spaced(statements: Sequence[_Statement]) -> list[str]:
    """The lines with the right number of empty ones between them."""
    lines: list[str] = []
    for number, each in enumerate(statements):
        wanted = each.kind is _Kind.EMPTY or _begins_section(statements, number)
        if wanted and lines and lines[-1]:
            lines.append("")
        if each.kind is not _Kind.EMPTY:
            lines.append(each.text)
    return lines[:-1] if lines and not lines[-1] else lines


def _begins_section(statements: Sequence[_Statement], number: int) -> bool:
    """Whether a header stands here, or the first of the comments that stand on one."""
    if number and statements[number - 1].kind is _Kind.COMMENT:
        return False
    rest = itertools.islice(statements, number, None)
    first = next((each for each in rest if each.kind is not _Kind.COMMENT), None)
    return first is not None and first.kind is _Kind.HEADER


def tidy_literate(markdown: str) -> str:
    """Give the ``toml`` blocks of a Markdown text their layout."""
    lines: list[str] = []
    for counts, group in itertools.groupby(marked(markdown), key=lambda each: each[1]):
        block = [line for line, _ in group]
        if counts and lines and not lines[-1].startswith(" "):
            block = _tidy_block(block)
        lines += block
    return "\n".join(lines)


def _tidy_block(lines: list[str]) -> list[str]:
    """The lines of one block; as they are, if a list begins in one block and ends in another."""
    try:
        return tidy("\n".join(lines)).split("\n")[:-1]
    except tomllib.TOMLDecodeError:
        return lines
