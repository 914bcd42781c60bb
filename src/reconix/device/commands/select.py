"""Commands that select a system: boot, and what the schedule wants.

Tested by ``tests/unit/device/test_main.py`` and ``tests/unit/device/select/``.
"""

import time
from enum import Enum

from reconix.base import progress
from reconix.device.commands.restarting import Tell, restart
from reconix.device.device import Device
from reconix.device.hardware.inhibitors import RestartInhibited
from reconix.device.select.choose import Reboot, choose_always, choose_once, choosing
from reconix.device.select.follow import due, note_due
from reconix.device.select.live_generation import live_system
from reconix.device.select.soft_reboot import obstacle, soft_reboot
from reconix.store.paths import StorePath


class When(Enum):
    """When a system is to start."""

    LATER = "at the next restart"
    NOW = "now, by a soft reboot where that can be"
    NOW_FULLY = "now, with the kernel"


def boot_system(device: Device, tell: Tell, system: str, when: When, *, always: bool) -> None:
    """Choose the system of the next boot, or of all that follow, and start it when it is wanted."""
    kind = Reboot.FULL
    if when is When.NOW:
        kind = _fitting(device, system)
    with choosing(device, kind, always=always):
        (choose_always if always else choose_once)(device, system, kind)
    if kind is Reboot.FULL:
        tell(f"{'every boot' if always else 'the next boot'} starts system {system}")
    if when is not When.LATER:
        _reboot(device, tell, system, kind)


def run_live(device: Device, tell: Tell, generation: StorePath) -> None:
    """Start an installed generation by a soft reboot, until the next boot."""
    with choosing(device, Reboot.SOFT):
        system = live_system(device, generation)
        choose_once(device, system.name, Reboot.SOFT)
        is_committed = device.recall().committed.generation == str(generation)
    tell(f"system {system.name} takes over, from {generation}, until the next boot")
    soft_reboot(device.paths, system, live=None if is_committed else generation)


def follow_schedule(device: Device, tell: Tell) -> None:
    """Start the system that is due by the schedule."""
    found = due(device, time.time())
    if found is None:
        tell("there is no schedule")
        return
    if found.start is None:
        tell(f"wanted: {found.wanted}")
        note_due(device.paths, found)
        return
    kind = _fitting(device, found.start)
    with choosing(device, kind):
        choose_once(device, found.start, kind)
    note_due(device.paths, found)
    try:
        _reboot(device, tell, found.start, kind)
    except RestartInhibited:
        device.paths.schedule.unlink(missing_ok=True)  # so it is wanted still at the next look
        raise


def _fitting(device: Device, system: str) -> Reboot:
    """The kind of reboot that starts a system with the least that stops."""
    reason = obstacle(device, system)
    if reason is None:
        return Reboot.SOFT
    progress.note(f"full restart: {reason}")
    return Reboot.FULL


def _reboot(device: Device, tell: Tell, system: str, kind: Reboot) -> None:
    if kind is Reboot.FULL:
        restart(tell)
        return
    committed = device.generation(device.recall().committed.generation)
    tell(f"system {system} takes over")
    soft_reboot(device.paths, committed.system(system))
