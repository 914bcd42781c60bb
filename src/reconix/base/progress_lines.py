"""Progress as lines: plain ones for people and logs, JSON for programs.

A line says that a stage begins or has ended, and in between, now and then, how far it is. A stage
may contain others; the last one begun is the first one to end. In JSON, each line is an object with
``event``: ``begin``, ``progress``, ``end`` or ``note``.

Tested by ``tests/unit/base/test_progress_lines.py``.
"""

import time
from collections.abc import Callable

from reconix.base.documents import JsonInput, show_json_line
from reconix.base.progress import Stage
from reconix.base.records import dataclass, field

EVERY_SECONDS = 2.0

Say = Callable[[str], None]


FEWEST_BYTES = 1 << 16
"""A total from here on is one of bytes; nothing else that we count is so large."""


def how_far(done: int, total: int | None, seconds: float) -> str:
    """How far a stage is: amount, and of bytes rate and time left; empty if nobody knows."""
    if not done and total is None:
        return ""
    parts = [_amount(done) + ("" if total is None else f" of {_amount(total)}")]
    if max(done, total or 0) >= FEWEST_BYTES and done and seconds >= 1:
        parts.append(f"{_amount(int(done / seconds))}/s")
        parts += [] if total is None else [_left(int(seconds * (total - done) / done))]
    return ", ".join(parts)


def _left(seconds: int) -> str:
    return f"{seconds} s left" if seconds < 120 else f"{seconds // 60} min left"


def _amount(amount: int) -> str:
    return f"{amount / (1 << 20):.1f} MiB" if amount >= FEWEST_BYTES else str(amount)


@dataclass(slots=True)
class _Counting:
    """A stage that reports from time to time how far it is."""

    what: str
    total: int | None
    report: Callable[["_Counting"], None]
    every_seconds: float
    done: int = 0
    doing: str = ""
    began: float = field(default_factory=time.monotonic)
    reported_at: float = field(default_factory=time.monotonic)

    def advance(self, amount: int) -> None:
        """Count what is done."""
        self.done += amount
        self.tick()

    def tick(self) -> None:
        """Report, if that was long ago."""
        if time.monotonic() - self.reported_at >= self.every_seconds:
            self.reported_at = time.monotonic()
            self.report(self)

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return time.monotonic() - self.began


@dataclass(slots=True)
class Lines:
    """Progress in words, indented where a stage is part of another.

    Attributes:
        say: shows a line.
        every_seconds: how often a stage that lasts has a line.
    """

    say: Say
    every_seconds: float = EVERY_SECONDS
    _running: list[_Counting] = field(default_factory=list)

    def begin(self, what: str, total: int | None) -> Stage:
        """A stage starts."""
        self.note(f"{what} …" if total is None else f"{what} ({_amount(total)}) …")
        self._running.append(_Counting(what, total, self._progress, self.every_seconds))
        return self._running[-1]

    def end(self, what: str, seconds: float, *, succeeded: bool) -> None:
        """A stage has ended."""
        self._running.pop()
        if self._running:
            self._running[-1].reported_at = time.monotonic()
        self.note(f"{what}: {'done' if succeeded else 'failed'} after {seconds:.1f} s")

    def note(self, message: str) -> None:
        """A fact worth a line."""
        self.say("  " * len(self._running) + message)

    def doing(self, what: str) -> None:
        """Show it when the stage has its next line."""
        for stage in self._running[-1:]:
            stage.doing = what
            stage.tick()

    def tick(self) -> None:
        """Have the stage that lasts say a line, if its last one was long ago."""
        for stage in self._running[-1:]:
            stage.tick()

    def _progress(self, stage: _Counting) -> None:
        far = how_far(stage.done, stage.total, stage.seconds)
        told = [part for part in (far, stage.doing) if part]
        self.note(f"{stage.what}: {', '.join(told) or f'{stage.seconds:.0f} s'}")


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

    def doing(self, what: str) -> None:
        """Leave it out: a program does not read it."""

    def _progress(self, stage: _Counting) -> None:
        counted: dict[str, JsonInput] = {"done": stage.done, "total": stage.total}
        self.say(show_json_line({"event": "progress", "what": stage.what, **counted}))
