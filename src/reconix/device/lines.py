"""Showing how far work is, as lines: plain ones for people and logs, JSON for programs.

A line a stage is said when it begins and when it ends, and in between at most every two seconds. In
JSON, each line is an object with ``event``: ``begin``, ``progress``, ``end`` or ``note``.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from reconix.base.documents import JsonInput, show_json_line
from reconix.base.progress import Stage

SAY_EVERY_SECONDS = 2.0

Say = Callable[[str], None]


def _amount(amount: int) -> str:
    return f"{amount / (1 << 20):.1f} MiB" if amount >= 1 << 16 else str(amount)


@dataclass(slots=True)
class _Counting:
    """A stage that says from time to time how far it is."""

    what: str
    total: int | None
    tell: Callable[[str, int, int | None], None]
    done: int = 0
    said_at: float = field(default_factory=time.monotonic)

    def advance(self, amount: int) -> None:
        """So much more is done."""
        self.done += amount
        if time.monotonic() - self.said_at >= SAY_EVERY_SECONDS:
            self.said_at = time.monotonic()
            self.tell(self.what, self.done, self.total)


@dataclass(frozen=True, slots=True)
class PlainLines:
    """Says what happens in words."""

    say: Say

    def begin(self, what: str, total: int | None) -> Stage:
        """A stage starts."""
        self.say(f"{what} …" if total is None else f"{what} ({_amount(total)}) …")
        return _Counting(what, total, self._progress)

    def end(self, what: str, seconds: float, *, succeeded: bool) -> None:
        """A stage has ended."""
        self.say(f"{what}: {'done' if succeeded else 'failed'} after {seconds:.1f} s")

    def note(self, message: str) -> None:
        """A fact worth a line."""
        self.say(message)

    def _progress(self, what: str, done: int, total: int | None) -> None:
        of = "" if total is None else f" of {_amount(total)}"
        self.say(f"{what}: {_amount(done)}{of}")


@dataclass(frozen=True, slots=True)
class JsonLines:
    """Says what happens as JSON, one object a line."""

    say: Say

    def begin(self, what: str, total: int | None) -> Stage:
        """A stage starts."""
        self.say(show_json_line({"event": "begin", "what": what, "total": total}))
        return _Counting(what, total, self._progress)

    def end(self, what: str, seconds: float, *, succeeded: bool) -> None:
        """A stage has ended."""
        line: dict[str, JsonInput] = {"event": "end", "what": what, "succeeded": succeeded}
        self.say(show_json_line({**line, "milliseconds": int(seconds * 1000)}))

    def note(self, message: str) -> None:
        """A fact worth a line."""
        self.say(show_json_line({"event": "note", "message": message}))

    def _progress(self, what: str, done: int, total: int | None) -> None:
        self.say(show_json_line({"event": "progress", "what": what, "done": done, "total": total}))
