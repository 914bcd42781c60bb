"""How progress looks: bars on a terminal, plain lines in a log (``base/progress_lines.py``).

Both go to the standard error, so that an answer on the standard output stays clean.

Tested by ``tests/unit/cli/test_progress.py``.
"""

from typing import TYPE_CHECKING, TextIO

from reconix.base import text
from reconix.base.progress import Listener, Stage
from reconix.base.progress_lines import Lines

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.text import Text

_LINE_SECONDS = 10.0
_SHORT_SECONDS = 0.2


def listener(stream: TextIO) -> Listener:
    """Who shows progress on this stream."""
    if stream.isatty():
        return Bars(stream)

    def say(line: str) -> None:
        stream.write(f"{text.message(line)}\n")
        stream.flush()

    return Lines(say, every_seconds=_LINE_SECONDS)


class Bars:
    """A bar for each stage that is under way, and a line for each that took a while."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # slow: only where there is a terminal

        self._console = Console(file=stream)
        self._bars: Progress | None = None
        self._tasks: list[TaskID] = []

    def begin(self, what: str, total: int | None) -> Stage:
        """Show one more bar."""
        if self._bars is None:
            self._bars = self._new_bars()
            self._bars.start()
        indented = "  " * len(self._tasks) + what
        self._tasks.append(self._bars.add_task(text.one_line(indented), total=total))
        return _BarStage(self._bars, self._tasks[-1])

    def end(self, what: str, seconds: float, *, succeeded: bool) -> None:
        """Replace the last bar by a line."""
        assert self._bars is not None
        self._bars.remove_task(self._tasks.pop())
        if seconds > _SHORT_SECONDS or not succeeded:
            self._console.print(_line(len(self._tasks), what, seconds, succeeded=succeeded))
        if not self._tasks:
            self._bars.stop()
            self._bars = None

    def note(self, message: str) -> None:
        """Print it above the bars."""
        self._console.print(text.message(message), markup=False, highlight=False)

    def _new_bars(self) -> "Progress":
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )


def _line(depth: int, what: str, seconds: float, *, succeeded: bool) -> "Text":
    from rich.text import Text

    mark = ("✓ ", "green") if succeeded else ("✗ ", "red")
    return Text.assemble(mark, "  " * depth, text.one_line(what), (f" {seconds:.1f} s", "dim"))


class _BarStage:
    def __init__(self, bars: "Progress", task: "TaskID") -> None:
        self._bars, self._task = bars, task

    def advance(self, amount: int) -> None:
        self._bars.advance(self._task, amount)
