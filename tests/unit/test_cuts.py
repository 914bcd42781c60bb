"""A cut is seen at each step that reaches the disk, however Python comes to it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cuts import STEPS, STOPPED, states, stop_after

from reconix.base.files import write_durably


def contents(place: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in place.iterdir()}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "place"
    place.mkdir()
    (place / "a").write_text("old")
    return place


def test_the_steps_are_functions_that_there_are() -> None:
    assert len(set(STEPS)) == len(STEPS) > 25
    assert all(callable(getattr(os, name)) for name in STEPS)


WRITES: dict[str, Callable[[Path], object]] = {
    "write_text": lambda path: path.write_text("new"),
    "write_bytes": lambda path: path.write_bytes(b"new"),
    "write_durably": lambda path: write_durably(path, b"new"),
}


@pytest.mark.parametrize("way", WRITES)
def test_only_a_file_written_in_place_is_ever_empty(place: Path, way: str) -> None:
    found = states(place, lambda: WRITES[way](place / "a"), at_least=2)
    empty = {""} if way != "write_durably" else set[str]()
    assert {contents(each)["a"] for each in found} == {"old", "new"} | empty


def test_what_is_still_in_a_buffer_is_lost(place: Path) -> None:
    def work() -> None:
        with (place / "b").open("w") as file:
            file.write("one")
            file.flush()
            file.write("two")

    found = [contents(each).get("b") for each in states(place, work, at_least=3)]
    assert found == [None, "", "one", "onetwo"]


def test_a_step_that_changes_nothing_gives_no_state_of_its_own(place: Path) -> None:
    def work() -> None:
        for _ in range(9):
            os.fsync(folder)
        os.rename(place / "a", place / "c")  # noqa: PTH104

    folder = os.open(place, os.O_RDONLY)
    found = states(place, work, at_least=10)
    os.close(folder)
    assert [set(contents(each)) for each in found] == [{"a"}, {"c"}]


def test_work_that_reaches_no_disk_is_no_work(place: Path) -> None:
    with pytest.raises(AssertionError, match="did not reach the disk"):
        states(place, lambda: None, at_least=1)


@pytest.mark.parametrize(("steps", "left"), [(0, "old"), (1, ""), (2, "new")])
def test_a_process_ends_at_its_step(place: Path, steps: int, left: str) -> None:
    child = os.fork()
    if child == 0:
        stop_after(steps)
        (place / "a").write_text("new")
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == (STOPPED if steps < 2 else 0)
    assert (place / "a").read_text() == left
