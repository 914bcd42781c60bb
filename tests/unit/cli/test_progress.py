import io
import re
import threading
import time

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


def test_work_that_cannot_be_counted_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.1)
    monkeypatch.setattr(progress, "_BEAT_SECONDS", 0.02)
    stream = io.StringIO()
    lines = listener(stream)
    lines.begin("install", None)
    lines.doing("setting up nginx, 3 of 9")
    deadline = time.monotonic() + 20
    while stream.getvalue().count("setting up nginx, 3 of 9\n") < 3:
        assert time.monotonic() < deadline, stream.getvalue()
        time.sleep(0.01)
    lines.end("install", 1, succeeded=True)
    after = stream.getvalue()
    time.sleep(0.3)
    assert stream.getvalue() == after, "at rest nothing is said"


def test_a_stream_that_was_closed_ends_the_beat_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    monkeypatch.setattr(progress, "_BEAT_SECONDS", 0.01)
    stream = io.StringIO()
    listener(stream).begin("install", None)
    before = threading.active_count()
    stream.close()
    deadline = time.monotonic() + 20
    while threading.active_count() >= before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() < before


def test_lines_come_one_after_the_other_whoever_says_them() -> None:
    stream = io.StringIO()
    lines = listener(stream)
    lines.begin("install", None)
    speakers = [threading.Thread(target=lines.note, args=["word " * 200]) for _ in range(8)]
    for each in speakers:
        each.start()
    for each in speakers:
        each.join()
    lines.end("install", 1, succeeded=True)
    notes = stream.getvalue().splitlines()[1:-1]
    assert len(notes) == 8 and len(set(notes)) == 1


def test_a_bar_says_how_far_it_is_and_what_is_being_done() -> None:
    stream = Terminal()
    bars = Bars(stream, width=160)
    bars.doing("nobody asked")
    bars.begin("install the packages", 3).advance(1)
    bars.doing("setting up ngi\x1bnx")
    bars.refresh()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    bars.end("install the packages", 1, succeeded=True)
    assert "1 of 3, setting up ngi\\x1bnx" in shown


def test_a_narrow_terminal_has_one_line_for_a_bar() -> None:
    stream = Terminal()
    bars = Bars(stream, width=60)
    bars.begin("install the packages", 3)
    bars.doing("setting up " + "x" * 200)
    bars.refresh()
    bars.end("install the packages", 1, succeeded=True)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    assert max(len(line) for line in re.split(r"[\r\n]", plain)) <= 60


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
