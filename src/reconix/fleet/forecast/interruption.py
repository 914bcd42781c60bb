"""What an update interrupts on a device, as its agent will decide it.

=============  =================================================================================
nothing        the system that runs, the default one, and how both are started stay the same
containers     of the system that runs only its containers are others
restart        all else: the generation is tried by a restart
=============  =================================================================================

The agent decides by what runs; here that is the system that it has named, else the default one, and
its code is asked with the trees of the build store.

Tested by ``tests/unit/fleet/forecast/test_interruption.py``, against what the agent then does.
"""

from dataclasses import dataclass
from enum import Enum

from reconix.base.files import read_bounded
from reconix.boot.loaders.loader import STORED
from reconix.boot.tree import BootTree
from reconix.device.settings import policy
from reconix.device.settings.policy import Policy, Untouched, parse_policy
from reconix.device.update.live import differ_in_containers
from reconix.device.update.untouched import start_alike
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import LINKS_TO_SIDECARS
from reconix.store.generation import Generation, InstalledSystem
from reconix.store.paths import StorePath
from reconix.store.scan import Scanner


class Interrupted(Enum):
    """What does not go on as it was."""

    NOTHING = "nothing"
    CONTAINERS = "containers"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Interruption:
    """What an update interrupts.

    Attributes:
        what: that.
        system: the one that runs afterwards.
        policy: of the system that runs before it: when it may be interrupted.
    """

    what: Interrupted
    system: str
    policy: Policy

    @property
    def when(self) -> str:
        """When the device does it by itself."""
        if not self.policy.automatic:
            return "when somebody restarts it"
        return f"within {self.policy.window}" if self.policy.window else "at once"


def interruption(
    store: ChrootStore,
    base: Generation | None,
    target: Generation,
    *,
    running: str = "",
    restarts: bool = False,
) -> Interruption:
    """What a device does when it has received a generation.

    Args:
        store: has the generations.
        base: what it has committed; ``None``: nobody knows.
        target: what it has received.
        running: the system that runs, if that is known.
        restarts: whether a restart was asked for.
    """
    names = [system.name for system in target.systems]
    tried = running if running in names else target.default
    before = None if base is None else _named(base, running or base.default)
    if base is None or before is None:
        return Interruption(Interrupted.RESTART, tried, Policy())
    said = _policy(store, before.toplevel)
    is_tried = restarts or said.untouched is Untouched.TRIAL
    what = Interrupted.RESTART if is_tried else _interrupted(store, base, target, before)
    return Interruption(what, tried, said)


def _interrupted(
    store: ChrootStore, base: Generation, target: Generation, before: InstalledSystem
) -> Interrupted:
    after = _named(target, before.name)
    if after == before:
        alike = start_alike(base, target, lambda each: _boot_tree(store, each), also=before.name)
        return Interrupted.NOTHING if alike else Interrupted.RESTART
    if after is None or not _only_containers(store, before.toplevel, after.toplevel):
        return Interrupted.RESTART
    alike = start_alike(base, target, lambda each: _boot_tree(store, each), but=before.name)
    return Interrupted.CONTAINERS if alike else Interrupted.RESTART


def _only_containers(store: ChrootStore, one: StorePath, other: StorePath) -> bool:
    first, second = (
        Scanner().scan(store.path(path), {}, frozenset({LINKS_TO_SIDECARS}))
        for path in (one, other)
    )
    return differ_in_containers(first, second)


def _boot_tree(store: ChrootStore, generation: Generation) -> BootTree:
    """The files of a boot tree by their content; without kernels, which have it in their names."""
    files = BootTree.read(store.path(generation.boot)).files
    kept = {file.path: b"".join(file.chunks()) for file in files if not _is_stored(file.path)}
    return BootTree.of(kept)


def _is_stored(path: str) -> bool:
    return path.startswith(f"{STORED}/")


def _policy(store: ChrootStore, toplevel: StorePath) -> Policy:
    path = store.path(toplevel) / policy.NAME
    if not path.exists():
        return Policy()
    return parse_policy(read_bounded(path, policy.MAX_BYTES), source=str(path))


def _named(generation: Generation, name: str) -> InstalledSystem | None:
    return next((system for system in generation.systems if system.name == name), None)
