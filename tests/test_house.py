"""Format, lint and types are tests like all others."""

import sys
from pathlib import Path

import pytest
from tests.project_files import ROOT, enough

from reconix.base.process import CommandFailed, run, succeeds

FOLDERS = ("src", "tests", "tools", "bench", "examples")
CHECKED = enough(
    [folder for folder in FOLDERS if any((ROOT / folder).rglob("*.py"))],
    at_least=len(FOLDERS),
    what="folders of Python",
)


def test_every_file_is_formatted() -> None:
    run(sys.executable, "-m", "ruff", "format", "--check", *CHECKED, folder=ROOT)


def test_no_lint_is_found() -> None:
    run(sys.executable, "-m", "ruff", "check", *CHECKED, folder=ROOT)


def test_all_types_hold() -> None:
    run(sys.executable, "-m", "mypy", *CHECKED, folder=ROOT)


def test_scripts_are_correct_shell() -> None:
    for script in ("tools/install-packages", ".ci/run"):
        assert succeeds("sh", "-n", ROOT / script), script


def test_all_tests_run_although_some_have_failed(tmp_path: Path) -> None:
    (tmp_path / "ready").touch()  # newer than what an environment is made from
    with pytest.raises(CommandFailed, match="failed: check-all vm"):
        run("make", "test", f"VENV={tmp_path}", "RUN=false", folder=ROOT)
