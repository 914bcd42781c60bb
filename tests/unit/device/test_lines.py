"""Progress as lines."""

import json

import pytest

from reconix.base import progress
from reconix.device import lines


def work() -> None:
    with progress.stage("receive", total=3 << 20) as stage:
        stage.advance(1 << 20)
    progress.note("a fact")


def test_plain_lines_say_what_and_how_far(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(lines, "SAY_EVERY_SECONDS", 0)
    monkeypatch.setattr(progress, "_listener", lines.PlainLines(said.append))
    work()
    assert said == [
        "receive (3.0 MiB) …",
        "receive: 1.0 MiB of 3.0 MiB",
        "receive: done after 0.0 s",
        "a fact",
    ]


def test_json_lines_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(lines, "SAY_EVERY_SECONDS", 0)
    monkeypatch.setattr(progress, "_listener", lines.JsonLines(said.append))
    work()
    assert [json.loads(line)["event"] for line in said] == ["begin", "progress", "end", "note"]
    assert json.loads(said[1]) == {
        "event": "progress",
        "what": "receive",
        "done": 1 << 20,
        "total": 3 << 20,
    }
