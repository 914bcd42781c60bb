"""Starting: find out what runs, and what that says about the boot before.

Run once, early at each boot: it reads the facts, has ``boot_plan.py`` decide what follows, and does
that. It leaves a note for everybody (``device/state/running.py``), tells the state what happened,
and follows up: a trial that was cut short is armed again, a system that is wanted always and did
not come up is asked for again. An ordinary boot writes nothing to the disk.

Before anything that could fail on what an earlier agent left, it leaves ``/run/reconix/committed``
if this is no trial: then, whatever fails here does not make the device restart.

Tested by ``tests/unit/device/select/test_start.py`` and ``tests/crash/test_agent_cut.py``.
"""

import contextlib
import os
from collections.abc import Collection

from reconix.base import progress
from reconix.base.documents import BadDocument
from reconix.base.errors import ReconixError
from reconix.base.files import BadFile, write_durably
from reconix.base.records import dataclass
from reconix.boot.oneshots.foreign_settings import Setting, Slots
from reconix.boot.oneshots.variables import FirmwareRefuses
from reconix.boot.tables import DiskIsShort, Selection, Slot, read_selection, repair
from reconix.boot.transitions import WrongSlot, advance
from reconix.boot.trial import Phase, Reason, State, Verdict
from reconix.device.device import Device
from reconix.device.hardware.disk import open_disk
from reconix.device.hardware.reset_reason import ResetReason, forget_panic, read_reset_reason
from reconix.device.select.boot_plan import Boot, Facts, Plan, decide
from reconix.device.settings.health import MAX_TIMEOUT_SECONDS, read_health
from reconix.device.settings.policy import read_policy
from reconix.device.state import events, running
from reconix.device.state.choice import Choice, read_choice, wanted_always, write_choice
from reconix.device.state.live_note import read_live
from reconix.device.state.lock import exclusive_rw
from reconix.device.state.record import record, record_found
from reconix.device.state.running import Running, UnknownBoot, soft_reboot_target
from reconix.device.trial.arm import arm, has_agent
from reconix.device.trial.disks import CopyAttached, copies, expect_fit_disk, note_hardware
from reconix.store.generation import BadGeneration, Generation
from reconix.store.layout import expect_layout
from reconix.store.paths import StorePath


@dataclass(frozen=True, slots=True)
class Started:
    """What was found out, and whether the device should restart at once, to try something again."""

    booted: Running
    restart: bool = False


def start(device: Device) -> Started:
    """Find out what runs and follow up; a second time in the same boot changes nothing.

    Raises:
        UnknownBoot: this was not started as a system of ours.
        OtherLayout: its disk is none that this agent knows.
    """
    if (noted := _note_of_this_boot(device)) is not None:
        return Started(noted)
    selection = device.selection()
    copied = bool(copies(device.paths, selection.tables))
    boot = _read_boot(device, selection, is_sole=not copied)
    if boot.slot == boot.selected:
        write_durably(device.paths.is_committed, b"")
    expect_layout(device.paths.system)
    started = _do(device, decide(read_facts(device, selection, boot)))
    _tell_of_disk(device)
    if not copied:
        note_hardware(device.paths)
    _make_key_already(device)
    return started


def _make_key_already(device: Device) -> None:
    """Make the key of a new device, if there are random bytes so early: no start waits for them.

    Else its unit makes it, and says what is in the way; that is another start of Python, which
    takes a slow device a tenth of its first boot.
    """
    if os.path.lexists(device.paths.device_key):
        return
    from reconix.device.state.secrets import make_device_key  # late: once in the life of a device

    with contextlib.suppress(ReconixError, OSError):
        os.getrandom(1, os.GRND_NONBLOCK)
        make_device_key(device.paths)


def _note_of_this_boot(device: Device) -> Running | None:
    boot_id = running.read_boot_id(device.paths)
    try:
        noted = running.read_running(device.paths.booted)
    except (UnknownBoot, BadDocument, BadFile):
        return None
    same = noted.boot_id == boot_id and noted.toplevel == running.read_toplevel(device.paths)
    return noted if same else None


def _tell_of_disk(device: Device) -> None:
    """Say why no update can be taken, if the disk is the reason; no start fails of it."""
    try:
        expect_fit_disk(device)
    except (ReconixError, OSError) as error:
        progress.note(f"no update can be taken: {error}")


