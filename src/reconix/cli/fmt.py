"""Format the files of the configuration.

    reconix fmt                    all files of the project, and what they import
    reconix fmt FILE...            these files only
    reconix fmt --check            change nothing, list the files that would be reformatted

Only spaces, empty lines and line breaks in lists change: keys, the spelling of values, comments and
their order stay. A list with a comma after its last item keeps one item per line. In literate files
the text around the settings is left alone.

Exit status: 0 success, 1 with --check: a file would be reformatted, 2 a file is not valid TOML.
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
from reconix.cli.words import counted
from reconix.config.problems import BadConfiguration, Problem
from reconix.config.sources import sources
from reconix.config.toml.formatter import format_markdown, format_toml
from reconix.config.toml.reader import LITERATE, MAX_FILE_BYTES, PLAIN, InvalidToml, read_toml

_PERMISSIONS = 0o777


@dataclass(frozen=True, slots=True)
class _Formatted:
    """A file before and after formatting."""

    file: Path
    before: bytes
    after: bytes

    @property
    def differs(self) -> bool:
        return self.before != self.after


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        type=Path,
        help="files to format (default: all of the project)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing, only list such files",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Format them."""
    files = arguments.files or sources(places.project(arguments))
    formatted = _all(files)
    different = [each for each in formatted if each.differs]
    if not arguments.check:
        for each in different:
            write_durably(each.file, each.after, mode=each.file.stat().st_mode & _PERMISSIONS)
    _tell(arguments, different, len(formatted))
    return 1 if arguments.check and different else 0


def _all(files: Iterable[Path]) -> list[_Formatted]:
    """All files formatted; nothing is written yet, so that an error changes nothing."""
    found: list[_Formatted] = []
    problems: list[Problem] = []
    for file in files:
        try:
            found.append(_formatted(file))
        except InvalidToml as error:
            problems.append(error.problem)
    if problems:
        raise BadConfiguration(problems)
    return found


def _formatted(file: Path) -> _Formatted:
    if not file.name.endswith((PLAIN, LITERATE)):
        endings = f"{PLAIN} or {LITERATE}"
        raise UsageError(f"{file} is not a configuration file", hint=f"names end in {endings}")
    read_toml(file)  # an error has its place
    content = read_bounded(file.resolve(), MAX_FILE_BYTES)
    format_text = format_markdown if file.name.endswith(LITERATE) else format_toml
    return _Formatted(file.resolve(), content, format_text(content.decode()).encode())


def _tell(arguments: argparse.Namespace, different: list[_Formatted], count: int) -> None:
    names = [str(each.file) for each in different]
    word = "would be reformatted" if arguments.check else "reformatted"
    lines = [f"{name}: {word}" for name in names]
    summary = f"{counted(count, 'file')}, {len(different)} {word}"
    answer(
        arguments,
        text="\n".join([*lines, summary]),
        document={"files": count, "different": [*names]},
    )
