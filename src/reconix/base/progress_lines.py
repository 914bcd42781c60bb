"""Progress as lines: plain ones for people and logs, JSON for programs.

A line says that a stage begins or has ended, and in between, now and then, how far it is. A stage
may contain others; the last one begun is the first one to end. In JSON, each line is an object with
``event``: ``begin``, ``progress``, ``end`` or ``note``.

Tested by ``tests/unit/base/test_progress_lines.py``.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from reconix.base.documents import JsonInput, show_json_line
from reconix.base.progress import Stage

EVERY_SECONDS = 2.0

Say = Callable[[str], None]


def _amount(amount: int) -> str:
    return f"{amount / (1 << 20):.1f} MiB" if amount >= 1 << 16 else str(amount)


@dataclass(slots=True)
class _Counting:
    """A stage that reports from time to time how far it is."""

    what: str
    total: int | None
    report: Callable[[str, int, int | None], None]
    every_seconds: float
    done: int = 0
    reported_at: float = field(default_factory=time.monotonic)

    def advance(self, amount: int) -> None:
        """Count what is done."""
        self.done += amount
        if time.monotonic() - self.reported_at >= self.every_seconds:
            self.reported_at = time.monotonic()
            self.report(self.what, self.done, self.total)


@dataclass(slots=True)
class Lines:
    """Progress in words, indented where a stage is part of another.

    Attributes:
        say: shows a line.
        every_seconds: how often a stage that lasts has a line.
    """

    say: Say
    every_seconds: float = EVERY_SECONDS
    _depth: int = 0

    def begin(self, what: str, total: int | None) -> Stage:
        """A stage starts."""
        self.note(f"{what} …" if total is None else f"{what} ({_amount(total)}) …")
        self._depth += 1
        return _Counting(what, total, self._progress, self.every_seconds)

    def end(self, what: str, seconds: float, *, succeeded: bool) -> None:
        """A stage has ended."""
        self._depth -= 1
        self.note(f"{what}: {'done' if succeeded else 'failed'} after {seconds:.1f} s")

    def note(self, message: str) -> None:
        """A fact worth a line."""
        self.say("  " * self._depth + message)

    def _progress(self, what: str, done: int, total: int | None) -> None:
        of = "" if total is None else f" of {_amount(total)}"
        self.note(f"{what}: {_amount(done)}{of}")


@dataclass(frozen=True, slots=True)
class JsonLines:
    """Progress as JSON, one object a line."""

    say: Say
    every_seconds: float = EVERY_SECONDS

    def begin(self, what: str, total: int | None) -> Stage:
        """A stage starts."""
        self.say(show_json_line({"event": "begin", "what": what, "total": total}))
        return _Counting(what, total, self._progress, self.every_seconds)

    def end(self, what: str, seconds: float, *, succeeded: bool) -> None:
        """A stage has ended."""
        line: dict[str, JsonInput] = {"event": "end", "what": what, "succeeded": succeeded}
        self.say(show_json_line({**line, "milliseconds": int(seconds * 1000)}))

    def note(self, message: str) -> None:
        """A fact worth a line."""
        self.say(show_json_line({"event": "note", "message": message}))

    def _progress(self, what: str, done: int, total: int | None) -> None:
        self.say(show_json_line({"event": "progress", "what": what, "done": done, "total": total}))
