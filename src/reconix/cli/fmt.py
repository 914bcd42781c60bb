"""Give the files of the configuration one layout.

    reconix fmt                    all files of the project, and what they import
    reconix fmt FILE...            these files only
    reconix fmt --check            change nothing, tell which files have another layout

Space, empty lines and the breaking of lists are decided, nothing else is touched: keys, values as
they are spelt, comments and their order stay. A list whose last item has a comma behind it keeps an
item on each line. In literate files the text around the settings stays as it is.

Exit status: 0 done, 1 with --check: a file has another layout, 2 a file is no TOML.
"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reconix.base.errors import UsageError
from reconix.base.files import read_bounded, write_durably
from reconix.cli import places
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.config.problems import BadConfiguration, Problem
from reconix.config.sources import sources
from reconix.config.toml.formatter import format_markdown, format_toml
from reconix.config.toml.reader import LITERATE, MAX_FILE_BYTES, PLAIN, InvalidToml, read_toml

_PERMISSIONS = 0o777


@dataclass(frozen=True, slots=True)
class _LaidOut:
    """A file, and what it is when it is laid out."""

    file: Path
    before: bytes
    after: bytes

    @property
    def differs(self) -> bool:
        return self.before != self.after


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument(
        "files", metavar="FILE", nargs="*", type=Path, help="which (default: all of the project)"
    )
    parser.add_argument("--check", action="store_true", help="change nothing, only tell")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Lay out."""
    files = arguments.files or sources(places.project(arguments))
    laid_out = _all(files)
    different = [each for each in laid_out if each.differs]
    if not arguments.check:
        for each in different:
            write_durably(each.file, each.after, mode=each.file.stat().st_mode & _PERMISSIONS)
    _tell(arguments, different, len(laid_out))
    return 1 if arguments.check and different else 0


def _all(files: Iterable[Path]) -> list[_LaidOut]:
    """All files laid out; nothing is written yet, so that a mistake changes nothing."""
    found: list[_LaidOut] = []
    problems: list[Problem] = []
    for file in files:
        try:
            found.append(_laid_out(file))
        except InvalidToml as error:
            problems.append(error.problem)
    if problems:
        raise BadConfiguration(problems)
    return found


def _laid_out(file: Path) -> _LaidOut:
    if not file.name.endswith((PLAIN, LITERATE)):
        endings = f"{PLAIN} or {LITERATE}"
        raise UsageError(f"{file} is no file of a configuration", hint=f"they end in {endings}")
    read_toml(file)  # a mistake is told with its place
    content = read_bounded(file.resolve(), MAX_FILE_BYTES)
    layout = format_markdown if file.name.endswith(LITERATE) else format_toml
    return _LaidOut(file.resolve(), content, layout(content.decode()).encode())


def _tell(arguments: argparse.Namespace, different: list[_LaidOut], count: int) -> None:
    names = [str(each.file) for each in different]
    word = "has another layout" if arguments.check else "laid out"
    lines = [f"{name}: {word}" for name in names]
    summary = f"{count} files, {len(different)} with another layout"
    answer(
        arguments,
        text="\n".join([*lines, summary]),
        document={"files": count, "different": [*names]},
    )
