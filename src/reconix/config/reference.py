"""The manual of the options, and schemas for editors, printed from the schema.

What an option means is said once, where it is declared. ``docs/options.md`` and the JSON Schemas in
``docs/schema`` are that, printed; a test says when they are stale, and ``ACCEPT=1`` renews them.

Source of the schemas: JSON Schema, draft 7, which editors use to complete TOML.
Tested by ``tests/unit/config/test_reference.py``.
"""

import difflib
import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconix.base.documents import JsonInput, print_json
from reconix.base.errors import UsageError
from reconix.config.file_kinds import PROJECT, Shapes
from reconix.config.merge import dotted
from reconix.config.options import Option
from reconix.config.schema.nixos import NixSystem
from reconix.config.schema.system import Imports
from reconix.config.shapes import (
    ChoiceShape,
    ListShape,
    NamedShape,
    OptionShape,
    ScalarShape,
    Shape,
    TableShape,
    shape_of,
)
from reconix.config.show import print_value

_INTRODUCTION = """\
# Options

Generated from `src/reconix/config/schema` and `src/reconix/config/services`, where each option
is declared. In a project, `reconix options` prints the same, with the options of its modules.

A system is `machine.toml` and its own file together. Tables merge. Lists are concatenated, those of
the machine first; `{ remove = [...] }` removes items, wherever they come from. A scalar that is set
twice must have the same value, unless one has another priority: `{ force = value }` overrides a
plain value, `{ default = value }` is overridden by one. Unknown keys are errors. Any file may be
literate: in `web.toml.md` the fenced `toml` blocks count.

A size is a number of bytes, or has a unit of 1024 times the one before: `"512K"`, `"64M"`, `"4G"`,
`"1T"`. A time is a number of seconds, or has a unit: `"90s"`, `"5min"`, `"2h"`.
"""


def _files(shapes: Shapes) -> Iterator[tuple[str, TableShape]]:
    """Each kind of file, and the options that it may have."""
    yield "`reconix.toml`", PROJECT
    yield "`hosts/<host>/machine.toml`", shapes.machine
    yield "`machine.toml` and `systems/<name>.toml`", shapes.system
    yield "`systems/<name>.toml` of a system that Nix built", shape_of(NixSystem)
    yield "Any file below `hosts/`", shape_of(Imports)


@dataclass(frozen=True, slots=True)
class Entry:
    """One option, as a reader of the manual meets it."""

    key: str
    """With ``<name>`` where the user chooses a name."""
    file: str
    """In which kind of file it is set."""
    option: OptionShape

    @property
    def doc(self) -> str:
        """What it is for."""
        assert self.option.option is not None
        return self.option.option.doc

    @property
    def why(self) -> str:
        """The reason to set it, as a sentence; nothing if the module does not say."""
        assert self.option.option is not None
        return _why(self.option.option)

    @property
    def default(self) -> str:
        """What holds if it is not set, as a sentence."""
        return _default(self.option).replace("`", "")

    @property
    def example(self) -> str:
        """A line of TOML."""
        assert self.option.option is not None
        return f"{self.key} = {self.option.option.example}"

    def is_called(self, name: str) -> bool:
        """Whether a user who says ``name`` means this, or a table that holds this."""
        asked, own = name.split("."), self.key.split(".")
        return len(asked) <= len(own) and all(
            one in (other, "<name>") or other == "<name>"
            for one, other in zip(asked, own, strict=False)
        )


def entries(shapes: Shapes) -> Iterator[Entry]:
    """Every option there is, in the order of the manual."""
    for title, shape in _files(shapes):
        for key, option in _options(shape, ""):
            yield Entry(key, title.replace("`", ""), option)


def _options(shape: TableShape, key: str) -> Iterator[tuple[str, OptionShape]]:
    for name, option in shape.options.items():
        if option.option is not None:
            yield dotted(key, name), option
        table, inner = _inner(option.shape, dotted(key, name))
        if table is not None:
            yield from _options(table, inner)


def select(shapes: Shapes, name: str) -> list[Entry]:
    """The options that a user means.

    Raises:
        UsageError: there are none; the hint has the nearest.
    """
    known = list(entries(shapes))
    found = [entry for entry in known if entry.is_called(name)]
    if not found:
        near = difflib.get_close_matches(name, [entry.key for entry in known], n=1)
        hint = f"did you mean {near[0]}?" if near else "`reconix options` lists all options"
        raise UsageError(f"unknown option {name}", hint=hint)
    return found


def print_markdown(shapes: Shapes) -> bytes:
    """``docs/options.md``, and the same for the modules of a project."""
    parts = [_INTRODUCTION]
    for title, shape in _files(shapes):
        parts.append(f"## {title}\n\n{_first_paragraph(shape)}\n")
        parts += _sections(shape, "")
    return "\n".join(parts).encode()


def _first_paragraph(shape: TableShape) -> str:
    return " ".join(shape.doc.partition("\n\n")[0].split())


