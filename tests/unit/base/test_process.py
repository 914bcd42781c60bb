import subprocess
import time
from pathlib import Path

import pytest

from reconix.base.process import (
    CommandFailed,
    ProgramMissing,
    feeding,
    find,
    preferring,
    reading,
    run,
    start,
    succeeds,
)


def test_output_comes_back_and_input_goes_in() -> None:
    assert run("cat", stdin=b"\0\xffbytes") == b"\0\xffbytes"


def test_words_are_no_shell_line() -> None:
    assert run("printf", "%s", "$HOME; *") == b"$HOME; *"


def test_no_input_means_an_empty_one() -> None:
    assert run("cat", timeout_seconds=5) == b""


def test_a_failure_shows_the_command_its_status_and_its_last_words() -> None:
    with pytest.raises(CommandFailed) as caught:
        run("sh", "-c", "head -c 5000 /dev/zero | tr '\\0' x >&2; echo the end >&2; exit 3")
    assert caught.value.status == 3
    assert str(caught.value).startswith("`sh -c 'head")
    assert str(caught.value).endswith("the end")
    assert len(str(caught.value)) < 1300


def test_a_missing_program_is_named() -> None:
    with pytest.raises(ProgramMissing, match="no-such-program is not installed") as caught:
        run("no-such-program")
    assert caught.value.program == "no-such-program"


def test_a_program_of_administrators_is_found_by_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    (program, *_) = sorted(path.name for path in Path("/usr/sbin").iterdir())
    assert find(program) == Path("/usr/sbin", program)
    assert run("sh", "-c", f"command -v {program}").decode().strip() == f"/usr/sbin/{program}"


def test_what_is_no_program_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin")
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("no program")
    assert find("folder") is find("text") is find("no-such-program") is None
    assert find("env") == Path("/usr/bin/env")


def test_a_missing_folder_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run("true", folder=tmp_path / "absent")


def test_a_program_that_takes_too_long_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(CommandFailed, match="timed out after"):
        run("sleep", "60", timeout_seconds=0.1)
    assert time.monotonic() - began < 10


def test_habits_of_the_user_do_not_reach_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    said = run("sh", "-c", "echo $LC_ALL $TZ $EXTRA", environment={"EXTRA": "more"})
    assert said == b"C.UTF-8 UTC more\n"


def test_success_can_be_asked_for() -> None:
    assert succeeds("true")
    assert not succeeds("false")


def test_output_is_read_as_it_comes() -> None:
    with reading("sh", "-c", "echo one; echo two") as output:
        assert output.readline() == b"one\n"
        assert output.read() == b"two\n"


def test_a_failure_shows_after_its_output_was_read() -> None:
    with (
        pytest.raises(CommandFailed, match="exited with 4: broken"),
        reading("sh", "-c", "echo data; echo broken >&2; exit 4") as output,
    ):
        assert output.read() == b"data\n"


def test_a_program_is_ended_when_its_reader_fails() -> None:
    began = time.monotonic()
    with pytest.raises(ZeroDivisionError), reading("sleep", "60"):
        raise ZeroDivisionError
    assert time.monotonic() - began < 10


def test_what_is_started_runs_until_it_is_ended() -> None:
    child = start("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.poll() is None
    said, _ = child.communicate(b"hello")
    assert (said, child.wait()) == (b"hello", 0)
    with pytest.raises(ProgramMissing):
        start("no-such-program")


def test_input_is_written_as_it_comes(tmp_path: Path) -> None:
    with feeding("sh", "-c", f"cat > '{tmp_path}/copy'") as sink:
        sink.write(b"one ")
        sink.write(b"two")
    assert (tmp_path / "copy").read_bytes() == b"one two"


def test_a_program_that_refuses_its_input_is_the_error_not_the_broken_pipe() -> None:
    with (
        pytest.raises(CommandFailed, match="exited with 51: refused") as caught,
        feeding("sh", "-c", "echo refused >&2; exit 51") as sink,
    ):
        for _ in range(100):
            sink.write(b"x" * 100_000)
    assert caught.value.status == 51


def test_a_program_that_fails_after_all_its_input_is_an_error_too() -> None:
    with pytest.raises(CommandFailed, match="exited with 3"), feeding("sh", "-c", "cat; exit 3"):
        pass


def test_a_program_that_does_not_want_all_its_input_is_not_taken_for_one_that_read_it() -> None:
    with pytest.raises(BrokenPipeError), feeding("true") as sink:
        for _ in range(100):
            sink.write(b"x" * 100_000)


def test_a_program_is_ended_when_what_feeds_it_fails() -> None:
    began = time.monotonic()
    with pytest.raises(ZeroDivisionError), feeding("sleep", "60"):
        raise ZeroDivisionError
    assert time.monotonic() - began < 10


def test_what_a_program_reports_is_heard_line_by_line_while_it_is_read() -> None:
    heard: list[bytes] = []
    script = (
        "echo first >&2; printf 'sec' >&2; sleep 0.1; echo ond >&2; echo answer; printf rest >&2"
    )
    with reading("sh", "-c", script, hear=heard.append) as stream:
        assert stream.read() == b"answer\n"
    assert heard == [b"first", b"second"]


def test_an_answer_is_heard_line_by_line_and_given_whole() -> None:
    heard: list[bytes] = []
    assert run("printf", "a\\nb\\nrest", hear=heard.append) == b"a\nb\nrest"
    assert heard == [b"a", b"b"]


def test_a_line_without_an_end_is_not_kept_whole() -> None:
    heard: list[bytes] = []
    script = "head -c 1000000 /dev/zero | tr '\\0' x >&2; echo >&2"
    with reading("sh", "-c", script, hear=heard.append) as stream:
        stream.read()
    assert len(heard) == 1 and len(heard[0]) < 200_000


def test_programs_of_a_folder_come_first_within_a_block(tmp_path: Path) -> None:
    program = tmp_path / "uname"
    program.write_text("#!/bin/sh\necho ours\n")
    program.chmod(0o755)
    with preferring(tmp_path):
        assert run("uname") == b"ours\n"
        assert find("uname") == program
    assert run("uname") == b"Linux\n"
