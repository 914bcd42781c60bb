"""The device that most faults happen to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.device_model import Machine

from reconix.nix.chroot import ChrootStore


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A device that runs generation one; generation two is in its store."""
    with ChrootStore(tmp_path / "build") as store:
        machine = Machine.make(tmp_path / "device", store)
        machine.generation("two")
        machine.install("two")
        machine.boot()
        yield machine
