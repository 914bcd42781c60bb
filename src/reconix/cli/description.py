"""The command line as a value, for what is generated from it: manuals and completions.

Everything is taken from the parsers themselves, so neither can drift.
"""

import argparse
from dataclasses import dataclass

from reconix.cli import commands, parsers
from reconix.device.__main__ import make_parser


@dataclass(frozen=True, slots=True)
class Option:
    """A word that begins with a dash."""

    spellings: tuple[str, ...]
    value: str  # what stands after it; "" for a switch
    choices: tuple[str, ...]
    help: str


@dataclass(frozen=True, slots=True)
class Operand:
    """A word that stands for itself."""

    name: str
    choices: tuple[str, ...]
    help: str


@dataclass(frozen=True, slots=True)
class CommandDescription:
    """All that a command accepts."""

    name: str
    manual: str
    usage: str
    options: tuple[Option, ...]
    operands: tuple[Operand, ...]

    @property
    def summary(self) -> str:
        """The first line of the manual, without its full stop."""
        return self.manual.partition("\n")[0].removesuffix(".")


def describe(name: str) -> CommandDescription:
    """Describe one command; imports its module."""
    return _described(name, commands.manual_of(name), parsers.command_parser(name))


def describe_agent() -> list[CommandDescription]:
    """Describe the commands of the agent on the device."""
    inner = [action for action in make_parser()._actions if action.dest == "command_name"]
    made = {
        parser: name  # of several, the first; the others are those of older agents
        for action in inner
        if isinstance(action.choices, dict)
        for name, parser in reversed(action.choices.items())
    }
    found = [_described(name, parser.description or "", parser) for parser, name in made.items()]
    return found[::-1]


def _described(name: str, manual: str, parser: argparse.ArgumentParser) -> CommandDescription:
    # argparse has no public way to ask for its actions.
    actions = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    return CommandDescription(
        name=name,
        manual=manual,
        usage=parser.format_usage().removeprefix("usage: ").strip(),
        options=tuple(_option(action) for action in actions if action.option_strings),
        operands=tuple(_operand(action) for action in actions if not action.option_strings),
    )


def describe_all() -> list[CommandDescription]:
    """Describe every command."""
    return [describe(name) for name in commands.available()]


def _option(action: argparse.Action) -> Option:
    return Option(
        spellings=tuple(action.option_strings),
        value="" if action.nargs == 0 else _name(action),
        choices=_choices(action),
        help=action.help or "",
    )


def _operand(action: argparse.Action) -> Operand:
    return Operand(name=_name(action), choices=_choices(action), help=action.help or "")


def _name(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else None
    return metavar or "|".join(_choices(action)) or action.dest.upper()


def _choices(action: argparse.Action) -> tuple[str, ...]:
    return tuple(str(choice) for choice in action.choices or ())
