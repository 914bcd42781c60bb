"""What every test may use."""

import os
import shutil

import pytest


@pytest.fixture
def need() -> "Need":
    """Give a function that names the programs a test cannot do without."""
    return Need()


class Need:
    def __call__(self, *programs: str) -> None:
        """Skip at home and fail in CI when a program is missing."""
        missing = [program for program in programs if shutil.which(program) is None]
        if missing and os.environ.get("CI"):
            pytest.fail(f"not installed: {', '.join(missing)}")
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)}")
