"""The words that ``reconix`` accepts.

The command line has three parts: options for all commands, the command, and its own words. Options
for all commands may stand on either side of the command. Only the parser of the command in use is
built.

Mistakes are raised as ``UsageError`` and shown in ``main`` like all others, with the nearest word
that would have been right.
"""

import argparse
import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from reconix.base.errors import UsageError
from reconix.cli import commands

ABOUT = "Several complete systems on one device: built, sent and switched as transactions."


class Parser(argparse.ArgumentParser):
    """A parser that raises its complaints."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise UsageError(f"{self.prog}: {message}", hint=f"see `{self.prog} --help`")


def nearest(word: str, words: Iterable[str]) -> str:
    """A hint with the word that was probably meant, or nothing."""
    close = difflib.get_close_matches(word, list(words), n=1, cutoff=0.7)
    return f"did you mean `{close[0]}`?" if close else ""


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options of all commands.

    None has a default here: an option before the command must not be undone by its absence after
    it. ``parse`` fills in what is missing.
    """
    group = parser.add_argument_group("options of all commands", argument_default=argparse.SUPPRESS)
    group.add_argument(
        "--project",
        metavar="DIR",
        type=Path,
        help="folder with reconix.toml (default: the nearest one upwards from here)",
    )
    group.add_argument(
        "--store",
        metavar="DIR",
        type=Path,
        help="folder that holds nix/store (default: reconix in the XDG data home)",
    )
    group.add_argument("-v", "--verbose", action="store_true", help="say more, also about errors")
    group.add_argument("--no-progress", action="store_true", help="do not show how far work is")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``, for commands whose answer a program may read."""
    parser.add_argument("--json", action="store_true", help="answer in JSON, errors too")


def top_parser() -> Parser:
    """The parser of what stands before the command."""
    parser = Parser(
        prog="reconix",
        usage="reconix [options] COMMAND …",
        description=ABOUT,
        epilog=_list_of_commands(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    add_common(parser)
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _list_of_commands() -> str:
    names = commands.available()
    width = max(len(name) for name in names)
    lines = [f"  {name:{width}}  {commands.summary_of(name)}" for name in names]
    return "\n".join(["commands:", *lines, "", "`reconix COMMAND --help` tells more about each."])


def command_parser(name: str) -> Parser:
    """The parser of one command's words; imports its module."""
    command = commands.load(name)
    parser = Parser(
        prog=f"reconix {name}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    add_common(parser)
    return parser


def check_command(name: str) -> None:
    """Refuse a command that does not exist.

    Raises:
        UsageError: it does not; the hint has the nearest one.
    """
    if name not in commands.available():
        hint = nearest(name, commands.available()) or "`reconix --help` lists them"
        raise UsageError(f"there is no command {name!r}", hint=hint)


def parse(name: str, words: list[str], before: argparse.Namespace) -> argparse.Namespace:
    """Read a command's words; ``before`` holds the options that stood before it.

    Raises:
        UsageError: they do not fit.
    """
    parser = command_parser(name)
    # Operands may stand on either side of an option, several of them too.
    found, extra = parser.parse_known_intermixed_args(words, _options_of_all(before))
    if extra:
        hint = nearest(extra[0].partition("=")[0], options_of(parser))
        raise UsageError(
            f"{parser.prog}: cannot use {extra[0]!r}", hint=hint or f"see `{parser.prog} --help`"
        )
    defaults = {"project": None, "store": None, "verbose": False, "no_progress": False}
    for key, value in defaults.items():
        if not hasattr(found, key):
            setattr(found, key, value)
    return found


def _options_of_all(before: argparse.Namespace) -> argparse.Namespace:
    """The options of all commands; the rest would be taken for what the command itself was told."""
    own = ("command", "words", "version")
    return argparse.Namespace(**{k: each for k, each in vars(before).items() if k not in own})


def options_of(parser: argparse.ArgumentParser) -> list[str]:
    """All spellings of all options of a parser."""
    # argparse has no public way to ask for its actions.
    return [word for action in parser._actions for word in action.option_strings]
