"""From merged values to the types of the schema.

Everything was checked where it was written, so only one kind of error is left to find here: an
option without a default that was not set.

Tested by ``tests/unit/config/test_construct.py``.
"""

from reconix.config.merge import List, Scalar, Table, Value, dotted
from reconix.config.problems import Place, Problem
from reconix.config.shapes import ListShape, NamedShape, OptionShape, Shape, TableShape


class _Missing(Exception):
    """An option without a default has no value."""


def make(
    shape: TableShape, table: Table, place: Place, key: str = ""
) -> tuple[object | None, list[Problem]]:
    """Make the dataclass of a shape; options of other shapes in the table are left alone.

    Args:
        shape: which dataclass.
        table: merged values.
        place: the file to name for options that are missing.
        key: the option that the table is.
    """
    maker = _Maker(place)
    try:
        return maker.table(shape, table, key), maker.problems
    except _Missing:
        return None, maker.problems


def make_complete(shape: TableShape, table: Table) -> object:
    """Make the dataclass of a shape from a table in which nothing can be missing."""
    return _Maker(table.place).table(shape, table, "")


class _Maker:
    def __init__(self, place: Place) -> None:
        self.problems: list[Problem] = []
        self._place = place

    def table(self, shape: TableShape, table: Table | None, key: str) -> object:
        entries = table.entries if table else {}
        values = {}
        for name, option in shape.options.items():
            try:
                values[name] = self._option(option, entries.get(name), dotted(key, name))
            except _Missing:
                continue
        if len(values) < len(shape.options):
            raise _Missing
        return shape.type(**values)

    def _option(self, option: OptionShape, value: Value | None, key: str) -> object:
        if isinstance(option.shape, TableShape):
            return self.table(option.shape, value if isinstance(value, Table) else None, key)
        if value is None and isinstance(option.shape, NamedShape):
            return {}
        if value is None and option.required:
            example = option.option.example if option.option else ""
            self.problems.append(
                Problem(self._place, key, "is missing", f"for example {key} = {example}")
            )
            raise _Missing
        if value is None:
            return option.default
        return self._value(option.shape, value, key)

    def _value(self, shape: Shape, value: Value, key: str) -> object:
        if isinstance(value, Scalar):
            if not value.settings:  # an error that was reported already
                raise _Missing
            return value.settings[0].value
        if isinstance(value, List):
            assert isinstance(shape, ListShape)
            return tuple(item.value for item in value.items)
        if isinstance(shape, TableShape):
            return self.table(shape, value, key)
        assert isinstance(shape, NamedShape)
        return self._named(shape, value, key)

    def _named(self, shape: NamedShape, table: Table, key: str) -> object:
        values = {}
        for name, child in sorted(table.entries.items()):
            try:
                values[name] = self._value(shape.item, child, dotted(key, name))
            except _Missing:
                continue
        if len(values) < len(table.entries):
            raise _Missing
        return values
