"""Reporting the progress of long work.

Work reports *what* it does and *how far* it is; a listener decides how that looks: a bar on a
terminal, plain lines in a log, nothing in a test. The listener is installed once, by the command.

    with progress.stage("receive", total=manifest.size_bytes) as stage:
        stage.advance(len(chunk))

What lasts and cannot be counted says at least what it is doing just now, ``doing("set up nginx")``.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol


class Stage(Protocol):
    """One piece of work under way."""

    def advance(self, amount: int) -> None:
        """Report progress, in the unit of the stage's total."""


class Listener(Protocol):
    """Shows stages to somebody."""

    def begin(self, what: str, total: int | None) -> Stage:
        """A stage starts; ``total`` is its size if that is known."""

    def end(self, what: str, seconds: float, *, succeeded: bool) -> None:
        """The stage that started last has ended."""

    def note(self, message: str) -> None:
        """A fact worth a line."""

    def doing(self, what: str) -> None:
        """What is being done within the stage that started last; any thread may say it."""


class _SilentStage:
    def advance(self, amount: int) -> None:
        pass


class Silent:
    """Listens and shows nothing."""

    def begin(self, what: str, total: int | None) -> Stage:
        """Ignore it."""
        return _SilentStage()

    def end(self, what: str, seconds: float, *, succeeded: bool) -> None:
        """Ignore it."""

    def note(self, message: str) -> None:
        """Ignore it."""

    def doing(self, what: str) -> None:
        """Ignore it."""


_listener: Listener = Silent()


def listen(listener: Listener) -> None:
    """Install the listener that shows the progress of this process."""
    global _listener
    _listener = listener


@contextlib.contextmanager
def stage(what: str, *, total: int | None = None) -> Iterator[Stage]:
    """Do a piece of work under a name."""
    began = time.monotonic()
    current = _listener.begin(what, total)
    succeeded = False
    try:
        yield current
        succeeded = True
    finally:
        _listener.end(what, time.monotonic() - began, succeeded=succeeded)


def note(message: str) -> None:
    """Report a fact worth a line."""
    _listener.note(message)


def doing(what: str) -> None:
    """Report what is being done within the current stage."""
    _listener.doing(what)
