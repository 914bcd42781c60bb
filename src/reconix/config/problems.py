"""Mistakes in a configuration: where each is, what is wrong, and what to write instead.

Whoever made three errors wants to hear of three, not of one, three times. So nothing in this
package stops at the first one: errors are collected as values and reported together, in the order
of the files.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base.errors import ReconixError

_OF_A_SECRET = re.compile(
    r"""\b(password|hashed_password|initial_password|sae_password|passphrase|psk|token|secret|value)
    \b["']?\s*=""",
    re.VERBOSE | re.IGNORECASE,
)
"""A line that sets what nobody should see, whether that is an option or not: an error is shown to
more people than a configuration, and kept in the logs of whatever builds."""
_MAX_SHOWN = 100
_MAX_LINE = 120


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something is written; line and column count from 1, line 0 means the whole file."""

    file: Path
    line: int = 0
    column: int = 0
    text: str = field(default="", compare=False)
    """The line itself."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else str(self.file)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One error or warning."""

    place: Place
    key: str
    """The option, dotted; empty if it is about the file."""
    fact: str
    hint: str = ""

    def __str__(self) -> str:
        head = f"{self.place}: {self.key + ': ' if self.key else ''}{self.fact}"
        hint = f"\n    -> {self.hint}" if self.hint else ""
        return head + self._quotation() + hint

    def _quotation(self) -> str:
        """The line, and a mark below the column."""
        text = self.place.text.replace("\t", " ")[:_MAX_LINE]
        if not text.strip() or self.place.column > len(text) or _OF_A_SECRET.search(text):
            return ""
        indent = len(text) - len(text.lstrip())
        return f"\n    {text.strip()}\n    {'^'.rjust(self.place.column - indent)}"


class BadConfiguration(ReconixError):
    """The configuration has errors: all of them, not only the first."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        shown = "\n".join(str(problem) for problem in self.problems[:_MAX_SHOWN])
        left = len(self.problems) - _MAX_SHOWN
        more = f"\nand {left} more" if left > 0 else ""
        count = f"{len(self.problems)} errors" if len(self.problems) > 1 else "an error"
        super().__init__(
            f"the configuration has {count}\n{shown}{more}",
            hint="docs/options.md lists all options with examples",
        )
