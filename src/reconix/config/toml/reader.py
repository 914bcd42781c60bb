"""TOML with a place for everything: file, line and column of each key and of each list item.

A message about a mistake is worth little without the place of the mistake, and the standard
library's parser does not tell places. So the text is read twice. ``tomllib`` decides whether it is
TOML and what it means; then a small scanner walks over the text, which is known to be valid by
then, and notes where each key begins. It has to know only where a value *ends*: strings, arrays
and inline tables; everything else ends at a comma, a bracket or the line.

A file may be *literate*: ``mqtt.toml.md`` is Markdown, and its fenced ``toml`` blocks, in order,
are the configuration. Everything else is blanked out line by line, so places stay what they are.

Source: TOML 1.0.0; CommonMark 0.31, section 4.5 (fenced code blocks).
Tested by ``tests/unit/config/toml/test_reader.py``.
"""

import bisect
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base.files import BadFile, read_text
from reconix.config.problems import Place, Problem
from reconix.config.toml.cursor import BARE_KEY, BLANK, OTHER, SPACE, STRING, Cursor

MAX_FILE_BYTES = 1 << 20
LITERATE = ".toml.md"
PLAIN = ".toml"

KeyPath = tuple[str | int, ...]
"""Keys and list indexes from the top of a document: ``("health", "checks", 0, "unit")``."""


@dataclass(frozen=True, slots=True)
class RawScalar:
    """A text, a number, a truth value; also dates and floats, which no option takes."""

    value: object
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class RawList:
    """An array, or an array of tables."""

    items: tuple["Raw", ...]
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table, whichever of its spellings was used."""

    entries: Mapping[str, "Raw"]
    place: Place = field(compare=False)


Raw = RawScalar | RawList | RawTable


class InvalidToml(Exception):
    """The text is no TOML; carries what to tell."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.fact)
        self.problem = problem


