"""A target, and questions about it, for the tests of this folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.build.software.python.target import Target
from reconix.build.software.python.wanted import Question

TARGET = Target((3, 13), "3.13.5", 41, "x86_64")


@pytest.fixture
def target() -> Target:
    """The Python of trixie."""
    return TARGET


@pytest.fixture
def question(tmp_path: Path) -> Callable[..., Question]:
    """Asks what a lock file of this name and content wants."""

    def ask(
        name: str,
        content: str,
        *,
        own: frozenset[str] = frozenset(),
        extras: tuple[str, ...] = (),
        groups: tuple[str, ...] = (),
    ) -> Question:
        file = tmp_path / name
        file.write_text(content)
        return Question(file, TARGET, "python.air", extras, groups, own)

    return ask
