"""Collecting: give back the space of generations that nobody goes back to.

Kept are the committed generation, the one before it, and one that is on its way. The manifest of a
generation goes first, then the objects that no manifest names: whatever is named is there. What a
cut left of a receive goes, too: it would be verified before it is used, and is made anew instead.

Tested by ``tests/crash/test_agent_cut.py``.
"""

from reconix.boot.trial import State
from reconix.device.device import Device
from reconix.store import collect as objects
from reconix.store.collect import Collected


def collect(device: Device, state: State) -> Collected:
    """Remove what is not needed; must be called under ``exclusive_rw``."""
    registry = device.registry
    for manifest in registry.manifests():
        if str(manifest.root) not in state.needed:
            registry.remove(manifest.root)
    registry.clear_staging()
    return objects.collect(registry.store_dir, registry.manifests())
