"""Translate a compose file into containers of a system.

    reconix import compose.yaml                             print them as TOML
    reconix import compose.yaml --into hosts/gw/systems/web.toml

Each service becomes a table `[containers.NAME]`. What has no counterpart on a device, or another
meaning there, is told on the standard error with its line; nothing is left out silently but what
has no effect on a device, such as labels. Docker is not needed and not asked.

Compose completes the name of an image; a configuration says it whole, so with --registry you say
what stands before a name without a registry. Values of `${NAME}` come from `.env` beside the file.
Paths in the result are relative to the file that it is written into, or else to the compose file.
docs/compose.md has a table of all options.

Exit status: 0 success, also with remarks, 2 it is no compose file, or says less than is needed.
"""

import argparse
from pathlib import Path

from reconix.base.documents import JsonInput
from reconix.base.errors import UsageError
from reconix.base.files import read_text, write_durably
from reconix.cli.answers import answer, complain
from reconix.cli.parsers import add_json
from reconix.cli.words import counted
from reconix.config.problems import Problem
from reconix.config.toml.reader import (
    MAX_FILE_BYTES,
    PLAIN,
    InvalidToml,
    RawTable,
    parse_toml,
    read_toml,
)
from reconix.containers.compose.nodes import MAX_BYTES, read_nodes
from reconix.containers.compose.service import Surroundings
from reconix.containers.compose.translate import Translated, translate
from reconix.containers.compose.variables import parse_variables

_PERMISSIONS = 0o777


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("file", metavar="FILE", type=Path, help="the compose file")
    parser.add_argument(
        "--into",
        metavar="TOML",
        type=Path,
        help="file of a system, to write them behind what is in it (default: print them)",
    )
    parser.add_argument(
        "--registry",
        metavar="HOST",
        default="",
        help="what stands before the names of images that do not say their registry",
    )
    parser.add_argument(
        "--env-file",
        metavar="FILE",
        type=Path,
        help="values of variables (default: .env beside the compose file, if it is there)",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Translate it."""
    file: Path = arguments.file
    into: Path | None = arguments.into
    folder = file.absolute().parent
    before = _before(into)
    around = Surroundings(
        folder,
        into=folder if into is None else into.resolve().parent,
        registry=arguments.registry.rstrip("/"),
    )
    found = translate(read_nodes(file), around, _variables(arguments, folder))
    found = found.without(_secrets_of(before))
    if into is not None:
        _write(into, found.text)
    _tell(arguments, found)
    return 0


def _before(into: Path | None) -> RawTable | None:
    """What stands already in the file that is to be written."""
    if into is None:
        return None
    if not into.name.endswith(PLAIN):
        raise UsageError(f"{into} is not the file of a system", hint=f"its name ends in {PLAIN}")
    if not into.parent.is_dir():
        raise UsageError(f"there is no folder {into.parent}", hint="reconix init makes a project")
    try:
        return read_toml(into) if into.exists() else None
    except InvalidToml as error:
        raise UsageError(str(error.problem), hint="correct it first") from error


def _secrets_of(before: RawTable | None) -> frozenset[str]:
    secrets = None if before is None else before.entries.get("secrets")
    return frozenset(secrets.entries) if isinstance(secrets, RawTable) else frozenset()


def _variables(arguments: argparse.Namespace, folder: Path) -> dict[str, str]:
    named: Path | None = arguments.env_file
    file = folder / ".env" if named is None else named
    if named is None and not file.is_file():
        return {}
    found = parse_variables(read_text(file, MAX_BYTES))
    return {name: value for name, value in found.items() if value is not None}


def _write(into: Path, text: str) -> None:
    """Write the tables behind what is there, if TOML lets them stand there."""
    place = into.resolve()
    before = read_text(place, MAX_FILE_BYTES) if place.exists() else ""
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    try:
        parse_toml(f"{before}{gap}{text}", into)
    except InvalidToml as error:
        raise UsageError(
            f"{into} has containers of these names already, or an inline table: {error}",
            hint="remove them there, or leave out --into and choose from what is printed",
        ) from error
    mode = place.stat().st_mode & _PERMISSIONS if place.exists() else 0o644
    write_durably(place, f"{before}{gap}{text}".encode(), mode=mode)


def _tell(arguments: argparse.Namespace, found: Translated) -> None:
    if not arguments.json:
        for remark in found.remarks:
            complain(str(remark))
    count = counted(sum(name[0] == "containers" for name in found.tables), "container")
    remarks = counted(len(found.remarks), "remark")
    into = arguments.into
    answer(
        arguments,
        text=found.text.rstrip("\n") if into is None else f"{into}: {count} added, {remarks}",
        document={"toml": found.text, "remarks": [_document(each) for each in found.remarks]},
    )


def _document(remark: Problem) -> JsonInput:
    return {
        "file": str(remark.place.file),
        "line": remark.place.line,
        "column": remark.place.column,
        "key": remark.key,
        "fact": remark.fact,
        "hint": remark.hint,
    }
