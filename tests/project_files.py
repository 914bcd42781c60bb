"""The files of the project, for tests that go through them, wherever its checkout lies.

A search that finds nothing passes every check that follows. So each test that goes through files
says with `enough` how many it read, and fails when that is fewer than there must be.

Tested by ``tests/test_elsewhere.py``, in a copy of the project that lies in another folder.
"""

from collections.abc import Iterator, Sized
from functools import cache
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parent.parent

FOLDERS = ("src", "tests", "tools", "bench", "examples", "docs", "changes", ".ci")
"""Where the project's own files are, besides those that lie beside these folders."""

_MADE = frozenset({"__pycache__", "work"})
"""Folders that some run made."""

Searched = TypeVar("Searched", bound=Sized)


def project_files() -> Iterator[Path]:
    """Every file of the project."""
    inside = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    for path in (*ROOT.iterdir(), *inside):
        # The root may lie anywhere: only what is below it tells whether a file is ours.
        if path.is_file() and not _MADE & set(path.relative_to(ROOT).parts):
            yield path


@cache
def texts() -> dict[str, str]:
    """Every text file of the project, by its name below the root."""
    found = {}
    for path in project_files():
        try:
            found[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return enough(found, at_least=700, what="text files")


def enough(found: Searched, *, at_least: int, what: str) -> Searched:
    """Give what a search found, and say how much that is."""
    print(f"{len(found)} {what}")
    assert len(found) >= at_least, f"only {len(found)} {what}: the search sees too little"
    return found