def _sections(shape: TableShape, key: str) -> Iterator[str]:
    """A paragraph for each option, and a section for each table."""
    for name, option in shape.options.items():
        if option.option is not None:
            yield _paragraph(dotted(key, name), option)
    for name, option in shape.options.items():
        table, inner = _inner(option.shape, dotted(key, name))
        if table is not None:
            yield f"### `[{inner}]`\n\n{_first_paragraph(table)}\n"
            yield from _sections(table, inner)


def _inner(shape: Shape, key: str) -> tuple[TableShape | None, str]:
    """The table that an option holds, and how its options are addressed."""
    if isinstance(shape, TableShape):
        return shape, key
    if isinstance(shape, NamedShape) and isinstance(shape.item, TableShape):
        return shape.item, f"{key}.<name>"
    return None, key


def _paragraph(key: str, option: OptionShape) -> str:
    assert option.option is not None
    why = _why(option.option)
    return (
        f"**`{key}`**: {option.option.doc}\n"
        f"Takes {option.shape.expected}. {_default(option)}{why and f' {why}'}\n\n"
        f"    {key} = {option.option.example}\n"
    )


def _why(option: Option) -> str:
    return f"Set it {option.why}." if option.why else ""


def _default(option: OptionShape) -> str:
    if option.required:
        return "Must be set."
    if option.default is None or option.default == ():
        return "Not set by default."
    return f"Default: `{print_value(option.shape, option.default)}`."


def print_schemas(shapes: Shapes) -> Mapping[str, bytes]:
    """The JSON Schemas by file name: one for each kind of file."""
    return {
        "project.json": _print_schema(PROJECT, "reconix.toml"),
        "machine.json": _print_schema(shapes.machine_file, "machine.toml"),
        "system.json": _print_schema(shapes.system_file, "systems/<name>.toml"),
    }


def _print_schema(shape: TableShape, title: str) -> bytes:
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": title}
    return print_json({**head, **_table(shape)})


_Schema = dict[str, JsonInput]


def _schema(shape: Shape) -> _Schema:
    if isinstance(shape, TableShape):
        short = shape.short_form
        table = _table(shape)
        return table if short is None else {"anyOf": [_with_priority(_scalar(short)), table]}
    if isinstance(shape, NamedShape):
        names: _Schema = {"pattern": f"^({shape.name.form.pattern})$"} if shape.name.form else {}
        inner = _schema(shape.item)
        values = inner if isinstance(shape.item, TableShape) else _with_priority(inner)
        return {"type": "object", "propertyNames": names, "additionalProperties": values}
    if isinstance(shape, ListShape):
        return _list(shape)
    if isinstance(shape, ChoiceShape):
        return {"oneOf": [_plain_table(table) for table in shape.tables]}
    return _with_priority(_scalar(shape))


def _table(shape: TableShape) -> _Schema:
    properties: _Schema = {}
    for name, option in shape.options.items():
        doc = _hover(option.option) if option.option else _inner_doc(option.shape)
        properties[name] = {"description": doc, **_schema(option.shape)}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _hover(option: Option) -> str:
    """What an editor shows beside the option."""
    return " ".join(filter(None, (option.doc, _why(option))))


def _inner_doc(shape: Shape) -> str:
    return _first_paragraph(shape) if isinstance(shape, TableShape) else shape.expected


def _plain_table(shape: TableShape) -> _Schema:
    """A table that is an item of a list: nothing in it is merged."""
    properties: _Schema = {}
    for name, option in shape.options.items():
        if isinstance(option.shape, ScalarShape):
            properties[name] = _scalar(option.shape)
        elif isinstance(option.shape, ListShape):
            properties[name] = _items(option.shape)
    required: list[JsonInput] = [name for name, option in shape.options.items() if option.required]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _items(shape: ListShape) -> _Schema:
    item = shape.item
    return {
        "type": "array",
        "items": _scalar(item) if isinstance(item, ScalarShape) else _schema(item),
    }


def _list(shape: ListShape) -> _Schema:
    items = _items(shape)
    return {
        "anyOf": [
            items,
            _object({"add": items, "remove": items}),
            _object({"force": items}),
            _object({"default": items}),
        ]
    }


def _with_priority(value: _Schema) -> _Schema:
    return {"anyOf": [value, _object({"force": value}), _object({"default": value})]}


def _object(properties: _Schema) -> _Schema:
    return {
        "type": "object",
        "properties": properties,
        "minProperties": 1,
        "additionalProperties": False,
    }


def _scalar(shape: ScalarShape) -> _Schema:
    if issubclass(shape.kind, enum.Enum):
        return {"enum": [str(member.value) for member in shape.kind]}
    if shape.form is not None:
        text: _Schema = {"type": "string", "pattern": f"^({shape.form.pattern})$"}
        return {"anyOf": [text, {"type": "integer"}]} if shape.form.takes_number else text
    if shape.range is not None:
        return {"type": "integer", "minimum": shape.range.least, "maximum": shape.range.most}
    return {"type": {bool: "boolean", int: "integer"}.get(shape.kind, "string")}