def read_toml(file: Path) -> RawTable:
    """Read a file, literate or not.

    Raises:
        InvalidToml: it cannot be read, or is no TOML.
    """
    try:
        text = read_text(file, MAX_FILE_BYTES)
    except (BadFile, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidToml(Problem(Place(file), "", f"cannot be read: {reason}")) from error
    return parse_toml(literate(text) if file.name.endswith(LITERATE) else text, file)


def parse_toml(text: str, file: Path) -> RawTable:
    """Read a text as if it stood in ``file``.

    Raises:
        InvalidToml: it is no TOML; the problem says where.
    """
    text = text.replace("\r\n", "\n")
    try:
        document = tomllib.loads(text)
        places = _Places(file, text, _Scanner(text).scan())
        entries = {key: _raw(value, (key,), places) for key, value in document.items()}
    except tomllib.TOMLDecodeError as error:
        raise InvalidToml(_problem(error, text, file)) from error
    except RecursionError as error:
        raise InvalidToml(Problem(Place(file), "", "is nested too deep")) from error
    except ValueError as error:  # Python refuses to read thousands of digits
        raise InvalidToml(Problem(Place(file), "", "has a number that is too large")) from error
    return RawTable(entries, Place(file))


def _problem(error: tomllib.TOMLDecodeError, text: str, file: Path) -> Problem:
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
    lines = text.split("\n")
    if found is None or found[2] is None:
        place = Place(file, len(lines), len(lines[-1]) + 1, lines[-1])
    else:
        line = int(found[2])
        place = Place(file, line, int(found[3]), lines[line - 1])
    message = found[1] if found else str(error)
    return Problem(place, "", f"is no TOML: {message[0].lower()}{message[1:]}")


def _raw(value: object, path: KeyPath, places: "_Places") -> Raw:
    if isinstance(value, dict):
        entries = {key: _raw(child, (*path, key), places) for key, child in value.items()}
        return RawTable(entries, places.at(path))
    if isinstance(value, list):
        items = [_raw(child, (*path, index), places) for index, child in enumerate(value)]
        return RawList(tuple(items), places.at(path))
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:  # TOML 1.0, *Integer*
        raise InvalidToml(Problem(places.at(path), "", "has a number that is too large"))
    return RawScalar(value, places.at(path))


class _Places:
    """Turns offsets into places."""

    def __init__(self, file: Path, text: str, offsets: Mapping[KeyPath, int]) -> None:
        self._file, self._offsets = file, offsets
        self._lines = text.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def at(self, path: KeyPath) -> Place:
        offset = self._offsets.get(path)
        if offset is None:
            return Place(self._file)
        line = bisect.bisect_right(self._starts, offset)
        column = offset - self._starts[line - 1] + 1
        return Place(self._file, line, column, self._lines[line - 1])


class _Scanner(Cursor):
    """Notes where keys and list items begin, in a text that is valid TOML."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._offsets: dict[KeyPath, int] = {}
        self._tables_in: dict[KeyPath, int] = {}
        """How many tables an array of tables has so far."""

    def scan(self) -> Mapping[KeyPath, int]:
        table: KeyPath = ()
        self.skip(BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self.skip(BLANK)
        return self._offsets

    def _header(self) -> KeyPath:
        begin = self.at
        double = self.text.startswith("[[", begin)
        self.at += 2 if double else 1
        path: KeyPath = ()
        for key, offset in self._keys():
            self._offsets.setdefault((*path, key), offset)
            path = self._inside((*path, key))
        self.at += 2 if double else 1
        if double:
            path = self._next_table(path)
            self._offsets[path] = begin
        return path

    def _inside(self, path: KeyPath) -> KeyPath:
        """The table that a header means: in an array of tables, its last one."""
        count = self._tables_in.get(path)
        return path if count is None else (*path, count - 1)

    def _next_table(self, path: KeyPath) -> KeyPath:
        array = path[:-1] if path and isinstance(path[-1], int) else path
        index = self._tables_in.get(array, 0)
        self._tables_in[array] = index + 1
        return (*array, index)

    def _pair(self, table: KeyPath) -> None:
        path = table
        for key, offset in self._keys():
            path = (*path, key)
            self._offsets.setdefault(path, offset)
        self.at += 1  # =
        self.skip(SPACE)
        self._value(path)

    def _keys(self) -> list[tuple[str, int]]:
        """The parts of a key with their offsets, and the space behind it."""
        keys = [self._key()]
        while self.text.startswith(".", self.at):
            self.at += 1
            keys.append(self._key())
        return keys

    def _key(self) -> tuple[str, int]:
        self.skip(SPACE)
        begin = self.at
        if self.text[begin] in "\"'":
            key = str(tomllib.loads(f"key = {self.skip(STRING)}")["key"])
        else:
            key = self.skip(BARE_KEY)
        self.skip(SPACE)
        return key, begin

    def _value(self, path: KeyPath) -> None:
        first = self.text[self.at]
        if first in "\"'":
            self.skip(STRING)
        elif first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self.skip(OTHER)

    def _array(self, path: KeyPath) -> None:
        index = 0
        self._open()
        while self.text[self.at] != "]":
            self._offsets[(*path, index)] = self.at
            self._value((*path, index))
            self._separator()
            index += 1
        self.at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._open()
        while self.text[self.at] != "}":
            self._pair(path)
            self._separator()
        self.at += 1

    def _open(self) -> None:
        self.at += 1
        self.skip(BLANK)

    def _separator(self) -> None:
        self.skip(BLANK)
        if self.text[self.at] == ",":
            self.at += 1
            self.skip(BLANK)


_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*)")


def literate(markdown: str) -> str:
    """The TOML in a Markdown text: the content of its ``toml`` blocks, all other lines empty."""
    return "\n".join(line if counts else "" for line, counts in marked(markdown))


def marked(markdown: str) -> Iterator[tuple[str, bool]]:
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
