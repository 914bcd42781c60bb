"""Budgets: how large a system, or all systems of a host together, may become.

A team that ships a device wants to know when a system has grown. Its size is what a device needs to
have it: each content once, and images (``nix/installed_size.py``).

Tested by ``tests/unit/build/inspect/test_budgets.py``.
"""

from collections.abc import Mapping

from reconix.base.errors import ReconixError
from reconix.build.measured import Measured
from reconix.config.schema.system import System
from reconix.config.schema.values import print_size
from reconix.nix.installed import Installed
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


def check_systems(measured: Measured, systems: Mapping[str, System], generation: StorePath) -> None:
    """Hold each system of a generation against its budget, if it has one.

    Args:
        measured: of the store that has the generation.
        systems: those of the configuration, by name.
        generation: what was built from them.

    Raises:
        BudgetExceeded: a system is too large.
    """
    for built in read_generation(measured.store.store_dir, generation).systems:
        system = systems.get(built.name)
        if system is not None and system.budget is not None:
            found = measured.system(built.toplevel)
            _check_budget(f"the system {built.name}", found, system.budget)


def check_generation(measured: Measured, generation: StorePath, budget: int | None) -> None:
    """Hold all systems of a host together against their budget, if they have one.

    Raises:
        BudgetExceeded: they are too large.
    """
    if budget is not None:
        _check_budget("the generation", measured.generation(generation), budget)


def _check_budget(what: str, installed: Installed, budget: int) -> None:
    size = installed.size.total_bytes
    if size > budget:
        raise BudgetExceeded(what, size_bytes=size, budget_bytes=budget)
