"""Budgets: how large a system, or all systems of a host together, may become.

A team that ships a device wants to know when a system has grown. Its size is visible from the store
alone: a system is a closure, and its size is the sum of its objects.

Tested by ``tests/unit/build/inspect/test_budgets.py``.
"""

from collections.abc import Mapping

from reconix.base.errors import ReconixError
from reconix.config.schema.system import System
from reconix.config.schema.values import print_size
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import read_generation
from reconix.store.paths import StorePath


class BudgetExceeded(ReconixError):
    """A system, or all of a host together, has become larger than it may be."""

    exit_code = 63

    def __init__(self, what: str, *, size_bytes: int, budget_bytes: int) -> None:
        super().__init__(
            f"{what} has {size_bytes} bytes, "
            f"{size_bytes - budget_bytes} more than its budget of {budget_bytes}",
            hint=f"remove something, or raise budget (now {print_size(budget_bytes)})",
        )


def check_systems(store: ChrootStore, systems: Mapping[str, System], generation: StorePath) -> None:
    """Hold each system of a generation against its budget, if it has one.

    Args:
        store: where the generation is.
        systems: those of the configuration, by name.
        generation: what was built from them.

    Raises:
        BudgetExceeded: a system is too large.
    """
    for built in read_generation(store.store_dir, generation).systems:
        system = systems.get(built.name)
        if system is not None and system.budget is not None:
            _check_budget(store, f"the system {built.name}", built.toplevel, system.budget)


def check_generation(store: ChrootStore, generation: StorePath, budget: int | None) -> None:
    """Hold all systems of a host together against their budget, if they have one.

    Raises:
        BudgetExceeded: they are too large.
    """
    if budget is not None:
        _check_budget(store, "the generation", generation, budget)


def _check_budget(store: ChrootStore, what: str, path: StorePath, budget: int) -> None:
    size = sum(store.info(each).nar_size_bytes for each in store.closure(path))
    if size > budget:
        raise BudgetExceeded(what, size_bytes=size, budget_bytes=budget)
