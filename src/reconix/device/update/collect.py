"""Collecting: give back the space of generations that nobody goes back to.

Kept are the committed generation, the one before it, one that is on its way, and one that is live
(``device/select/live_generation.py``). The manifests of the others go first, then the images and
contents that no manifest leads to: whatever is named is there. What a cut left of a receive goes,
too.

Tested by ``tests/crash/test_agent_cut.py``.
"""

from reconix.boot.trial import State
from reconix.device.device import Device
from reconix.device.state.live_note import read_live
from reconix.store import collect as store
from reconix.store.collect import Collected


def collect(device: Device, state: State) -> Collected:
    """Remove what is not needed; must be called under ``exclusive_rw``.

    Raises:
        BadManifest: that of a generation that is needed; what else it needs is not known.
    """
    registry, live = device.registry, read_live(device.paths)
    for root in registry.roots():
        if str(root) not in state.needed and root != live:
            registry.remove(root)
    registry.clear_staging()
    return store.collect(registry)
