"""One format for all files of a configuration, so that there is nothing to discuss.

A team that reviews what reaches a device must see what changed, not who prefers tabs. Formatting
changes nothing but space: every key, every value as it was spelt and every comment stay, in order.

* One statement on a line, without indentation: ``key = value``; a comment after two spaces.
* At most one empty line in a row, one before each header and the comments above it, none at the
  ends.
* ``[ 1, 2 ]`` becomes ``[1, 2]``, ``{a=1}`` becomes ``{ a = 1 }``.
* A list that does not fit in ``WIDTH`` columns, that has comments in it, or that has a comma after
  its last item gets a line for each item, indented by two, with a comma after each.

Formatting twice gives the same as formatting once. In a literate file only ``toml`` blocks are
formatted; a block whose fence is indented is left alone, because it belongs to a list of Markdown.

Source: TOML 1.0.0.
Tested by ``tests/unit/config/toml/test_formatter.py``: ``tomllib`` reads the same from both.
"""

import itertools
import tomllib
from collections.abc import Sequence

from reconix.config.toml.grammar import (
    Array,
    Blank,
    Comment,
    Header,
    InlineTable,
    Key,
    Plain,
    Statement,
    Value,
    statements,
)
from reconix.config.toml.literate import marked_lines

WIDTH = 100
_INDENT = "  "


def format_toml(text: str) -> str:
    """Format a text of TOML.

    Raises:
        tomllib.TOMLDecodeError: it is not TOML.
    """
    text = text.replace("\r\n", "\n")
    before = tomllib.loads(text)
    formatted = "".join(f"{line}\n" for line in _lines(tuple(statements(text))))
    # Compared as printed, because a number may be nan. What this module does not see, it must not
    # break.
    assert repr(tomllib.loads(formatted)) == repr(before), "formatting must not change the meaning"
    return formatted


def format_markdown(markdown: str) -> str:
    """Format the ``toml`` blocks of a Markdown text."""
    lines: list[str] = []
    for is_toml, group in itertools.groupby(marked_lines(markdown), key=lambda each: each[1]):
        block = [line for line, _ in group]
        if is_toml and lines and not lines[-1].startswith(" "):
            block = _format_block(block)
        lines += block
    return "\n".join(lines)


def _format_block(lines: list[str]) -> list[str]:
    """The lines of one block; unchanged if a list begins in one block and ends in another."""
    try:
        return format_toml("\n".join(lines)).split("\n")[:-1]
    except tomllib.TOMLDecodeError:
        return lines


def _lines(found: Sequence[Statement]) -> list[str]:
    """The statements, with the right number of empty lines between them."""
    lines: list[str] = []
    for number, each in enumerate(found):
        is_blank = isinstance(each, Blank)
        if (is_blank or _begins_section(found, number)) and lines and lines[-1]:
            lines.append("")
        if not is_blank:
            lines.append(_print_statement(each))
    return lines[:-1] if lines and not lines[-1] else lines


def _begins_section(found: Sequence[Statement], number: int) -> bool:
    """Whether this is a header, or the first of the comments above one."""
    if number and isinstance(found[number - 1], Comment):
        return False
    rest = itertools.islice(found, number, None)
    return isinstance(next((each for each in rest if not isinstance(each, Comment)), None), Header)


def _print_statement(statement: Statement) -> str:
    """A line; a list may make several of it."""
    if isinstance(statement, Blank):
        return ""
    if isinstance(statement, Comment):
        return statement.text
    key = _print_key(statement.key)
    if isinstance(statement, Header):
        text = f"[[{key}]]" if statement.is_of_array else f"[{key}]"
    else:
        text = f"{key} = {_print(statement.value, '', len(key) + 3)}"
    return _with_comment(text, statement.comment)


def _with_comment(text: str, comment: str) -> str:
    return f"{text}  {comment}" if comment else text


def _print_key(key: Key) -> str:
    return ".".join(part.text for part in key)


def _print(value: Value, indent: str, used: int) -> str:
    """A value, on one line if it can be.

    Args:
        value: to print.
        indent: of the line on which it begins.
        used: how many columns of that line are taken.
    """
    flat = _flat(value)
    if flat is not None and used + len(flat) <= WIDTH:
        return flat
    if isinstance(value, Array):
        return _print_items(value, indent)
    if isinstance(value, InlineTable):
        pairs = (f"{_print_key(key)} = {_print(each, indent, used)}" for key, each in value.pairs)
        return f"{{ {', '.join(pairs)} }}"
    return value.text


def _print_items(value: Array, indent: str) -> str:
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


def _flat(value: Value) -> str | None:
    """A value on one line; nothing if it needs several."""
    if isinstance(value, Plain):
        return None if "\n" in value.text else value.text
    if isinstance(value, InlineTable):
        printed = [(key, _flat(each)) for key, each in value.pairs]
        pairs = [f"{_print_key(key)} = {text}" for key, text in printed if text is not None]
        return _enclosed("{ ", pairs, " }") if len(pairs) == len(printed) else None
    if value.is_open or any(item.comment for item in value.items):
        return None
    items = [_flat(item) for item in value.values]
    known = [text for text in items if text is not None]
    return _enclosed("[", known, "]") if len(known) == len(items) else None


def _enclosed(begin: str, parts: Sequence[str], end: str) -> str:
    return f"{begin}{', '.join(parts)}{end}" if parts else f"{begin}{end}".replace(" ", "")
