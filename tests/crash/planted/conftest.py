"""One small device for all planted bugs."""

from collections.abc import Iterator

import pytest
from tests.small_device import SmallDevice, small_device


@pytest.fixture(scope="session")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDevice]:
    with small_device(tmp_path_factory.mktemp("device")) as made:
        yield made
