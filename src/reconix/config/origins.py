"""Where an option was written, looked up in merged values.

A rule finds what is wrong in the result, which no longer knows any file; the merged values do.

Tested by ``tests/unit/config/rules/test_assertions.py``, in which each rule names a line.
"""

from reconix.config.merge import List, Scalar, Table, Value
from reconix.config.problems import Place


def place_of(table: Table, *keys: str, default: Place) -> Place:
    """Where an option was set, or what contains it if it was not."""
    value: Value = table
    place = default
    for key in keys:
        found = value.entries.get(key) if isinstance(value, Table) else None
        if found is None:
            return place
        value, place = found, place_of_value(found, place)
    return place


def place_of_item(table: Table, *keys: str, item: object, default: Place) -> Place:
    """Where an item of a list was written, or the default."""
    value: Value | None = table
    for key in keys:
        value = value.entries.get(key) if isinstance(value, Table) else None
    items = value.items if isinstance(value, List) else ()
    return next((each.place for each in items if each.value == item), default)


def place_of_value(value: Value, default: Place) -> Place:
    """Where a value was set, or the default if only its parts were written."""
    if isinstance(value, Scalar):
        return value.settings[-1].place if value.settings else default
    place = value.added[-1].place if isinstance(value, List) and value.added else value.place
    return place if place.line else default
