"""Receiving an update: from a stream to an installed generation, on the device.

Proven by ``tests/unit/device/test_receiving.py``.
"""

from collections.abc import Callable

from reconix.base.errors import ReconixError
from reconix.boot.trial import Phase
from reconix.device import events
from reconix.device.apply import OnTrial
from reconix.device.device import Device
from reconix.store.paths import StorePath
from reconix.transfer.receive import receive as receive_stream


class UpdatesForbidden(ReconixError):
    """The system that runs may not take updates."""

    exit_code = 77

    def __init__(self, system: str) -> None:
        super().__init__(
            f"system {system} may not receive updates (update.receive = false)",
            hint="boot another system first: `reconix-device boot default --now`",
        )


def receive(device: Device, read: Callable[[int], bytes]) -> StorePath:
    """Take in a stream; must be called while ``working``.

    Raises:
        OnTrial: first the trial that runs must end.
        ReconixError: see ``transfer/receive.py``; nothing was installed.
    """
    state = device.recall()
    if state.trial is not None and state.phase in (Phase.ON_TRIAL, Phase.REJECTED):
        raise OnTrial(state.trial.generation)
    ours = device.generation(state.committed.generation)
    manifest = receive_stream(read, device.registry, host=ours.host, architecture=ours.architecture)
    device.generation(manifest.root)
    events.record(device.places.log, "installed", generation=str(manifest.root))
    return manifest.root
