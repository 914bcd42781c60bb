"""Progress as lines."""

import json

import pytest

from reconix.base import progress
from reconix.base.progress_lines import JsonLines, Lines


def work() -> None:
    with progress.stage("receive", total=3 << 20) as stage:
        stage.advance(1 << 20)
    progress.note("a fact")


def test_plain_lines_say_what_and_how_far(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(progress, "_listener", Lines(said.append, every_seconds=0))
    work()
    assert said == [
        "receive (3.0 MiB) …",
        "  receive: 1.0 MiB of 3.0 MiB",
        "receive: done after 0.0 s",
        "a fact",
    ]


def test_json_lines_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(progress, "_listener", JsonLines(said.append, every_seconds=0))
    work()
    assert [json.loads(line)["event"] for line in said] == ["begin", "progress", "end", "note"]
    assert json.loads(said[1]) == {
        "event": "progress",
        "what": "receive",
        "done": 1 << 20,
        "total": 3 << 20,
    }


def test_a_stage_within_another_is_indented() -> None:
    said: list[str] = []
    lines = Lines(said.append)
    lines.begin("build", None)
    lines.begin("fetch", 10)
    lines.note("a fact")
    lines.end("fetch", 1.25, succeeded=False)
    lines.end("build", 2.0, succeeded=True)
    assert said == [
        "build …",
        "  fetch (10) …",
        "    a fact",
        "  fetch: failed after 1.2 s",
        "build: done after 2.0 s",
    ]
