"""What may be written where, read from the types of the schema.

``schema/`` says with dataclasses and annotations which options there are. To check a file,
make the result or print the documentation takes the same in a form that can be walked: a tree of
shapes. This is the only module that looks into type annotations.

    TableShape    a dataclass: fixed options
    NamedShape    a mapping: names chosen by the user, all values of one shape
    ListShape     a tuple: items of one shape
    ChoiceShape   a union of dataclasses with one option each: exactly one is written
    ScalarShape   everything else: a string, a number, a boolean, or what a ``Form`` makes of it
"""

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.config.options import Form, Option, Range
from reconix.config.schema.values import FilePattern, FolderPath

_KINDS = {
    bool: "true or false",
    int: "an integer",
    str: "a string",
    Path: "the path of a file",
    FolderPath: "the path of a folder",
    FilePattern: "the path of a file, * allowed",
}


@dataclass(frozen=True, slots=True)
class ScalarShape:
    """One value."""

    kind: type
    form: Form | None = None
    range: Range | None = None

    @property
    def expected(self) -> str:
        """What to write, for a message."""
        if issubclass(self.kind, enum.Enum):
            return " or ".join(f'"{member.value}"' for member in self.kind)
        if self.form or self.range:
            return (self.form or self.range).expected  # type: ignore[union-attr] # one is there
        return _KINDS[self.kind]


@dataclass(frozen=True, slots=True)
class ListShape:
    """A list; lists from several files add."""

    item: "ScalarShape | ChoiceShape"

    @property
    def expected(self) -> str:
        """What to write, for a message."""
        return f"a list; each item is {self.item.expected}"


@dataclass(frozen=True, slots=True)
class NamedShape:
    """A table whose keys are names."""

    name: ScalarShape
    item: "ScalarShape | TableShape"

    @property
    def expected(self) -> str:
        """What to write, for a message."""
        return f"a table; each key is {self.name.expected}"


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table with fixed options."""

    type: type
    options: Mapping[str, "OptionShape"]

    @property
    def expected(self) -> str:
        """What to write, for a message."""
        table = f"a table with {', '.join(self.options)}"
        return table if self.short_form is None else f"{self.short_form.expected}, or {table}"

    @property
    def short_name(self) -> str | None:
        """The option whose value may be written in place of the table."""
        for name, each in self.options.items():
            if each.option is not None and each.option.is_short_form:
                return name
        return None

    @property
    def short_form(self) -> "ScalarShape | None":
        """What may be written in place of the table."""
        shape = None if self.short_name is None else self.options[self.short_name].shape
        assert shape is None or isinstance(shape, ScalarShape), "only one value is short"
        return shape

    def current_name(self, name: str) -> str:
        """The name that an option has now; unchanged if it has had no other."""
        for current, each in self.options.items():
            if each.option is not None and name in each.option.formerly:
                return current
        return name

    @property
    def doc(self) -> str:
        """What the table is about."""
        return (self.type.__doc__ or "").strip()

    def with_options_of(self, other: "TableShape") -> "TableShape":
        """A file that may hold the options of both."""
        return TableShape(self.type, {**self.options, **other.options})


@dataclass(frozen=True, slots=True)
class ChoiceShape:
    """A table that says one of several things; the first option of each says which."""

    tables: tuple[TableShape, ...]

    @property
    def expected(self) -> str:
        """What to write, for a message."""
        keys = [next(iter(table.options)) for table in self.tables]
        return f"a table with one of {', '.join(keys)}"


Shape = ScalarShape | ListShape | NamedShape | TableShape | ChoiceShape


@dataclass(frozen=True, slots=True)
class OptionShape:
    """One option of a table."""

    shape: Shape
    option: Option | None
    """Nothing for a table: its options are described one by one."""
    default: object
    required: bool


@functools.cache
def shape_of(table: type) -> TableShape:
    """The shape of a dataclass of the schema."""
    hints = typing.get_type_hints(table, include_extras=True)
    options = {f.name: _option(f, hints[f.name]) for f in dataclasses.fields(table)}
    return TableShape(table, options)


def scalar_shape_of(annotated: object) -> ScalarShape:
    """The shape of one of the schema's annotated types, such as ``Name``."""
    return _scalar(_shape(annotated))


def _option(field: "dataclasses.Field[object]", hint: object) -> OptionShape:
    notes = _notes(hint)
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    default = None if field.default is dataclasses.MISSING else field.default
    option = next((note for note in notes if isinstance(note, Option)), None)
    return OptionShape(_shape(hint), option, default, required)


def _notes(hint: object) -> tuple[object, ...]:
    """Everything that ``Annotated`` adds to a type, from the outside to the inside."""
    if typing.get_origin(hint) is typing.Annotated:
        inner, *notes = typing.get_args(hint)
        return (*_notes(inner), *notes)
    members = _without_none(hint)
    return _notes(members[0]) if len(members) == 1 and members[0] is not hint else ()


def _without_none(hint: object) -> tuple[object, ...]:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return tuple(member for member in typing.get_args(hint) if member is not types.NoneType)
    return (hint,)


def _shape(hint: object) -> Shape:
    bare = hint
    while True:
        if typing.get_origin(bare) is typing.Annotated:
            bare = typing.get_args(bare)[0]
        elif len(_without_none(bare)) == 1 and _without_none(bare)[0] is not bare:
            bare = _without_none(bare)[0]
        else:
            break
    return _bare_shape(bare, _notes(hint))


def _bare_shape(hint: object, notes: tuple[object, ...]) -> Shape:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return ListShape(_item(_shape(arguments[0])))
    if origin is not None and issubclass(origin, Mapping):
        return NamedShape(_scalar(_shape(arguments[0])), _named_item(_shape(arguments[1])))
    if len(_without_none(hint)) > 1:
        return ChoiceShape(tuple(shape_of(_type(member)) for member in _without_none(hint)))
    kind = _type(hint)
    form = next((note for note in notes if isinstance(note, Form)), None)
    if dataclasses.is_dataclass(kind) and form is None and kind not in _KINDS:
        return shape_of(kind)
    known = form is not None or issubclass(kind, enum.Enum) or kind in _KINDS
    assert known, f"{kind.__name__} is not a type that an option can have"
    return ScalarShape(kind, form, next((n for n in notes if isinstance(n, Range)), None))


def _type(hint: object) -> type:
    assert isinstance(hint, type), f"{hint} is not a type that an option can have"
    return hint


def _scalar(shape: Shape) -> ScalarShape:
    assert isinstance(shape, ScalarShape), "names are texts"
    return shape


def _item(shape: Shape) -> ScalarShape | ChoiceShape:
    assert isinstance(shape, ScalarShape | ChoiceShape), "a list holds scalars or choices"
    return shape


def _named_item(shape: Shape) -> ScalarShape | TableShape:
    assert isinstance(shape, ScalarShape | TableShape), "a name stands for a scalar or a table"
    return shape
