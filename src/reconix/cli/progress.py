"""How progress looks: bars on a terminal, plain lines in a log (``base/progress_lines.py``).

Both go to the standard error, so that an answer on the standard output stays clean.

Nobody is left alone for more than five seconds: a bar turns by itself, and what lasts has a line
from time to time even where it cannot be counted.

Tested by ``tests/unit/cli/test_progress.py``.
"""

import contextlib
import threading
from typing import TYPE_CHECKING, TextIO

from reconix.base import text
from reconix.base.progress import Listener, Stage
from reconix.base.progress_lines import Lines, Say, how_far

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, Task, TaskID
    from rich.table import Column
    from rich.text import Text

_LINE_SECONDS = 5.0
_BEAT_SECONDS = 0.5
_SHORT_SECONDS = 0.2


def listener(stream: TextIO) -> Listener:
    """Who shows progress on this stream."""
    if stream.isatty():
        return Bars(stream)

    def say(line: str) -> None:
        stream.write(f"{text.message(line)}\n")
        stream.flush()

    return BeatingLines(say, every_seconds=_LINE_SECONDS - _BEAT_SECONDS)


class BeatingLines(Lines):
    """Lines that come also where a stage does not advance, as long as one is under way."""

    def __init__(self, say: Say, every_seconds: float) -> None:
        self._lock = threading.RLock()
        self._at_rest = threading.Event()
        super().__init__(self._alone(say), every_seconds)

    def _alone(self, say: Say) -> Say:
        """One line after the other, whoever says it."""

        def say_alone(line: str) -> None:
            with self._lock:
                say(line)

        return say_alone

    def begin(self, what: str, total: int | None) -> Stage:
        """A stage starts; with the first one, the beat."""
        with self._lock:
            stage = super().begin(what, total)
            if len(self._running) == 1:
                self._at_rest = threading.Event()
                threading.Thread(target=self._beat, args=[self._at_rest], daemon=True).start()
        return stage

    def end(self, what: str, seconds: float, *, succeeded: bool) -> None:
        """A stage has ended; with the last one, the beat."""
        with self._lock:
            super().end(what, seconds, succeeded=succeeded)
            if not self._running:
                self._at_rest.set()

    def _beat(self, at_rest: threading.Event) -> None:
        with contextlib.suppress(ValueError):  # nobody listens any more: the stream is closed
            while not at_rest.wait(_BEAT_SECONDS):
                with self._lock:
                    self.tick()


class Bars:
    """A bar for each stage that is under way, and a line for each that took a while."""

    def __init__(self, stream: TextIO, width: int | None = None) -> None:
        from rich.console import Console  # slow: only where there is a terminal

        self._console = Console(file=stream, width=width)
        self._bars: Progress | None = None
        self._tasks: list[TaskID] = []

    def begin(self, what: str, total: int | None) -> Stage:
        """Show one more bar."""
        if self._bars is None:
            self._bars = self._new_bars()
            self._bars.start()
        indented = "  " * len(self._tasks) + what
        name = text.one_line(indented)
        self._tasks.append(self._bars.add_task(name, total=total, doing=""))
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

    def doing(self, what: str) -> None:
        """Show it behind the last bar, as far as there is room."""
        bars, tasks = self._bars, self._tasks[-1:]
        if bars is not None:
            for task in tasks:
                bars.update(task, doing=text.one_line(what))

    def refresh(self) -> None:
        """Draw them now."""
        if self._bars is not None:
            self._bars.refresh()

    def _new_bars(self) -> "Progress":
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            _far_column(rest),
            console=self._console,
            transient=True,
            expand=True,
        )


def _far_column(column: "Column") -> "ProgressColumn":
    """What a stage has done: amount, rate and time left, and what it is doing."""
    from rich.progress import ProgressColumn
    from rich.text import Text

    class FarColumn(ProgressColumn):
        def render(self, task: "Task") -> "Text":
            total = None if task.total is None else int(task.total)
            far = how_far(int(task.completed), total, task.elapsed or 0)
            return Text(", ".join(part for part in (far, str(task.fields["doing"])) if part))

    return FarColumn(table_column=column)


def _line(depth: int, what: str, seconds: float, *, succeeded: bool) -> "Text":
    from rich.text import Text

    mark = ("✓ ", "green") if succeeded else ("✗ ", "red")
    return Text.assemble(mark, "  " * depth, text.one_line(what), (f" {seconds:.1f} s", "dim"))


class _BarStage:
    def __init__(self, bars: "Progress", task: "TaskID") -> None:
        self._bars, self._task = bars, task

    def advance(self, amount: int) -> None:
        self._bars.advance(self._task, amount)