# -- reading ---------------------------------------------------------------------------------------


def _read_boot(device: Device, selection: Selection, *, is_sole: bool) -> Boot:
    paths = device.paths
    toplevel = running.read_toplevel(paths)
    return Boot(
        boot_id=running.read_boot_id(paths),
        toplevel=toplevel,
        slot=_slot_that_booted(device, selection, toplevel, is_sole=is_sole),
        selected=selection.slot,
        soft_reboot_target=soft_reboot_target(paths),
        soft_reboots=running.read_soft_reboots(paths),
    )


def _slot_that_booted(
    device: Device, selection: Selection, toplevel: StorePath, *, is_sole: bool
) -> Slot:
    """The slot that the firmware tells, or the table; a copy of the disk has the same slots.

    So if there is one, the generation of the slot must have the system that runs: otherwise what
    an old copy started would pass for the trial of something new.
    """
    if (adopted := running.read_adopted(device.paths)) is not None:
        return adopted.slot
    told = selection.tables.slot_with(device.firmware.booted_partition())
    if told is None:
        return _slot_by_table(device)
    return told if is_sole or _has_system(device, told, toplevel) else selection.slot


def _has_system(device: Device, slot: Slot, toplevel: StorePath) -> bool:
    generation = device.recall().in_slot(slot)
    return generation is not None and device.generation(generation).running(toplevel) is not None


def _slot_by_table(device: Device) -> Slot:
    """The slot that the table selects, for a firmware that does not tell which one it took."""
    with open_disk(device.paths) as disk:
        return read_selection(disk).slot


def read_facts(device: Device, selection: Selection, boot: Boot) -> Facts:
    """Read all that a start decides on; changes nothing."""
    remembered = device.remembered()
    reset_reason = _reset_reason(device, selection, remembered)
    state = _state_before(device, boot, reset_reason, remembered)
    choice = read_choice(device.paths.choice)
    return Facts(
        boot=boot,
        reset_reason=reset_reason,
        state=state,
        is_remembered=state is remembered,
        choice=choice,
        generations=_generations(device, state, boot),
        once_has_agent=choice.once is not None and _has_agent(device, state, choice.once),
        is_table_damaged=bool(selection.faults),
        foreign_settings=_foreign_settings(device, selection, choice),
        seconds_to_confirm=_seconds_to_confirm(device, boot.toplevel),
        uptime_seconds=int(device.clock.now()),
        live=_live(device, boot),
    )


def _live(device: Device, boot: Boot) -> Generation | None:
    """The generation that is live, if a system of it has taken over."""
    path = read_live(device.paths)
    if path is None or not boot.took_over:
        return None
    try:
        generation = device.generation(path)
    except BadGeneration as error:
        progress.note(str(error))
        return None
    return generation if generation.running(boot.toplevel) else None


def _reset_reason(device: Device, selection: Selection, remembered: State | None) -> ResetReason:
    """How the boot before ended, or why it was not the trial that it should have been."""
    found = read_reset_reason(device.paths)
    is_armed = remembered is not None and remembered.phase is Phase.ARMED
    trial = remembered.trial if remembered is not None and is_armed else None
    if found.reason is not Reason.UNKNOWN or trial is None or trial.slot is None:
        return found
    disk, firmware = device.disk_one_shot, device.firmware
    if disk.knows(selection, trial.slot) or firmware.knows(selection, trial.slot):
        return found
    output = 'it did not keep the variables that it was given; see the option one_shot = "disk"'
    return ResetReason(Reason.FIRMWARE, output)


def _state_before(
    device: Device, boot: Boot, reset_reason: ResetReason, remembered: State | None
) -> State:
    """What was remembered, or what the disk shows if that is nothing or cannot have led here."""
    if remembered is not None:
        try:
            advance(remembered, boot.event(reset_reason))
        except WrongSlot as error:
            progress.note(str(error))
        else:
            return remembered
    return device.find_out(Verdict(reset_reason.reason, output=reset_reason.output))


def _generations(device: Device, state: State, boot: Boot) -> dict[str, Generation]:
    """The generations of the slots in question."""
    slots = (state.committed.slot, boot.selected, boot.slot)
    found = {}
    for name in {state.in_slot(slot) for slot in slots} - {None}:
        try:
            found[str(name)] = device.generation(str(name))
        except BadGeneration as error:
            progress.note(str(error))
    return found


