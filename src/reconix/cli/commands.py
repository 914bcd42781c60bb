"""Which commands there are, and finding them without loading them.

Each command is a module of this package with the same name, behind which stands an underscore if
the name means something to Python: its docstring is the help,
``add_arguments`` says what it accepts and ``run`` does it. A module is imported only when its
command is used, because the work behind it may import much; the summaries of ``reconix --help``
are read from the source text.
"""

import argparse
import ast
import importlib
import importlib.util
import keyword
from pathlib import Path
from typing import Protocol, cast

NAMES = (
    *("init", "import", "check", "fmt", "show", "options", "diff", "lock", "build", "why", "size"),
    *("containers", "sbom", "image", "install", "run", "shell", "logs", "timeline", "cp", "keys"),
    *("secrets", "send", "publish", "deploy", "repair", "rescue", "status", "store", "prove"),
    *("doctor", "completion"),
)
"""All commands, in the order in which a user meets them."""


class Command(Protocol):
    """What a command's module has."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say which words the command accepts."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; gives the exit status."""


def available() -> tuple[str, ...]:
    """The commands whose modules are there."""
    folder = Path(__file__).parent
    return tuple(name for name in NAMES if (folder / f"{_module(name)}.py").is_file())


def load(name: str) -> Command:
    """Import a command's module."""
    return cast("Command", importlib.import_module(f"reconix.cli.{_module(name)}"))


def manual_of(name: str) -> str:
    """The docstring of a command, read from the source without running it."""
    return ast.get_docstring(ast.parse(_source(name).read_text(encoding="utf-8"))) or ""


def summary_of(name: str) -> str:
    """The first line of a command's help: the first of its source, which need not be parsed."""
    with _source(name).open(encoding="utf-8") as source:
        return source.readline().strip().strip('"')


def _source(name: str) -> Path:
    return Path(__file__).with_name(f"{_module(name)}.py")


def _module(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name
