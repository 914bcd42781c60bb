"""A small project whose packages were installed, for questions about it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.installed_packages import install, make_project

from reconix.composition.subject import HostSubject
from reconix.nix.chroot import ChrootStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def host(tmp_path: Path) -> HostSubject:
    return HostSubject.read(make_project(tmp_path / "project"), "gw")


@pytest.fixture
def built(store: ChrootStore) -> ChrootStore:
    """The store, once the packages of each system are installed."""
    install(store)
    return store
