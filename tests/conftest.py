"""What every test may use."""

import os
import shutil
from collections.abc import Iterator

import pytest
from hypothesis import settings

from reconix.base.progress import Silent, listen

# How long an example takes depends on what else the machine does; speed is measured in bench/.
settings.register_profile("reconix", deadline=None)
settings.load_profile("reconix")


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """What a command listens with ends with its test; its stream does too."""
    yield
    listen(Silent())


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
