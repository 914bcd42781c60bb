"""Receiving an update: from a stream to an installed generation, on the device.

Proven by ``tests/unit/device/test_receiving.py``.
"""

from collections.abc import Callable

from reconix.base.errors import ReconixError
from reconix.boot.trial import Phase
from reconix.device import events
from reconix.device.apply import OnTrial
from reconix.device.booted import UnknownBoot, read_booted
from reconix.device.device import Device, toplevel_folder
from reconix.device.policy import read_policy
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
    """Take in a stream; must be called while ``working``. A second time nothing is written.

    Raises:
        UpdatesForbidden: the system that runs may not.
        OnTrial: first the trial that runs must end.
        ReconixError: see ``transfer/receive.py``; nothing was installed.
    """
    _check_allowed(device)
    state = device.recall()
    if state.trial is not None and state.phase in (Phase.ON_TRIAL, Phase.REJECTED):
        raise OnTrial(state.trial.generation)
    ours = device.generation(state.committed.generation)
    before = device.installed()
    manifest = receive_stream(read, device.registry, host=ours.host, architecture=ours.architecture)
    device.generation(manifest.root)
    if manifest.root not in before:
        events.record(device.places.log, "installed", generation=str(manifest.root))
    return manifest.root


def _check_allowed(device: Device) -> None:
    try:
        booted = read_booted(device.places.booted)
    except UnknownBoot:
        return  # nothing says so; a device that cannot be updated could not be mended either
    if not read_policy(toplevel_folder(device.places, booted.toplevel)).receive:
        raise UpdatesForbidden(booted.system)
