"""JSON as we write and read it: one spelling, and fields taken out with their type checked.

Everything we write as JSON may become part of a hash, so there is one spelling: sorted keys, two
spaces, a newline at the end, no floats. What we read may come from anybody, so nothing is taken on
trust: a ``Fields`` gives each value by name and type, or an error that names document and key.

Some documents outlive the program that wrote them: a device that comes back from an update reads
what a newer agent has left. So in these *newer* is not *damaged*. A release may add keys and words;
it takes none away and gives none another meaning. A reader takes any version from its own oldest
on, keeps what it has no name for (``Fields.rest``) beside what it knows, and writes it back with it
(``docs/spec/memory.md``).

Tested by ``tests/unit/base/test_documents.py``.
"""

import json
from collections.abc import Mapping, Sequence

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.base.text import shown_in_json

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]
JsonInput = None | bool | int | str | Sequence["JsonInput"] | Mapping[str, "JsonInput"]

_MAX_DEPTH = 32


class BadDocument(ReconixError):
    """A JSON document does not have the form that it should have."""

    exit_code = 42


def print_json(value: object) -> bytes:
    """The one spelling of a JSON value.

    Args:
        value: nothing but ``None``, ``bool``, ``int``, ``str``, lists, and dicts with text keys.

    Raises:
        BadDocument: a text cannot be encoded, such as the name of a file that is not UTF-8.
    """
    try:
        return _spelled(value).encode() + b"\n"
    except UnicodeEncodeError as error:
        raise BadDocument(f"{error.object[error.start]!r} is not a character") from error


def show_json(value: JsonInput) -> str:
    """A JSON value for somebody to look at: the same, with what has no shape spelt out."""
    return shown_in_json(_spelled(value))


def show_json_line(value: JsonInput) -> str:
    """The same on one line."""
    return shown_in_json(json.dumps(value))


def _spelled(value: object) -> str:
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)


def _refuse_number(text: str) -> Json:
    raise ValueError(f"{text} is not an integer")


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def parse_json(content: bytes, *, source: str) -> Json:
    """Read one JSON value: UTF-8, integers only, no key twice, at most 32 levels deep.

    Half a surrogate pair, which JSON can spell, is refused: it could not be written again.

    Raises:
        BadDocument: it is not that; the message names ``source``.
    """
    try:
        value: Json = json.loads(
            content.decode(),
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
            object_pairs_hook=_unique,
        )
        _check(value, _MAX_DEPTH)
    except (ValueError, RecursionError) as error:
        raise BadDocument(f"{source} is not acceptable JSON: {error}") from error
    return value


def _check(value: Json, left: int) -> None:
    if left == 0:
        raise ValueError("nested too deep")
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, dict):
        for key, child in value.items():
            key.encode()
            _check(child, left - 1)
    elif isinstance(value, list):
        for child in value:
            _check(child, left - 1)


@dataclass(frozen=True, slots=True)
class Fields:
    """One JSON object from ``source``; each field is taken out with the type that it must have."""

    source: str
    values: dict[str, Json]

    @classmethod
    def parse(cls, content: bytes, *, source: str) -> "Fields":
        """Read a document whose top is an object.

        Raises:
            BadDocument: it is not such a document.
        """
        return cls.of(parse_json(content, source=source), source=source)

    @classmethod
    def of(cls, value: Json, *, source: str) -> "Fields":
        """Take a value that must be an object.

        Raises:
            BadDocument: it is something else.
        """
        if not isinstance(value, dict):
            raise BadDocument(f"{source}: expected an object, found {_kind(value)}")
        return cls(source, value)

    def names(self) -> list[str]:
        """The names of all fields, sorted."""
        return sorted(self.values)

    def has(self, key: str) -> bool:
        """Whether a field is there and is not null."""
        return self.values.get(key) is not None

    def rest(self, *known: str) -> dict[str, Json]:
        """What stands here besides the fields that the reader has a name for."""
        return {key: value for key, value in self.values.items() if key not in known}

    def version(self) -> int:
        """The version of a document that outlives its writer: 1 or newer, both can be read."""
        found = self.number("version")
        if found == 0:
            raise BadDocument(f"{self.source} has version 0, which never was")
        return found

    def expect_version(self, version: int) -> None:
        """Refuse a document of any other version.

        Raises:
            BadDocument: it has another one.
        """
        found = self.number("version")
        if found != version:
            raise BadDocument(f"{self.source} has version {found}, expected {version}")

    def text(self, key: str) -> str:
        """A field that must be a string."""
        value = self._get(key)
        if not isinstance(value, str):
            raise self._wrong(key, "a string", value)
        return value

    def number(self, key: str) -> int:
        """A field that must be an integer from 0 to 2^63 - 1."""
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
            raise self._wrong(key, "an integer from 0 to 2^63-1", value)
        return value

    def flag(self, key: str) -> bool:
        """A field that must be true or false."""
        value = self._get(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false", value)
        return value

    def texts(self, key: str) -> list[str]:
        """A field that must be a list of strings."""
        found = [item for item in self.items(key) if isinstance(item, str)]
        if len(found) != len(self.items(key)):
            raise self._wrong(key, "a list of strings", self._get(key))
        return found

    def items(self, key: str) -> list[Json]:
        """A field that must be a list."""
        value = self._get(key)
        if not isinstance(value, list):
            raise self._wrong(key, "a list", value)
        return value

    def objects(self, key: str) -> list["Fields"]:
        """A field that must be a list of objects."""
        return [
            Fields.of(item, source=f"{self.source}: {key}[{index}]")
            for index, item in enumerate(self.items(key))
        ]

    def object(self, key: str) -> "Fields":
        """A field that must be an object."""
        return Fields.of(self._get(key), source=f"{self.source}: {key}")

    def _get(self, key: str) -> Json:
        if key not in self.values:
            raise BadDocument(f"{self.source}: {key!r} is missing")
        return self.values[key]

    def _wrong(self, key: str, expected: str, value: Json) -> BadDocument:
        return BadDocument(f"{self.source}: {key!r} must be {expected}, found {_kind(value)}")


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a number", str: "a string", list: "a list"}
    return names.get(type(value), "an object")
