from collections.abc import Iterator

import pytest

from reconix.base import progress
from reconix.base.progress import Silent, Stage


class Recorder:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begin(self, what: str, total: int | None) -> Stage:
        self.told.append(f"begin {what} {total}")
        return self

    def advance(self, amount: int) -> None:
        self.told.append(f"advance {amount}")

    def end(self, what: str, seconds: float, *, succeeded: bool) -> None:
        assert seconds >= 0
        self.told.append(f"end {what} {succeeded}")

    def note(self, message: str) -> None:
        self.told.append(f"note {message}")

    def doing(self, what: str) -> None:
        self.told.append(f"doing {what}")


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    found = Recorder()
    progress.listen(found)
    yield found
    progress.listen(Silent())


def test_a_listener_hears_everything_in_order(recorder: Recorder) -> None:
    with progress.stage("outer", total=3) as stage:
        stage.advance(2)
        with progress.stage("inner"):
            progress.note("a fact")
            progress.doing("a detail")
    assert recorder.told == [
        *("begin outer 3", "advance 2", "begin inner None"),
        *("note a fact", "doing a detail", "end inner True", "end outer True"),
    ]


def test_a_stage_that_fails_is_told_as_failed(recorder: Recorder) -> None:
    with pytest.raises(ZeroDivisionError), progress.stage("work"):
        raise ZeroDivisionError
    assert recorder.told[-1] == "end work False"


def test_without_a_listener_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.stage("work", total=1) as stage:
        stage.advance(1)
        progress.note("a fact")
    assert capsys.readouterr() == ("", "")
