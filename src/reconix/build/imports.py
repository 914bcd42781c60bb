"""Which of our modules a module reaches by import, itself included.

Two things depend on it. The agent goes to devices with all that it needs and nothing else. And what
an object is made by is part of its recipe: a list of modules written by hand misses one, and then a
change of that one yields an object that the old code made.

Nothing is imported: an import is a statement that begins with the word, also within a function.
To parse each module takes ten times as long, and an unchanged build does little else; so a pattern
finds them, in what is left of a module without its long texts. That it finds what Python's own
parser finds is a test, over all of our modules.

Tested by ``tests/unit/build/test_imports.py``.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from reconix.base.errors import ReconixError

SOURCE = Path(__file__).resolve().parents[2]
"""The folder that holds the package ``reconix``."""

_OURS = "reconix"

_TEXT = re.compile(rb'"""[\s\S]*?"""')
_IMPORT = re.compile(
    r"^(?:.*;)?[ \t]*"
    r"(?:from[ ]([\w][\w.]*)[ ]import[ ](\([^)]*\)|[^\n;#(]+)|import[ ]([^\n;#(]+))",
    re.MULTILINE,
)
_COMMENT = re.compile(r"#.*")


class NotOurs(ReconixError):
    """A module imports something of ours that is not there."""

    exit_code = 61


def reached(names: Iterable[str], source: Path = SOURCE) -> dict[str, Path]:
    """The files of some modules and of all of ours that they reach, by name, sorted.

    Args:
        names: with dots, as an import has them.
        source: the folder that holds the package.

    Raises:
        NotOurs: an import names a module that does not exist.
    """
    found: dict[str, Path] = {}
    waiting = [*names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        file = _file_of(name, source)
        if file is None:
            raise NotOurs(f"module {name} is imported but does not exist")
        found[name] = file
        waiting += _parents(name)
        waiting += _ours(file, source)
    return dict(sorted(found.items()))


@cache
def imported(content: bytes) -> tuple[tuple[str, str], ...]:
    """Each import of a module: its name, and what is taken from it, if anything."""
    return tuple(_imported(_TEXT.sub(b"", content).decode()))


def _imported(code: str) -> Iterator[tuple[str, str]]:
    for module, inner, plain in _IMPORT.findall(code):
        for name in _names(inner or plain):
            yield (module, name) if module else (name, "")


def _names(listed: str) -> Iterator[str]:
    """The names that an import lists, without those they get."""
    for each in _COMMENT.sub("", listed.strip("()")).split(","):
        if words := each.split():
            yield words[0]


def _file_of(name: str, source: Path) -> Path | None:
    path = f"{source}/{name.replace('.', '/')}"
    for file in (f"{path}.py", f"{path}/__init__.py"):
        if _is_file(file):
            return Path(file)
    return None


def _is_file(file: str) -> bool:
    """As ``Path.is_file``, which takes three times as long; an unchanged build asks it often."""
    try:
        return stat.S_ISREG(os.stat(file).st_mode)  # noqa: PTH116
    except OSError:
        return False


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _ours(file: Path, source: Path) -> Iterator[str]:
    for name, attribute in imported(file.read_bytes()):
        if name.split(".")[0] != _OURS:
            continue
        yield name
        # A class, a function or a constant is no module, and most of what is imported is one.
        inner = f"{name}.{attribute}"
        if attribute.islower() and _file_of(inner, source) is not None:
            yield inner
