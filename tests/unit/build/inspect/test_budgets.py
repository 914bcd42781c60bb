"""Budgets, on small generations in a real store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.made_generations import generation, toplevel

from reconix.build.inspect.budgets import BudgetExceeded, check_generation, check_systems
from reconix.config.schema.system import Kernel, System
from reconix.nix.chroot import ChrootStore

KERNEL = Kernel(package="linux-image-amd64")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path) as opened:
        yield opened


def test_a_system_within_its_budget_is_kept(store: ChrootStore) -> None:
    web = toplevel(store)
    size = sum(store.info(path).nar_size_bytes for path in store.closure(web))
    new = generation(store, web)
    check_systems(store, {"web": System(kernel=KERNEL, budget=size)}, new)
    with pytest.raises(BudgetExceeded, match="1 more than its budget"):
        check_systems(store, {"web": System(kernel=KERNEL, budget=size - 1)}, new)


def test_all_systems_together_have_a_budget_too(store: ChrootStore) -> None:
    new = generation(store, toplevel(store))
    size = sum(store.info(path).nar_size_bytes for path in store.closure(new))
    check_generation(store, new, None)
    check_generation(store, new, size)
    with pytest.raises(BudgetExceeded, match="the generation has"):
        check_generation(store, new, size - 1)
