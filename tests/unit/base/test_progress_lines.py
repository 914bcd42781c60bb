"""Progress as lines."""

import json

import pytest

from reconix.base import progress
from reconix.base.progress_lines import JsonLines, Lines, how_far


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


@pytest.mark.parametrize(
    ("done", "total", "seconds", "said"),
    [
        (0, None, 9, ""),
        (0, 3, 9, "0 of 3"),
        (2, 3, 9, "2 of 3"),
        (7, None, 9, "7"),
        (0, 4 << 20, 9, "0 of 4.0 MiB"),
        (1 << 20, 4 << 20, 0.5, "1.0 MiB of 4.0 MiB"),
        (1 << 20, 4 << 20, 2, "1.0 MiB of 4.0 MiB, 0.5 MiB/s, 6 s left"),
        (4 << 20, 4 << 20, 2, "4.0 MiB of 4.0 MiB, 2.0 MiB/s, 0 s left"),
        (8 << 20, None, 4, "8.0 MiB, 2.0 MiB/s"),
        (1000, 4 << 20, 2, "1000 of 4.0 MiB, 500/s, 139 min left"),
    ],
)
def test_how_far_it_is_and_how_long_it_will_take(
    done: int, total: int | None, seconds: float, said: str
) -> None:
    assert how_far(done, total, seconds) == said


def test_what_is_being_done_stands_behind_how_far_it_is() -> None:
    said: list[str] = []
    lines = Lines(said.append, every_seconds=0)
    lines.doing("nobody asked")
    lines.begin("build", None)
    lines.begin("install", 3)
    lines.doing("unpacking nginx")
    lines.end("install", 1.0, succeeded=True)
    lines.tick()
    assert said[2] == "    install: 0 of 3, unpacking nginx"
    assert said[4] == "  build: 0 s", "which says nothing of a stage that has ended"


def test_a_stage_says_a_line_only_if_its_last_one_was_long_ago() -> None:
    said: list[str] = []
    lines = Lines(said.append, every_seconds=60)
    lines.begin("build", None)
    lines.doing("something")
    lines.tick()
    assert said == ["build …"]
