import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.base.errors import ReconixError
from reconix.cli import failures
from reconix.cli.main import main
from reconix.cli.watching import follow, seen, wait_for_change


class Work:
    """Work that notes what it saw, and ends the command when it has been done often enough."""

    def __init__(self, file: Path, times: int, *after: Callable[[], object]) -> None:
        self.file, self.times, self.after = file, times, after
        self.saw: list[str] = []

    def __call__(self) -> None:
        self.saw.append(self.file.read_text())
        if len(self.saw) == self.times:
            raise KeyboardInterrupt
        for change in self.after:
            change()


def later(change: Callable[[], object]) -> Callable[[], object]:
    return lambda: threading.Timer(0.1, change).start()


def watch(folder: Path, work: Work) -> None:
    with pytest.raises(KeyboardInterrupt):
        follow(folder, work, failures.show)


def test_work_is_done_at_once_and_after_each_change(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("a")
    work = Work(file, 3, later(lambda: file.write_text(file.read_text() + "a")))
    watch(tmp_path, work)
    assert work.saw == ["a", "aa", "aaa"]


def test_a_change_during_the_work_is_not_missed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("before")
    work = Work(file, 2, lambda: file.write_text("meanwhile"))
    watch(tmp_path, work)
    assert work.saw == ["before", "meanwhile"]


def test_a_mistake_is_told_and_it_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("wrong")

    def complain() -> None:
        if file.read_text() == "wrong":
            later(lambda: file.write_text("right"))()
            raise ReconixError("this is wrong", hint="write right")

    watch(tmp_path, Work(file, 2, complain))
    told = capsys.readouterr().err
    assert "error: this is wrong\nhint: write right\nwaiting for a change" in told


def test_a_file_that_grows_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    before = seen(tmp_path)
    for tenths in range(1, 12):
        threading.Timer(tenths / 10, lambda text="a" * tenths: file.write_text(text)).start()
    wait_for_change(tmp_path, before)
    assert file.stat().st_size == 11


def test_what_is_hidden_does_not_count_and_what_went_does(tmp_path: Path) -> None:
    (tmp_path / ".reconix").mkdir()
    (tmp_path / "inside").mkdir()
    file = tmp_path / "inside/file"
    file.touch()
    before = seen(tmp_path)
    (tmp_path / ".reconix/image").touch()
    (tmp_path / "inside/.file.swp").touch()
    assert seen(tmp_path) == before != {}
    file.unlink()
    assert seen(tmp_path) == {} == seen(tmp_path / "never")


def test_a_dry_run_watches_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "reconix.toml").write_text('name = "test"\n')
    words = ("--project", str(tmp_path), "deploy", "--watch")
    for others in (("--dry-run",), ("-g", "1")):
        assert main([*words, *others]) == 2
        assert "--watch goes without" in capsys.readouterr().err
