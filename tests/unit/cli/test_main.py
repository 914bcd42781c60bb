import json
import sys
from importlib import metadata
from pathlib import Path

import pytest

from reconix.base.errors import UsageError
from reconix.base.process import CommandFailed, run
from reconix.cli import commands, parsers, places
from reconix.cli.main import INTERRUPTED, PIPE_CLOSED, TERMINATED, main

PROGRAM = "import sys; from reconix.cli.main import entry; sys.exit(entry())"
SOURCE = str(Path(commands.__file__).parents[2])


def reconix(*words: str) -> bytes:
    return run(sys.executable, "-c", PROGRAM, *words, environment={"PYTHONPATH": SOURCE})


def test_help_lists_every_command_with_its_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in commands.available():
        assert f"  {name} " in shown
        assert commands.summary_of(name) in shown


@pytest.mark.parametrize("name", commands.available())
def test_help_of_a_command_is_its_docstring(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert commands.manual_of(name).strip() in capsys.readouterr().out


@pytest.mark.parametrize("name", commands.available())
def test_a_command_begins_its_help_with_one_short_sentence(name: str) -> None:
    first, blank, *_ = [*commands.manual_of(name).split("\n"), ""]
    assert first == commands.summary_of(name)
    assert first.endswith(".") and len(first) <= 80 and not blank


def test_help_loads_no_command() -> None:
    code = (
        "import sys; from reconix.cli.main import main; main(['--help']);"
        "print([m for m in sys.modules if m == 'rich' or m in "
        "{'reconix.cli.' + n for n in __import__('reconix.cli.commands').cli.commands.NAMES}])"
    )
    said = run(sys.executable, "-c", code, environment={"PYTHONPATH": SOURCE}).decode()
    assert said.endswith("\n[]\n")


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completoin"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "no command 'completoin'" in shown.err
    assert "hint: did you mean `completion`?" in shown.err


def test_an_unknown_option_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash", "--no-progres"]) == 2
    assert "hint: did you mean `--no-progress`?" in capsys.readouterr().err


def test_a_failure_is_json_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash", "--json"]) == 2
    shown = capsys.readouterr()
    error = json.loads(shown.out)["error"]
    assert shown.err == ""
    assert error["exit_code"] == 2
    assert "--json" in error["message"]


def test_no_command_shows_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "commands:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["--verbose", "completion", "bash"], ["completion", "bash", "--verbose"]]
)
def test_common_options_may_stand_on_either_side_of_the_command(words: list[str]) -> None:
    before = parsers.top_parser().parse_args(words)
    arguments = parsers.parse("completion", before.words, before)
    assert arguments.verbose is True
    assert arguments.no_progress is False
    assert arguments.shell == "bash"


def test_a_reader_that_has_enough_is_no_error() -> None:
    script = f"set -o pipefail; '{sys.executable}' -c '{PROGRAM}' completion bash | head -c 0"
    with pytest.raises(CommandFailed) as caught:
        run("bash", "-c", script, environment={"PYTHONPATH": SOURCE})
    assert caught.value.status == PIPE_CLOSED
    assert caught.value.output == b""


@pytest.mark.parametrize(
    ("failure", "status", "shown"),
    [
        ("KeyboardInterrupt()", INTERRUPTED, "interrupted\n"),
        ("OSError(28, 'No space left on device', '/x')", 1, "error: /x: No space left on device\n"),
        ("ReconixError('fact', hint='do it')", 1, "error: fact\nhint: do it\n"),
        ("SystemExit(143)", TERMINATED, ""),
    ],
)
def test_no_failure_shows_a_traceback(failure: str, status: int, shown: str) -> None:
    code = f"""
import sys
from reconix.base.errors import ReconixError
from reconix.cli import completion
from reconix.cli.main import main
def run(arguments):
    raise {failure}
completion.run = run
sys.exit(main(["completion", "bash"]))
"""
    with pytest.raises(CommandFailed) as caught:
        run(sys.executable, "-c", code, environment={"PYTHONPATH": SOURCE})
    assert (caught.value.status, caught.value.output.decode()) == (status, shown)


def test_version_is_that_of_the_package() -> None:
    try:
        version = metadata.version("reconix")
    except metadata.PackageNotFoundError:
        version = "(run from its source, not installed)"
    assert reconix("--version").decode() == f"reconix {version}\n"


def test_the_project_is_the_nearest_folder_upwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "project" / "hosts" / "gateway"
    inner.mkdir(parents=True)
    (tmp_path / "project" / "reconix.toml").touch()
    before = parsers.top_parser().parse_args(["completion", "bash"])
    arguments = parsers.parse("completion", before.words, before)
    monkeypatch.chdir(inner)
    assert places.project(arguments) == tmp_path / "project"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=str(tmp_path)):
        places.project(arguments)


def test_a_named_project_is_not_looked_for_further_up(tmp_path: Path) -> None:
    (tmp_path / "reconix.toml").touch()
    inner = tmp_path / "inner"
    inner.mkdir()
    words = ["--project", str(inner), "completion", "bash"]
    before = parsers.top_parser().parse_args(words)
    with pytest.raises(UsageError):
        places.project(parsers.parse("completion", before.words, before))


def test_a_relative_data_home_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert places.data_home() == Path("/home/somebody/.local/share/reconix")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert places.data_home() == Path("/data/reconix")
