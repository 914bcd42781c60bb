"""Which numbers devices know: those in the lock, and for the rest those of the last generation.

The lock remembers them where everybody who builds sees them. It does not have them before the first
build, nor if it was written by a release that did not do so; then the generation that was built
last on this machine tells, and what it tells goes into the lock.

Tested by ``tests/unit/build/users/test_known_ids.py``.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from reconix.build.users.static_ids import IdChanged, expect_different, read_numbers
from reconix.config.lock import HostLock
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import read_generation
from reconix.store.paths import STORE_DIR, StorePath


def of_generation(
    store: ChrootStore, generation: StorePath, systems: Collection[str]
) -> dict[str, int]:
    """The numbers of users and groups in a generation.

    Args:
        store: where it is.
        generation: its path.
        systems: those that are to be looked at; systems of Nix number their users themselves.

    Raises:
        IdChanged: a name has not the same number in all of them.
    """
    found: dict[str, int] = {}
    for system in read_generation(store.store_dir, generation).systems:
        etc = store.path(system.toplevel) / "etc"
        if system.name in systems and etc.is_symlink():
            place = store.store_dir / etc.readlink().relative_to(STORE_DIR)
            for name, number in read_numbers(place).items():
                if found.setdefault(name, number) != number:
                    raise IdChanged(name, before=found[name], after=number)
    return found


def with_numbers(lock: HostLock, before: Mapping[str, int], said: Mapping[str, int]) -> HostLock:
    """A lock that knows all numbers that devices know.

    Args:
        lock: as it stands in the file.
        before: of the generation that was built last.
        said: what somebody decides for this build; it counts most.

    Raises:
        IdTaken: two names would have one.
    """
    numbers = {**before, **lock.numbers, **said}
    expect_different(numbers)
    return replace(lock, numbers=numbers)
