"""Check one file against the schema, and report all errors at once.

A file that was read (``toml/reader.py``) is compared with the shape of what is allowed in it
(``shapes.py``). What fits becomes a value with its place (``merge.py``), texts already turned into
what they stand for: ``"64M"`` into bytes, a path into where it leads. What does not fit becomes a
problem, and the check goes on. An option under a name that it had before still counts, and a
warning tells the new one.

Tested by ``tests/unit/config/test_schema.py`` and ``tests/unit/config/test_renamed_options.py``.
"""

import dataclasses
import difflib
import enum
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.config import construct
from reconix.config.merge import List, Priority, Scalar, Setting, Table, Value, dotted
from reconix.config.problems import Place, Problem
from reconix.config.shapes import (
    ChoiceShape,
    ListShape,
    NamedShape,
    ScalarShape,
    Shape,
    TableShape,
)
from reconix.config.toml.reader import Raw, RawList, RawScalar, RawTable

_REFUSED = {
    "password": "passwords are not supported; use authorized_keys",
    "hashed_password": "passwords are not supported; use authorized_keys",
    "initial_password": "passwords are not supported; use authorized_keys",
}
_OF_WIFI = ("password", "psk", "passphrase", "key", "sae_password")
_SECRETS = "secrets"
_NEVER_HERE = (
    "a value is never written here: put it into secrets/NAME, or see `reconix secrets --help`"
)
_PRIORITIES = {"default": Priority.DEFAULT, "force": Priority.FORCE}
_LOGIN = re.compile(r"://\S*@")
"""Name and password in an address, however misspelled: an error is shown to more people than a
configuration."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What of a file fits its shape, and what does not."""

    table: Table
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    """What still works, but was renamed."""


def check(raw: RawTable, shape: TableShape, elsewhere: Mapping[str, str] | None = None) -> Checked:
    """Compare a file with the shape that it must have.

    Args:
        raw: the file.
        shape: what is allowed in it.
        elsewhere: options that are not allowed here, such as ``a.b``, and where they belong.
    """
    checker = _Checker(shape, elsewhere or {})
    table = checker.table(raw, shape, "")
    return Checked(table, tuple(checker.problems), tuple(checker.warnings))


