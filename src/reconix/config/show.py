"""What a configuration says in the end, option by option, and where it was written.

After imports, machine and system files are merged, no single file shows what holds. Here the
result is spread out again: a line of TOML for each option, with the places that it comes from, or
the word that it was not set and the default holds.

Tested by ``tests/unit/config/test_show.py``: what is shown, read again, is the same configuration.
"""

import dataclasses
import difflib
import enum
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.base.errors import UsageError
from reconix.config.merge import List, Scalar, Table, Value, dotted
from reconix.config.problems import Place
from reconix.config.shapes import (
    ChoiceShape,
    ListShape,
    NamedShape,
    OptionShape,
    ScalarShape,
    Shape,
    TableShape,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One option: what it is set to, and by whom."""

    key: str
    value: str | None
    """As TOML; nothing if the option has no value."""
    places: tuple[Place, ...]
    """Nothing: it is the default."""


def select(found: Iterable[Row], key: str) -> list[Row]:
    """The rows of an option, or of all options below a table.

    Raises:
        UsageError: there is none; the hint has the nearest key.
    """
    rows = list(found)
    chosen = [row for row in rows if row.key == key or row.key.startswith(f"{key}.")]
    if not chosen:
        near = difflib.get_close_matches(key, [row.key for row in rows], n=1)
        hint = f"did you mean {near[0]}?" if near else "`reconix options` lists all options"
        raise UsageError(f"no option or table is named {key}", hint=hint)
    return chosen


def rows(shape: TableShape, table: Table | None, key: str = "") -> Iterator[Row]:
    """Spread out merged values, defaults included, in the order of the schema."""
    entries = table.entries if table else {}
    for name, option in shape.options.items():
        yield from _rows(option, entries.get(name), dotted(key, name))


def _rows(option: OptionShape, value: Value | None, key: str) -> Iterator[Row]:
    shape = option.shape
    if isinstance(shape, TableShape):
        yield from rows(shape, value if isinstance(value, Table) else None, key)
    elif isinstance(shape, NamedShape):
        named = value.entries if isinstance(value, Table) else {}
        for name, child in sorted(named.items()):
            yield from _rows(OptionShape(shape.item, None, None, False), child, dotted(key, name))
    elif value is None:
        shown = None if option.default is None else print_value(shape, option.default)
        yield Row(key, shown, ())
    else:
        yield _row(shape, value, key)


def _row(shape: Shape, value: Value, key: str) -> Row:
    if isinstance(value, Scalar):
        first = value.settings[0]
        return Row(key, print_value(shape, first.value), (first.place,))
    assert isinstance(value, List)
    items = tuple(item.value for item in value.items)
    places = dict.fromkeys(item.place for item in value.items)
    return Row(key, print_value(shape, items), tuple(places) or (value.place,))


def print_value(shape: Shape, value: object) -> str:
    """A value as TOML."""
    if isinstance(shape, ListShape):
        assert isinstance(value, tuple)
        return f"[{', '.join(print_value(shape.item, item) for item in value)}]"
    if isinstance(shape, ScalarShape):
        return _print_scalar(shape, value)
    if isinstance(shape, ChoiceShape):
        return _print_fields(next(t for t in shape.tables if isinstance(value, t.type)), value)
    if isinstance(shape, TableShape):
        return _print_fields(shape, value)
    assert isinstance(value, Mapping)
    pairs = [f"{dotted('', name)} = {print_value(shape.item, v)}" for name, v in value.items()]
    return f"{{ {', '.join(pairs)} }}"


def _print_fields(shape: TableShape, value: object) -> str:
    assert dataclasses.is_dataclass(value)
    pairs = [
        f"{name} = {print_value(option.shape, getattr(value, name))}"
        for name, option in shape.options.items()
        if getattr(value, name) != option.default or option.required
    ]
    return f"{{ {', '.join(pairs)} }}"


def _print_scalar(shape: ScalarShape, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, enum.Enum):
        return json.dumps(value.value)
    if shape.form is not None:
        return json.dumps(shape.form.show(value), ensure_ascii=False)
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False)
    return str(value)
