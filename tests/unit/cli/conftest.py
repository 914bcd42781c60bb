from collections.abc import Iterator

import pytest

from reconix.base.progress import Silent, listen


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """What a command listens with ends with its test."""
    yield
    listen(Silent())
