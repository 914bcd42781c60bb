"""Format, lint and types are tests like all others."""

import sys
from pathlib import Path

from reconix.base.process import run, succeeds

ROOT = Path(__file__).parent.parent
FOLDERS = ("src", "tests", "tools", "bench", "examples")
CHECKED = [folder for folder in FOLDERS if any((ROOT / folder).rglob("*.py"))]


def test_every_file_is_formatted() -> None:
    run(sys.executable, "-m", "ruff", "format", "--check", *CHECKED, folder=ROOT)


def test_no_lint_is_found() -> None:
    run(sys.executable, "-m", "ruff", "check", *CHECKED, folder=ROOT)


def test_all_types_hold() -> None:
    run(sys.executable, "-m", "mypy", *CHECKED, folder=ROOT)


def test_scripts_are_correct_shell() -> None:
    for script in ("tools/install-packages", ".ci/run"):
        assert succeeds("sh", "-n", ROOT / script), script
