"""Arming: let the next boot be the trial of what is written to a slot, or take that back.

It is recorded first, then told to the firmware, or to the disk where the configuration says so: no
trial that nobody counted. Slot and system are armed together, or neither. A system can be tried
only if it has an agent: somebody must say that it is healthy.

Tested by ``tests/unit/device/update/test_apply.py``, ``tests/unit/device/test_firmware_memory.py``
and ``tests/crash/test_agent_cut.py``.
"""

from reconix.base.errors import ReconixError
from reconix.base.records import replace
from reconix.boot.oneshots.oneshot import OneShots
from reconix.boot.oneshots.variables import FirmwareRefuses
from reconix.boot.tables import Slot
from reconix.boot.transitions import Armed, Cancelled
from reconix.boot.trial import Phase, Reason, State
from reconix.device.device import Device
from reconix.device.settings.health import can_be_proven
from reconix.device.settings.policy import read_policy
from reconix.device.state.choice import read_choice, wanted_always, write_choice
from reconix.device.state.faults import record_faults
from reconix.device.state.record import record
from reconix.store.generation import Generation, InstalledSystem


class WithoutAgent(ReconixError):
    """A system must show that it is healthy, and has no agent for that."""

    exit_code = 71

    def __init__(self, system: str) -> None:
        super().__init__(
            f"system {system} has no agent that could report its health",
            hint=f"choose it for one boot: reconix-device boot {system}",
        )


def has_agent(device: Device, system: InstalledSystem) -> bool:
    """Whether a system has an agent that says whether it is healthy."""
    return can_be_proven(device.registry, system.toplevel)


def expect_agent(device: Device, generation: Generation, system: str) -> None:
    """Check that a system can report that it is healthy.

    Raises:
        WithoutAgent: it cannot.
    """
    if not has_agent(device, generation.system(system)):
        raise WithoutAgent(system)


def arm(device: Device, state: State, *, system: str | None) -> Slot:
    """Make the next boot the trial of what is written; must be called under ``exclusive_rw``.

    Slot and system are armed together: if either is refused, neither is.

    Raises:
        FirmwareRefuses: it does not take part. The update has ended, with this as the reason.
        UnknownSystem: nothing was armed.
    """
    trial = state.trial
    assert trial is not None and trial.slot is not None
    generation = device.generation(trial.generation)
    by_disk = not _needs_firmware(device, generation)
    one_shot: OneShots = device.disk_one_shot if by_disk else device.firmware
    name = generation.default if by_disk or system is None else generation.system(system).name
    before = read_choice(device.paths.choice)
    record_faults(device.paths)
    after = record(device.paths, state, Armed())
    write_choice(device.paths.choice, replace(before, once=name))
    try:
        if by_disk:
            device.firmware.disarm(None)  # or the system that it names would be tried
        one_shot.arm(device.selection(), trial.slot, name)
    except FirmwareRefuses as error:
        write_choice(device.paths.choice, before)
        if state.phase is Phase.ARMED:  # it was armed before, perhaps with another system
            disarm(device, state)
        record(device.paths, after, Cancelled(Reason.FIRMWARE, str(error)))
        raise
    return trial.slot


def disarm(device: Device, state: State) -> None:
    """Boot the committed slot next, and what it would start if there had been no trial.

    Raises:
        FirmwareRefuses: it cannot be told.
    """
    choice, system = read_choice(device.paths.choice), device.firmware.asked_for()
    if state.phase is Phase.ARMED:  # what was asked for once was the system of the trial
        choice = replace(choice, once=None)
        system = wanted_always(choice)
    for one_shot in device.one_shots:
        one_shot.disarm(system)
    write_choice(device.paths.choice, choice)


def _needs_firmware(device: Device, generation: Generation) -> bool:
    default = generation.system(generation.default).toplevel
    return read_policy(device.registry, default).needs_firmware
