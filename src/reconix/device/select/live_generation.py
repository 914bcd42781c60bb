"""Live: an installed generation runs until the next boot, and nothing on the disk says so.

For whoever develops on a device. No slot is written, no trial armed, no firmware told: the system
that runs is started from the new generation by a soft reboot, all of it, with its own ``/usr``,
``/etc``, trees and containers. So whatever happens then, the next boot is that of the committed
generation, and until then all is as it would be if this one were committed.

=========================  ========================================================================
refused                    with another kernel or settings that it keeps (``soft_reboot.py``), while
                           a trial is under way, where updates are forbidden, and where they must be
                           signed and this one was taken without
while it runs              ``booted`` names it; an update is tried by a restart, since what runs is
                           not what is committed; nothing collects it
not healthy                the device restarts
=========================  ========================================================================

Tested by ``tests/unit/device/select/test_live_generation.py`` and
``tests/vm/test_containers.py``.
"""

from reconix.base.errors import ReconixError
from reconix.device.device import Device
from reconix.device.select.soft_reboot import obstacle_to
from reconix.device.state.running import read_running
from reconix.device.trust_store import TrustStore
from reconix.device.update.receive import expect_allowed
from reconix.store.generation import InstalledSystem, expect_known
from reconix.store.paths import StorePath


class NotLive(ReconixError):
    """A generation cannot run before it is committed."""

    exit_code = 77

    def __init__(self, reason: str) -> None:
        super().__init__(f"this cannot run live: {reason}", hint="deploy it without --live")


def live_system(device: Device, path: StorePath) -> InstalledSystem:
    """The system of an installed generation that is to take over; it has the name of what runs.

    Raises:
        BadGeneration: there is no such generation, or none that this agent knows.
        UnknownSystem: it has no such system.
        OnTrial: a trial is under way.
        UpdatesForbidden: what runs wants none.
        NotLive: it cannot take over, or was not signed.
    """
    expect_allowed(device)
    device.recall().expect_no_trial()
    generation = device.generation(path)
    expect_known(generation)
    _expect_trusted(device, path)
    system = generation.system(read_running(device.paths.booted).system)
    if reason := obstacle_to(device, system):
        raise NotLive(reason)
    return system


def _expect_trusted(device: Device, path: StorePath) -> None:
    """What was received before signatures were required is kept, and not to be run."""
    store = TrustStore.read(device)
    is_signed = str(path) in store.state.sequences or store.committed == str(path)
    if store.trust.required and not is_signed:
        raise NotLive("updates must be signed here, and this one was taken without a signature")
