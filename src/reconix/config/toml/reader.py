"""TOML with a place for everything: file, line and column of each key and of each list item.

An error message is worth little without the place of the error, and the standard library's parser
does not give places. So the text is read twice: ``tomllib`` decides whether it is TOML and what it
means, and the walk of ``grammar.py`` finds where each key and each item begins.

A file may be *literate* (``literate.py``): its name ends in ``.toml.md``.

Source: TOML 1.0.0.
Tested by ``tests/unit/config/toml/test_reader.py``.
"""

import bisect
import dataclasses
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base.files import BadFile, read_text
from reconix.config.problems import Place, Problem
from reconix.config.toml.grammar import (
    Array,
    Assignment,
    Header,
    InlineTable,
    Key,
    Value,
    statements,
)
from reconix.config.toml.literate import toml_of

MAX_FILE_BYTES = 1 << 20
LITERATE = ".toml.md"
PLAIN = ".toml"
_SECRETS = re.compile(r"""\s*\[*\s*["']?secrets\b""")

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
    """The text is not TOML; carries the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.fact)
        self.problem = problem


def read_toml(file: Path) -> RawTable:
    """Read a file, literate or not.

    Raises:
        InvalidToml: it cannot be read, or is not TOML.
    """
    try:
        text = read_text(file, MAX_FILE_BYTES)
    except (BadFile, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidToml(Problem(Place(file), "", f"cannot be read: {reason}")) from error
    return parse_toml(toml_of(text) if file.name.endswith(LITERATE) else text, file)


def parse_toml(text: str, file: Path) -> RawTable:
    """Read a text as if it stood in ``file``.

    Raises:
        InvalidToml: it is not TOML; the problem says where.
    """
    text = text.replace("\r\n", "\n")
    try:
        document = tomllib.loads(text)
        places = _Places(file, text, _Offsets(text).by_path)
        entries = {key: _raw(value, (key,), places) for key, value in document.items()}
    except tomllib.TOMLDecodeError as error:
        raise InvalidToml(_problem(error, text, file)) from error
    except RecursionError as error:
        raise InvalidToml(Problem(Place(file), "", "is nested too deeply")) from error
    except ValueError as error:  # Python refuses to read thousands of digits
        raise InvalidToml(Problem(Place(file), "", "number too large")) from error
    return RawTable(entries, Place(file))


def _problem(error: tomllib.TOMLDecodeError, text: str, file: Path) -> Problem:
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
    lines = text.split("\n")
    if found is None or found[2] is None:
        place = Place(file, len(lines), len(lines[-1]) + 1, lines[-1])
    else:
        line = int(found[2])
        place = Place(file, line, int(found[3]), lines[line - 1])
    if _is_of_secrets(lines[: place.line]):
        place = dataclasses.replace(place, text="")  # it may be a value, which is never shown
    message = found[1] if found else str(error)
    return Problem(place, "", f"invalid TOML: {message[0].lower()}{message[1:]}")


def _is_of_secrets(lines: list[str]) -> bool:
    """Whether the last of some lines is below a header of secrets, or sets one."""
    begin = next((line for line in reversed(lines) if line.lstrip().startswith("[")), "")
    return any(_SECRETS.match(line) for line in (begin, lines[-1]))


def _raw(value: object, path: KeyPath, places: "_Places") -> Raw:
    if isinstance(value, dict):
        entries = {key: _raw(child, (*path, key), places) for key, child in value.items()}
        return RawTable(entries, places.at(path))
    if isinstance(value, list):
        items = [_raw(child, (*path, index), places) for index, child in enumerate(value)]
        return RawList(tuple(items), places.at(path))
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:  # TOML 1.0, *Integer*
        raise InvalidToml(Problem(places.at(path), "", "number too large"))
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


class _Offsets:
    """Where keys and list items begin, in a text that is valid TOML."""

    def __init__(self, text: str) -> None:
        self.by_path: dict[KeyPath, int] = {}
        self._tables_in: dict[KeyPath, int] = {}
        """How many tables an array of tables has so far."""
        table: KeyPath = ()
        for each in statements(text):
            if isinstance(each, Header):
                table = self._header(each)
            elif isinstance(each, Assignment):
                self._pair(table, each.key, each.value)

    def _header(self, header: Header) -> KeyPath:
        path: KeyPath = ()
        for part in header.key:
            path = (*path, part.name)
            self.by_path.setdefault(path, part.at)
            path = self._inside(path)
        if header.is_of_array:
            path = self._next_table(path)
            self.by_path[path] = header.at
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

    def _pair(self, path: KeyPath, key: Key, value: Value) -> None:
        for part in key:
            path = (*path, part.name)
            self.by_path.setdefault(path, part.at)
        self._value(path, value)

    def _value(self, path: KeyPath, value: Value) -> None:
        if isinstance(value, Array):
            for index, item in enumerate(value.values):
                self.by_path[(*path, index)] = item.at
                self._value((*path, index), item)
        elif isinstance(value, InlineTable):
            for key, inner in value.pairs:
                self._pair(path, key, inner)
