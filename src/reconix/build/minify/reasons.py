"""The reasons of a plan as a file: one line for each path of a root, so that nobody has to guess.

    + <TAB> path <TAB> by <TAB> how          stays: what leads to it, and how
    - <TAB> path <TAB> rule <TAB> reason     goes: by which rule, if it was one
    = <TAB> python <TAB> <TAB> only ours     if no Python runs there but the agent's

Lines are sorted by path. Characters that would break a line stand as in JSON.

Tested by ``tests/unit/build/minify/test_reasons.py``.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.base.files import read_bounded
from reconix.build.minify.graph import Because

_MAX_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why each path of a device stays, and why each path of its root goes that does."""

    stays: Mapping[str, Because]
    goes: Mapping[str, Because]
    """``by`` is the name of a rule; nothing if none was about it."""
    is_python_ours: bool = False
    """Whether nobody runs Python but the agent."""


_OURS = ("=", "python", "", "only ours")


def print_reasons(reasons: Reasons) -> bytes:
    """The reasons as lines."""
    both = (("+", reasons.stays), ("-", reasons.goes))
    lines = ((path, sign, each) for sign, found in both for path, each in found.items())
    rows = [(sign, *map(_escaped, (path, *each))) for path, sign, each in sorted(lines)]
    rows += [_OURS] if reasons.is_python_ours else []
    return "".join("\t".join(row) + "\n" for row in rows).encode()


def parse_reasons(content: bytes) -> Reasons:
    """Read what ``print_reasons`` wrote."""
    lines = content.decode().splitlines()
    parsed = [[_plain(field) for field in line.split("\t")] for line in lines]
    return Reasons(_with("+", parsed), _with("-", parsed), [*_OURS] in parsed)


def read_reasons(file: Path) -> Reasons:
    """The reasons in a file of the store."""
    return parse_reasons(read_bounded(file, _MAX_BYTES))


def _with(sign: str, lines: Iterable[list[str]]) -> dict[str, Because]:
    return {path: Because(by, how) for found, path, by, how in lines if found == sign}


def _escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def _plain(text: str) -> str:
    plain: str = json.loads(f'"{text}"')
    return plain
