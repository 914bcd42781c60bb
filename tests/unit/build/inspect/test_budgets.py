"""Budgets, on small generations in a real store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.made_generations import generation, toplevel

from reconix.build.inspect.budgets import BudgetExceeded, check_generation, check_systems
from reconix.build.measured import Measured
from reconix.config.schema.system import Kernel, System
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees, read_device_generation, system_images
from reconix.nix.installed_size import installed_size

KERNEL = Kernel(package="linux-image-amd64")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path) as opened:
        yield opened


def test_a_system_within_its_budget_is_kept(store: ChrootStore) -> None:
    web = toplevel(store, "page" * 99)
    new, measured = generation(store, web), Measured(store)
    size = installed_size(system_images(DeviceTrees(store), web)).total_bytes
    check_systems(measured, {"web": System(kernel=KERNEL, budget=size)}, new)
    with pytest.raises(BudgetExceeded, match="1 more than its budget"):
        check_systems(measured, {"web": System(kernel=KERNEL, budget=size - 1)}, new)


def test_all_systems_together_have_a_budget_too(store: ChrootStore) -> None:
    new, measured = generation(store, toplevel(store, "page" * 99)), Measured(store)
    size = installed_size(read_device_generation(store, new).images).total_bytes
    check_generation(measured, new, None)
    check_generation(measured, new, size)
    with pytest.raises(BudgetExceeded, match="the generation has"):
        check_generation(measured, new, size - 1)
