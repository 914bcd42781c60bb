"""The IDs that devices know: those in the lock, and for other names those of the last generation.

The lock records them, where everybody who builds sees them. It has none before the first build, or
if an older release wrote it; then they are read from the generation that was built last on this
machine, and added to the lock.

Tested by ``tests/unit/build/users/test_known_ids.py``.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from reconix.build.users.static_ids import IdChanged, expect_distinct, read_ids
from reconix.config.lock.hosts import HostLock
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import read_generation
from reconix.store.paths import STORE_DIR, StorePath


def of_generation(
    store: ChrootStore, generation: StorePath, systems: Collection[str]
) -> dict[str, int]:
    """The IDs of users and groups in a generation.

    Args:
        store: where it is.
        generation: its path.
        systems: which to look at; systems of Nix assign their own IDs.

    Raises:
        IdChanged: a name has different IDs in two of them.
    """
    found: dict[str, int] = {}
    for system in read_generation(store.store_dir, generation).systems:
        etc = store.path(system.toplevel) / "etc"
        if system.name in systems and etc.is_symlink():
            place = store.store_dir / etc.readlink().relative_to(STORE_DIR)
            for name, number in read_ids(place).items():
                if found.setdefault(name, number) != number:
                    raise IdChanged(name, before=found[name], after=number)
    return found


def with_ids(lock: HostLock, before: Mapping[str, int], overrides: Mapping[str, int]) -> HostLock:
    """A lock with all IDs that devices know.

    Args:
        lock: as it stands in the file.
        before: of the generation that was built last.
        overrides: what was decided for this build; these win.

    Raises:
        IdTaken: two names would share one.
    """
    ids = {**before, **lock.numbers, **overrides}
    expect_distinct(ids)
    return replace(lock, numbers=ids)