class _Checker:
    def __init__(self, top: TableShape, elsewhere: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._top, self._elsewhere = top, elsewhere

    def _wrong(self, raw: Raw, key: str, expected: str, hint: str = "") -> None:
        if _is_of_secrets(key) and not isinstance(raw, RawTable):
            # Whoever mistook the form may have written the value itself.
            fact = f"expected {expected}, found something else"
            self.problems.append(Problem(_unquoted(raw.place), key, fact, hint or _NEVER_HERE))
            return
        fact = f"expected {expected}, found {_shown(raw)}"
        self.problems.append(Problem(raw.place, key, fact, hint))

    def table(self, raw: RawTable, shape: TableShape, key: str) -> Table:
        entries = {}
        for written, child in raw.entries.items():
            name = self._renamed(child, written, raw, shape, key)
            if name not in shape.options:
                self._unknown(child, name, shape, key)
                continue
            value = self._value(child, shape.options[name].shape, dotted(key, name))
            if value is not None:
                entries[name] = value
        return Table(entries, raw.place)

    def _renamed(self, raw: Raw, written: str, table: RawTable, shape: TableShape, key: str) -> str:
        """The name that an option has now."""
        name = written if written in shape.options else shape.current_name(written)
        if name != written:
            fact = f"was renamed to {dotted(key, name)}"
            if name in table.entries:
                hint = "keep the new name"
                self.problems.append(
                    Problem(raw.place, dotted(key, written), f"{fact}, and both are set", hint)
                )
            else:
                hint = "use the new name; the old one will be removed"
                self.warnings.append(Problem(raw.place, dotted(key, written), fact, hint))
        return name

    def _unknown(self, raw: Raw, name: str, shape: TableShape, key: str) -> None:
        whole = dotted(key, name)
        if hint := _hint_of_a_value(whole, name):
            self.problems.append(Problem(_unquoted(raw.place), whole, "unknown option", hint))
            return
        hint = self._elsewhere.get(whole) or _nearest(name, shape, key, self._top)
        self.problems.append(Problem(raw.place, whole, "unknown option", hint))

    def _value(self, raw: Raw, shape: Shape, key: str) -> Value | None:
        if isinstance(shape, ScalarShape):
            return self._scalar(raw, shape, key)
        if isinstance(shape, ListShape):
            return self._list(raw, shape, key)
        if not isinstance(raw, RawTable):
            return self._short(raw, shape, key)
        if isinstance(shape, NamedShape):
            return self._named(raw, shape, key)
        assert isinstance(shape, TableShape), "choices occur in lists only"
        return self.table(raw, shape, key)

    def _short(self, raw: Raw, shape: Shape, key: str) -> Table | None:
        """A table of which one value is written in its place."""
        short = shape.short_form if isinstance(shape, TableShape) else None
        if short is None:
            self._wrong(raw, key, shape.expected)
            return None
        assert isinstance(shape, TableShape) and shape.short_name is not None
        return Table({shape.short_name: self._scalar(raw, short, key)}, raw.place)

    def _named(self, raw: RawTable, shape: NamedShape, key: str) -> Table:
        entries = {}
        for name, child in raw.entries.items():
            value = self._value(child, shape.item, dotted(key, name))
            try:
                read_scalar(RawScalar(name, child.place), shape.name)
            except ValueError as error:
                self.problems.append(
                    Problem(child.place, dotted(key, name), f"{name!r} is not {error}")
                )
            else:
                if value is not None:
                    entries[name] = value
        return Table(entries, raw.place)

    def _scalar(self, raw: Raw, shape: ScalarShape, key: str) -> Scalar:
        priority, inner = _with_priority(raw)
        setting = self._setting(inner, shape, key)
        return Scalar(priority, () if setting is None else (setting,))

    def _list(self, raw: Raw, shape: ListShape, key: str) -> List:
        if isinstance(raw, RawTable) and raw.entries and raw.entries.keys() <= {"add", "remove"}:
            add, remove = raw.entries.get("add"), raw.entries.get("remove")
            return List(
                Priority.DEFAULT if add is None else Priority.PLAIN,
                () if add is None else self._items(add, shape, key),
                () if remove is None else self._items(remove, shape, key),
                raw.place,
            )
        priority, inner = _with_priority(raw)
        return List(priority, self._items(inner, shape, key), (), raw.place)

    def _items(self, raw: Raw, shape: ListShape, key: str) -> tuple[Setting, ...]:
        if not isinstance(raw, RawList):
            self._wrong(raw, key, shape.expected)
            return ()
        settings = [self._item(item, shape.item, key) for item in raw.items]
        return tuple(setting for setting in settings if setting is not None)

    def _item(self, raw: Raw, shape: ScalarShape | ChoiceShape, key: str) -> Setting | None:
        if isinstance(shape, ScalarShape):
            return self._setting(raw, shape, key)
        return self._choice(raw, shape, key)

    def _setting(self, raw: Raw, shape: ScalarShape, key: str) -> Setting | None:
        try:
            return Setting(read_scalar(raw, shape), raw.place, _shown(raw))
        except ValueError as error:
            hint = "a name with dots needs quotes" if isinstance(raw, RawTable) else ""
            self._wrong(raw, key, str(error), hint)
            return None

    def _choice(self, raw: Raw, shape: ChoiceShape, key: str) -> Setting | None:
        chosen = [table for table in shape.tables if _has_key_of(raw, table)]
        if len(chosen) != 1 or not isinstance(raw, RawTable):
            self._wrong(raw, key, shape.expected)
            return None
        before = len(self.problems)
        table = self.table(raw, chosen[0], key)
        if len(self.problems) > before:
            return None
        return Setting(construct.make_complete(chosen[0], table), raw.place, _shown(raw))


def _hint_of_a_value(key: str, name: str) -> str:
    """Where a password or another secret belongs that was written under an option; or nothing."""
    if _is_of_secrets(key):
        return _NEVER_HERE
    if key.startswith("network.") and name in _OF_WIFI:
        return 'a password is never written here; set password_secret = "wifi", see [secrets]'
    return _REFUSED.get(name, "")


def _is_of_secrets(key: str) -> bool:
    return key.partition(".")[0] == _SECRETS


def _unquoted(place: Place) -> Place:
    """The place without its line: an error is shown to more people than a configuration."""
    return dataclasses.replace(place, text="")


def read_scalar(raw: Raw, shape: ScalarShape) -> object:
    """The value that was written, as its option has it.

    Raises:
        ValueError: it is something else; the text says what was expected.
    """
    value = raw.value if isinstance(raw, RawScalar) else None
    if shape.form is not None:
        return _formed(value, shape)
    if issubclass(shape.kind, enum.Enum):
        return _member(value, shape)
    if issubclass(shape.kind, Path):
        return shape.kind(_path(value, raw.place, shape.expected))
    if type(value) is not shape.kind:
        raise ValueError(shape.expected)
    if shape.range and not shape.range.least <= int(str(value)) <= shape.range.most:
        raise ValueError(shape.expected)
    return value


def _formed(value: object, shape: ScalarShape) -> object:
    assert shape.form is not None
    if isinstance(value, str) or (type(value) is int and shape.form.takes_number):
        return shape.form.read(str(value))
    raise ValueError(shape.expected)


def _member(value: object, shape: ScalarShape) -> enum.Enum:
    assert issubclass(shape.kind, enum.Enum)
    for member in shape.kind:
        if member.value == value:
            return member
    raise ValueError(shape.expected)


def _path(value: object, place: Place, expected: str) -> str:
    if not isinstance(value, str) or not value or value.startswith("/") or "\0" in value:
        raise ValueError(f"{expected}, relative to {place.file.parent}")
    return os.path.normpath(place.file.parent.absolute() / value)


def _with_priority(raw: Raw) -> tuple[Priority, Raw]:
    """Take ``{ force = value }`` and ``{ default = value }`` apart."""
    if isinstance(raw, RawTable) and len(raw.entries) == 1:
        ((key, inner),) = raw.entries.items()
        if key in _PRIORITIES:
            return _PRIORITIES[key], inner
    return Priority.PLAIN, raw


def _has_key_of(raw: Raw, table: TableShape) -> bool:
    """Whether the key that distinguishes this table from the others of its choice is there."""
    return isinstance(raw, RawTable) and next(iter(table.options)) in raw.entries


def _nearest(name: str, shape: TableShape, key: str, top: TableShape) -> str:
    """A hint for an option that does not exist."""
    near = difflib.get_close_matches(name, shape.options, n=1)
    if near:
        return f"did you mean {dotted(key, near[0])}?"
    everywhere = {option.rpartition(".")[2]: option for option in _all_options(top, "")}
    near = difflib.get_close_matches(name, everywhere, n=1, cutoff=0.75)
    if near:
        return f"did you mean {everywhere[near[0]]}?"
    return f"allowed here: {', '.join(shape.options)}"


def _all_options(shape: TableShape, key: str) -> Iterator[str]:
    for name, option in shape.options.items():
        yield dotted(key, name)
        if isinstance(option.shape, TableShape):
            yield from _all_options(option.shape, dotted(key, name))


def _shown(raw: Raw) -> str:
    """A value as TOML, shortened if it is long."""
    if isinstance(raw, RawTable):
        text = ", ".join(f"{dotted('', key)} = {_shown(v)}" for key, v in raw.entries.items())
        return f"{{ {text} }}"
    if isinstance(raw, RawList):
        return f"[{', '.join(_shown(item) for item in raw.items)}]"
    if isinstance(raw.value, str):
        return _shortened(_LOGIN.sub("://…@", raw.value))
    if isinstance(raw.value, bool | int):
        return _shortened(raw.value)
    return str(raw.value)


def _shortened(value: str | int) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f'{text[:76]}…"'
