"""Tests that read the project's own files see them wherever a clone of it lies."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from tests.project_files import ROOT

from reconix.base.process import CommandFailed, run

SEARCHING = (
    "tests/test_architecture.py",
    "tests/test_documents.py",
    "tests/test_faults.py",
    "tests/unit/cli/test_manual.py",
    "tests/unit/config/modules/test_restricted.py",
)
MADE = (".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info")


def copy(place: Path) -> Path:
    """The project in another folder."""
    return shutil.copytree(ROOT, place, symlinks=True, ignore=shutil.ignore_patterns(*MADE))


def verdict(clone: Path, *tests: str, home: Path) -> str:
    """The last line that tests print when they run in a clone."""
    words = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    there = {"PYTHONPATH": f"{clone}/src:{clone}", "HOME": str(home)}
    return run(*words, folder=clone, environment=there).decode().splitlines()[-1]


def test_what_reads_the_files_of_the_project_sees_them_in_any_folder(tmp_path: Path) -> None:
    clone = copy(tmp_path / "a folder" / "work")
    said = verdict(clone, *SEARCHING, home=tmp_path)
    passed = re.match(r"(\d+) passed", said)
    assert passed and int(passed[1]) > 1800, said


@pytest.mark.parametrize("folder", ["plain", "a folder/work"])
def test_the_address_of_a_real_host_is_found_in_any_folder(tmp_path: Path, folder: str) -> None:
    clone = copy(tmp_path / folder)
    (clone / "docs" / "more.md").write_text("https://" + "www.sample.org\n")
    with pytest.raises(CommandFailed, match=r"more\.md names"):
        verdict(clone, f"{SEARCHING[0]}::test_no_program_or_test_names_a_real_host", home=tmp_path)
