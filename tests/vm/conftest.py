"""Virtual devices of tests are built in one store, as those of a user are: equal roots once."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.projects import STORE


@pytest.fixture(scope="session", autouse=True)
def data_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give ``$XDG_DATA_HOME``: of this run, and of all its workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STORE, str(folder / "reconix"))
        yield folder
