"""Choosing the system of the next boot, or of every boot.

How it is kept is told in ``device/state/choice.py``. A system that is about to take over by a soft
reboot (``device/select/soft_reboot.py``) is remembered in memory only, and the firmware is not
told: whatever happens then, the next boot is the one that there would have been without it. Nothing
is written, unless there is a choice for that boot to take back.

Tested by ``tests/unit/device/select/test_choose.py``.
"""

from contextlib import AbstractContextManager
from enum import Enum

from reconix.base.records import replace
from reconix.device.device import Device
from reconix.device.settings.policy import read_policy
from reconix.device.state.choice import Always, read_choice, wanted_always, well, write_choice
from reconix.device.state.lock import exclusive, exclusive_rw
from reconix.device.trial.arm import expect_agent
from reconix.store.generation import Generation


class Reboot(Enum):
    """The kind of reboot that starts a system."""

    FULL = "by the firmware"
    SOFT = "by a soft reboot"


def choose_once(device: Device, system: str, kind: Reboot = Reboot.FULL) -> None:
    """Start a system at the next boot only; must be called under ``exclusive_rw``.

    Raises:
        UnknownSystem: the committed generation has no such system.
        OnTrial: the next boot is a trial, or this one is.
    """
    _bootable(device).system(system)
    before = read_choice(device.paths.choice)
    once = system if kind is Reboot.FULL else None
    write_choice(device.paths.choice, replace(before, once=once))
    asked = once or wanted_always(before)
    if device.firmware.asked_for() != asked:
        device.firmware.ask_for(asked)


def choosing(device: Device, kind: Reboot, *, always: bool = False) -> AbstractContextManager[None]:
    """Hold the lock of the device, with a writable disk only where that is needed."""
    return (exclusive_rw if writes(device, kind, always=always) else exclusive)(device.paths)


def writes(device: Device, kind: Reboot, *, always: bool = False) -> bool:
    """Whether choosing a system for this kind of reboot changes the disk."""
    is_pending = read_choice(device.paths.choice).once is not None
    return kind is Reboot.FULL or always or is_pending


def choose_always(device: Device, system: str, kind: Reboot = Reboot.FULL) -> None:
    """Start a system at the next boot and, as long as it comes up healthy, at all that follow.

    Raises:
        UnknownSystem: the committed generation has no such system.
        WithoutAgent: it could not ask for itself again.
        OnTrial: the next boot is a trial, or this one is.
    """
    generation = _bootable(device)
    wanted = generation.system(system).name
    expect_agent(device, generation, wanted)
    policy = read_policy(device.registry, generation.system(wanted).toplevel)
    is_default = wanted == generation.default
    always = None if is_default else Always(wanted, failures_allowed=policy.always_attempts)
    before = read_choice(device.paths.choice)
    write_choice(device.paths.choice, replace(well(before, wanted), once=None, always=always))
    device.firmware.ask_for(wanted if always and kind is Reboot.FULL else None)


def _bootable(device: Device) -> Generation:
    state = device.recall()
    state.expect_no_trial()
    return device.generation(state.committed.generation)
