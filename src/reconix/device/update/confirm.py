"""Confirming: what is on trial becomes what boots from now on.

The slot is selected first, by one sector, or, where it is selected already, the one-shot of the
disk is removed; then that is recorded, then the system that is wanted always is asked for again,
then space is freed. A cut after the first step is found at the next start, which records what the
table says already; a cut before it ends the trial.

Only the generation under trial confirms itself, only from its own slot, only before its deadline.

Tested by ``tests/unit/device/update/test_confirm.py`` and ``tests/crash/test_agent_cut.py``.
"""

from collections.abc import Callable

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.boot.tables import Slot, read_selection, select_slot
from reconix.boot.transitions import Confirmed, advance
from reconix.boot.trial import Phase, State
from reconix.device.device import Device
from reconix.device.hardware.disk import open_disk
from reconix.device.state import events
from reconix.device.state.choice import read_choice, renewed, write_choice
from reconix.device.state.record import record
from reconix.device.state.running import Running, read_boot_id, read_running
from reconix.device.trust_store import settle
from reconix.device.update.collect import collect


class TooLate(ReconixError):
    """The deadline of a trial has passed."""

    exit_code = 74


def confirm(device: Device) -> bool:
    """Keep what is on trial; must be called under ``exclusive_rw``.

    Returns:
        False if it was kept already, and nothing was done.

    Raises:
        NotNow: nothing is on trial.
        WrongSlot: something is, but that is not what runs.
        TooLate: the deadline has passed.
    """
    booted = read_running(device.paths.booted)
    state = device.recall()
    if state.phase is Phase.IDLE and state.committed.slot == booted.slot:
        return False
    _check(device, state, booted)
    select(device, booted.slot)
    device.disk_one_shot.keep()
    state = record(device.paths, state, Confirmed(booted.slot))
    progress.note(f"confirmed {state.committed.generation}")
    tidy(device, state, keep_system)
    return True


def select(device: Device, slot: Slot) -> None:
    """Boot a slot from now on: one sector."""
    with open_disk(device.paths) as disk:
        for fault in select_slot(disk, slot):
            events.append(device.paths.log, "repaired", text=fault)
        assert read_selection(disk).slot == slot


def tidy(device: Device, state: State, *first: Callable[[Device], None]) -> None:
    """What can also be done later; the generation is kept, whatever happens here."""
    try:
        for step in first:
            step(device)
        settle(device)
        collected = collect(device, state)
    except (ReconixError, OSError) as error:
        progress.note(f"cannot tidy up: {error}")
    else:
        progress.note(f"collected {collected.count} files, {collected.size_bytes} bytes")


def keep_system(device: Device) -> None:
    """A healthy system that is wanted always is asked for at the next boot again."""
    follow = renewed(read_choice(device.paths.choice))
    write_choice(device.paths.choice, follow.choice)
    if follow.ask_for is not None:
        device.firmware.ask_for(follow.ask_for)


def _check(device: Device, state: State, booted: Running) -> None:
    """Ask the rules before the slot is selected; they cannot be asked to undo it."""
    advance(state, Confirmed(booted.slot))
    if booted.boot_id != read_boot_id(device.paths) or device.clock.now() > booted.deadline_seconds:
        raise TooLate("the trial deadline has passed", hint="the device will restart by itself")
