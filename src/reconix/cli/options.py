"""List the options: what each means, its default, and an example.

    reconix options                    one line for each
    reconix options health             a table
    reconix options users.ann.shell    one option

Within a project, the options of its own modules are included. The same is available as one document
in Markdown, or as a JSON Schema with which editors complete TOML.

Exit status: 0 success, 2 there is no such option.
"""

import argparse
import textwrap

from reconix.base.documents import JsonInput
from reconix.base.errors import UsageError
from reconix.cli import places
from reconix.cli.answers import answer, give
from reconix.config.file_kinds import Shapes, built_in_shapes, find_shapes
from reconix.config.reference import Entry, entries, print_markdown, print_schemas, select
from reconix.config.show import print_value

FILES = ("project", "machine", "system")
_WIDTH = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="an option or a table (default: all options)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print the whole manual")
    form.add_argument(
        "--json-schema", metavar="FILE", choices=FILES, help=f"for editors: {', '.join(FILES)}"
    )
    form.add_argument("--json", action="store_true", help="answer in JSON, errors too")


def run(arguments: argparse.Namespace) -> int:
    """List them."""
    shapes = _shapes(arguments)
    if arguments.markdown or arguments.json_schema:
        give(print_markdown(shapes) if arguments.markdown else _schema(shapes, arguments))
        return 0
    found = select(shapes, arguments.name) if arguments.name else list(entries(shapes))
    text = "\n\n".join(map(_paragraph, found)) if arguments.name else _list(found)
    answer(arguments, text=text, document=[_document(entry) for entry in found])
    return 0


def _shapes(arguments: argparse.Namespace) -> Shapes:
    """With the modules of the project, if we are in one."""
    try:
        return find_shapes(places.project(arguments))
    except UsageError:
        if arguments.project is not None:
            raise
        return built_in_shapes()


def _schema(shapes: Shapes, arguments: argparse.Namespace) -> bytes:
    return print_schemas(shapes)[f"{arguments.json_schema}.json"]


def _list(found: list[Entry]) -> str:
    """One line for each option, below the kind of file in which it stands."""
    width = max(len(entry.key) for entry in found)
    lines: list[str] = []
    for before, entry in zip([None, *found], found, strict=False):
        if before is None or before.file != entry.file:
            lines += ["", entry.file]
        doc = textwrap.shorten(entry.doc, _WIDTH - width - 4, placeholder=" …")
        lines.append(f"  {entry.key:{width}}  {doc}")
    return "\n".join(lines[1:])


def _paragraph(entry: Entry) -> str:
    expected = f"Takes {entry.option.shape.expected}. {entry.default}"
    sentences = (entry.doc, expected, entry.why)
    body = [line for each in sentences for line in textwrap.wrap(each, _WIDTH - 4)]
    lines = [
        f"{entry.key}  ({entry.file})",
        *(f"    {line}" for line in [*body, "", entry.example]),
    ]
    return "\n".join(line.rstrip() for line in lines)


def _document(entry: Entry) -> JsonInput:
    option = entry.option
    default = None if option.default is None else print_value(option.shape, option.default)
    return {
        "key": entry.key,
        "file": entry.file,
        "doc": entry.doc,
        "why": entry.why,
        "expected": option.shape.expected,
        "required": option.required,
        "default": default,
        "example": entry.example,
    }
