"""Frozen systems: a change that was meant for another system must not reach them.

Whether it does is visible from the store alone: two systems are the same if their toplevels have
one path. If they do not, the error lists what differs (``differences.py``).

Tested by ``tests/unit/build/inspect/test_frozen.py``.
"""

from collections.abc import Iterable, Mapping

from reconix.base.errors import ReconixError
from reconix.build.inspect.differences import first_differences
from reconix.config.schema.system import System
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import read_generation
from reconix.store.paths import StorePath


class FrozenChanged(ReconixError):
    """A system that is frozen would be changed."""

    exit_code = 63

    def __init__(self, system: str, reasons: Iterable[str]) -> None:
        told = "".join(f"\n  {reason}" for reason in reasons)
        super().__init__(
            f"the system {system} is frozen and would change:{told}",
            hint="undo what reaches it, or remove frozen from it for this build",
        )


def check(
    store: ChrootStore, systems: Mapping[str, System], new: StorePath, old: StorePath | None
) -> None:
    """Compare the frozen systems of a generation with those of the one before.

    Args:
        store: where both are.
        systems: those of the configuration, by name.
        new: the generation that was built.
        old: the one before, if there is one.

    Raises:
        FrozenChanged: a frozen system is not what it was.
    """
    after, before = _toplevels(store, new), _toplevels(store, old) if old else {}
    for name, system in systems.items():
        if system.frozen and name in before and before[name] != after[name]:
            raise FrozenChanged(name, first_differences(store, before[name], after[name]))


def _toplevels(store: ChrootStore, generation: StorePath) -> dict[str, StorePath]:
    found = read_generation(store.store_dir, generation)
    return {system.name: system.toplevel for system in found.systems}
