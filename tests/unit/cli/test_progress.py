import io
import re

import pytest

from reconix.base.progress_lines import Lines
from reconix.cli import progress
from reconix.cli.progress import Bars, listener


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_bars_and_a_log_gets_lines() -> None:
    assert isinstance(listener(Terminal()), Bars)
    assert isinstance(listener(io.StringIO()), Lines)


def test_lines_in_a_log_say_what_begins_and_how_it_ends() -> None:
    stream = io.StringIO()
    lines = listener(stream)
    lines.begin("build", None)
    lines.begin("fetch", 10)
    lines.note("a fact")
    lines.end("fetch", 1.25, succeeded=False)
    lines.end("build", 2.0, succeeded=True)
    assert stream.getvalue() == (
        "build …\n  fetch (10) …\n    a fact\n"
        "  fetch: failed after 1.2 s\nbuild: done after 2.0 s\n"
    )


def test_long_work_says_now_and_then_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", -1.0)
    stream = io.StringIO()
    stage = listener(stream).begin("receive", 200)
    stage.advance(50)
    stage.advance(100)
    assert stream.getvalue() == ("receive (200) …\n  receive: 50 of 200\n  receive: 150 of 200\n")


def test_bars_leave_a_line_for_what_took_a_while_and_take_names_literally() -> None:
    stream = Terminal()
    bars = Bars(stream)
    bars.begin("build [red]", 2).advance(1)
    bars.begin("short", None)
    bars.end("short", 0.01, succeeded=True)
    bars.note("[a fact]")
    bars.end("build [red]", 3.0, succeeded=True)
    left = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    assert "✓ build [red] 3.0 s" in left
    assert "[a fact]" in left
    assert "✓   short" not in left