def _has_agent(device: Device, state: State, system: str) -> bool:
    try:
        return has_agent(device, device.generation(state.committed.generation).system(system))
    except ReconixError:
        return False


def _foreign_settings(device: Device, selection: Selection, choice: Choice) -> tuple[Setting, ...]:
    tables = selection.tables
    guids = {number: tables.slot(number).guid for number in tables.numbers}
    asked = {choice.once, wanted_always(choice)} - {None}
    try:
        found = device.firmware.foreign_settings(
            Slots(guids[selection.slot], [*guids.values()]), asked=[*map(str, asked)]
        )
    except FirmwareRefuses as error:
        progress.note(str(error))
        return ()
    return tuple(found)


def _seconds_to_confirm(device: Device, toplevel: StorePath) -> int:
    """How long a trial may take; what cannot be read is judged by ``watch``."""
    registry = device.registry
    try:
        health, policy = read_health(registry, toplevel), read_policy(registry, toplevel)
        return min(health.timeout_seconds, policy.trial_timeout_seconds)
    except (OSError, ReconixError):
        return MAX_TIMEOUT_SECONDS


# -- doing -----------------------------------------------------------------------------------------


def _do(device: Device, plan: Plan) -> Started:
    """Carry a plan out; what is for everybody to read comes when all else is done."""
    paths, boot = device.paths, plan.facts.boot
    is_told = True
    if plan.writes:
        with exclusive_rw(paths):
            is_told = _write(device, plan)
    if plan.is_chosen:
        write_durably(paths.is_chosen, b"")
    running.write_running(paths, plan.running)
    restart = (is_told and plan.restarts) or boot.did_not_take_over
    if plan.is_unproven and not restart:
        from reconix.device.trial import trap  # late: in most starts nothing is to be proven

        trap.set_up(device, plan.running.toplevel)
        write_durably(paths.is_unproven, b"")
    return Started(plan.running, restart)


def _write(device: Device, plan: Plan) -> bool:
    """Write down what happened; whether the next boot is what it should be."""
    paths, facts = device.paths, plan.facts
    if facts.is_table_damaged:
        _mend_table(device)
    if facts.is_remembered:
        record(paths, facts.state, facts.event)
    else:
        record_found(paths, plan.after)
    if facts.reset_reason.reason is Reason.PANIC:
        events.append(paths.log, "panic", text=facts.reset_reason.output)
        forget_panic(paths)
    if plan.is_committed:
        device.disk_one_shot.disarm(None)  # what it led back from was left
    write_choice(paths.choice, plan.choice)
    if facts.boot.did_not_take_over:
        target = facts.boot.soft_reboot_target
        events.append(paths.log, "switch-failed", text=f"{target} did not come up")
    _remove(device, facts.foreign_settings)
    return _tell_firmware(device, plan)


def _mend_table(device: Device) -> None:
    with open_disk(device.paths) as disk:
        for fault in repair(disk):
            events.append(device.paths.log, "repaired", text=fault)


def _remove(device: Device, settings: Collection[Setting]) -> None:
    """Take away what somebody else has set; if the firmware refuses, ``status`` goes on to tell."""
    for setting in settings:
        try:
            device.firmware.remove(setting)
        except FirmwareRefuses as error:
            progress.note(f"{setting}: {error}")
        else:
            progress.note(f"removed from the firmware: {setting}")
            events.append(device.paths.log, "setting-removed", text=str(setting))


def _tell_firmware(device: Device, plan: Plan) -> bool:
    """Ask for the next boot what is to be asked for; whether the firmware takes it."""
    try:
        if plan.arms:
            expect_fit_disk(device)
            arm(device, plan.after, system=plan.system_on_trial)
        elif plan.ask_for is not None:
            device.firmware.ask_for(plan.ask_for)
    except FirmwareRefuses as error:
        progress.note(str(error))
        events.append(device.paths.log, "firmware-refused", text=str(error))
        return False
    except (CopyAttached, DiskIsShort) as error:
        events.append(device.paths.log, "not-armed", text=str(error))
        return False
    return True
