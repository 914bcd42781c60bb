"""Projects of tests have one build store, as those of a user do: equal roots are built once."""

import os
from collections.abc import Iterator

import pytest
from tests.vm.project import STORE


@pytest.fixture(scope="session", autouse=True)
def _one_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A store of this run, and of all its workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "store"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STORE, str(folder))
        yield
