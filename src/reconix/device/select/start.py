"""Starting: find out what runs, and what that says about the boot before.

Run once, early at each boot. It leaves a note for everybody (``device/state/running.py``), tells
the state what happened, and follows up: a trial that was cut short is armed again, a system that is
wanted always and did not come up is asked for again. An ordinary boot writes nothing to the disk.

Before anything that could fail on what an earlier agent left, it leaves ``/run/reconix/committed``
if this is no trial: then, whatever fails here does not make the device restart.

Tested by ``tests/unit/device/select/test_start.py`` and ``tests/crash/test_agent_cut.py``.
"""

from dataclasses import dataclass, replace

from reconix.base import progress
from reconix.base.documents import BadDocument
from reconix.base.errors import ReconixError
from reconix.base.files import BadFile, write_durably
from reconix.boot.oneshots.foreign_settings import Setting, Slots
from reconix.boot.oneshots.variables import FirmwareRefuses
from reconix.boot.tables import DiskIsShort, Selection, Slot, read_selection, repair
from reconix.boot.transitions import Booted as BootedEvent
from reconix.boot.transitions import WrongSlot, advance
from reconix.boot.trial import Phase, Reason, Result, State, Verdict
from reconix.device.device import Device, toplevel_folder
from reconix.device.hardware.clock import uptime
from reconix.device.hardware.disk import open_disk
from reconix.device.hardware.reset_reason import ResetReason, forget_panic, read_reset_reason
from reconix.device.settings.health import MAX_TIMEOUT_SECONDS, can_be_proven, read_health
from reconix.device.settings.policy import read_policy
from reconix.device.state import choice, events, running
from reconix.device.state.choice import Choice, FollowUp
from reconix.device.state.lock import exclusive_rw
from reconix.device.state.record import record, record_found
from reconix.device.state.running import BootReason, Running, UnknownBoot, soft_reboot_target
from reconix.device.trial.disks import CopyAttached, copies, expect_fit_disk, note_hardware
from reconix.store.generation import BadGeneration
from reconix.store.paths import StorePath


@dataclass(frozen=True, slots=True)
class Started:
    """What was found out, and whether the device should restart at once, to try something again."""

    booted: Running
    restart: bool = False


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to write down and what to ask for, decided before anything is changed."""

    selection: Selection
    before: State | None  # None: nothing of use was remembered
    event: BootedEvent
    after: State
    stored: Choice
    choice: Choice  # as it is stored, and what a soft reboot was asked for
    follow: FollowUp
    others: tuple[Setting, ...]  # what firmware and boot loader obey, and nobody here has set

    @property
    def tries_again(self) -> bool:
        """Whether a trial was cut short and is armed once more."""
        was_tried = self.before is not None and self.before.phase in (Phase.ARMED, Phase.ON_TRIAL)
        return was_tried and self.after.phase is Phase.WRITTEN

    @property
    def is_empty(self) -> bool:
        """Whether everything is as it should be."""
        return (
            not self.selection.faults
            and not self.others
            and self.event.reset_reason is not Reason.PANIC
            and self.before == self.after
            and self.follow == FollowUp(self.stored)
        )


def start(device: Device) -> Started:
    """Find out what runs and follow up; a second time in the same boot changes nothing.

    Raises:
        UnknownBoot: this was not started as a system of ours.
    """
    paths = device.paths
    boot_id = running.read_boot_id(paths)
    if (noted := _note_of_this_boot(device, boot_id)) is not None:
        return Started(noted)
    toplevel = running.read_toplevel(paths)
    expected = soft_reboot_target(paths)
    selection = device.selection()
    attached = copies(paths, selection.tables)
    slot = _slot_that_booted(device, selection, toplevel, is_sole=not attached)
    if slot == selection.slot:
        write_durably(paths.is_committed, b"")
    plan = _plan(device, selection, slot, toplevel, expected)
    is_told = True
    if not plan.is_empty:
        with exclusive_rw(paths):
            is_told = _carry_out(device, plan)
    found = _describe(device, plan, toplevel, boot_id)
    if expected == toplevel:
        found = replace(found, reason=BootReason.SOFT_REBOOT)
    if found.reason in (BootReason.ONCE, BootReason.SOFT_REBOOT):  # and not for a trial
        write_durably(paths.is_chosen, b"")
    running.write_running(paths, found)
    if expected is not None and expected != toplevel:
        _record_failed_switch(device, plan, expected)
    asked = plan.tries_again or plan.follow.restart
    restart = (is_told and asked) or expected not in (None, toplevel)
    if not restart and (expected is not None or _is_unproven(plan, found)):
        write_durably(paths.is_unproven, b"")
    _tell_of_disk(device)
    if not attached:
        note_hardware(paths)
    return Started(found, restart)


def _tell_of_disk(device: Device) -> None:
    """Say why no update can be taken, if the disk is the reason; no start fails of it."""
    try:
        expect_fit_disk(device)
    except (ReconixError, OSError) as error:
        progress.note(f"no update can be taken: {error}")


def _slot_that_booted(
    device: Device, selection: Selection, toplevel: StorePath, *, is_sole: bool
) -> Slot:
    """The slot that the firmware tells, or the table; a copy of the disk has the same slots.

    So if there is one, the generation of the slot must have the system that runs: otherwise what
    an old copy started would pass for the trial of something new.
    """
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


def _note_of_this_boot(device: Device, boot_id: str) -> Running | None:
    try:
        noted = running.read_running(device.paths.booted)
    except (UnknownBoot, BadDocument, BadFile):
        return None
    same = noted.boot_id == boot_id and noted.toplevel == running.read_toplevel(device.paths)
    return noted if same else None


# -- deciding --------------------------------------------------------------------------------------


def _plan(
    device: Device,
    selection: Selection,
    slot: Slot,
    toplevel: StorePath,
    expected: StorePath | None,
) -> _Plan:
    reset = _reset_reason(device, selection)
    event = BootedEvent(slot, selection.slot, reset.reason, reset.output)
    before, after = _what_happened(device, event)
    stored = chosen = choice.read_choice(device.paths.choice)
    follow = FollowUp(chosen)
    if slot == after.committed.slot:
        system = system_name(device, after.committed.generation, toplevel)
        if expected == toplevel:
            chosen = replace(stored, once=system)
        how = Verdict(reset.reason, output=reset.output)
        follow = choice.came_up(chosen, system, how)
        if expected is None and _should_have_run(device, before, stored, system):
            left = choice.leaving(follow.choice, str(stored.once), how)
            follow = replace(follow, choice=left)
    others = _settings_of_others(device, selection, stored)
    return _Plan(selection, before, event, after, stored, chosen, follow, others)


def _should_have_run(device: Device, before: State | None, stored: Choice, system: str) -> bool:
    """Whether another system was asked for once, and its agent would have noticed that it runs."""
    if stored.once in (None, system) or before is None or before.trial is not None:
        return False
    try:
        asked = device.generation(before.committed.generation).system(str(stored.once))
    except ReconixError:
        return False
    return can_be_proven(toplevel_folder(device.paths, asked.toplevel))


def _settings_of_others(
    device: Device, selection: Selection, stored: Choice
) -> tuple[Setting, ...]:
    tables = selection.tables
    guids = {number: tables.slot(number).guid for number in tables.numbers}
    asked = {stored.once, choice.wanted_always(stored)} - {None}
    try:
        found = device.firmware.foreign_settings(
            Slots(guids[selection.slot], [*guids.values()]), asked=[*map(str, asked)]
        )
    except FirmwareRefuses as error:
        progress.note(str(error))
        return ()
    return tuple(found)


def _reset_reason(device: Device, selection: Selection) -> ResetReason:
    """How the boot before ended, or why it was not the trial that it should have been."""
    found = read_reset_reason(device.paths)
    state = device.remembered() if found.reason is Reason.UNKNOWN else None
    trial = state.trial if state is not None and state.phase is Phase.ARMED else None
    if trial is None or trial.slot is None:
        return found
    disk, firmware = device.disk_one_shot, device.firmware
    if disk.knows(selection, trial.slot) or firmware.knows(selection, trial.slot):
        return found
    said = 'it did not keep the variables that it was given; see the option one_shot = "disk"'
    return ResetReason(Reason.FIRMWARE, said)


def _what_happened(device: Device, event: BootedEvent) -> tuple[State | None, State]:
    """The state before this boot, if one was remembered, and now."""
    before = device.remembered()
    if before is not None:
        try:
            return before, advance(before, event)
        except WrongSlot as error:
            progress.note(str(error))
    return None, advance(device.find_out(Verdict(event.reset_reason, output=event.output)), event)


def system_name(device: Device, generation: str | None, toplevel: StorePath) -> str:
    """What a system is called in its generation; without one, by the name of its store path."""
    if generation is not None:
        try:
            found = device.generation(generation).running(toplevel)
        except BadGeneration as error:
            progress.note(str(error))
        else:
            if found is not None:
                return found.name
    return toplevel.name.removeprefix("system-")


# -- doing -----------------------------------------------------------------------------------------


def _carry_out(device: Device, plan: _Plan) -> bool:
    """Write down what happened; whether the next boot is what it should be."""
    paths = device.paths
    if plan.selection.faults:
        _mend_table(device)
    if plan.before is None:
        record_found(paths, plan.after)
    else:
        record(paths, plan.before, plan.event)
    if plan.event.reset_reason is Reason.PANIC:
        events.append(paths.log, "panic", text=plan.event.output)
        forget_panic(paths)
    if plan.event.slot == plan.after.committed.slot:
        device.disk_one_shot.disarm(None)  # what it led back from was left
    choice.write_choice(paths.choice, plan.follow.choice)
    for setting in plan.others:
        _remove(device, setting)
    return _tell_firmware(device, plan)


def _remove(device: Device, setting: Setting) -> None:
    """Take away what somebody else has set; if the firmware refuses, ``status`` goes on to tell."""
    try:
        device.firmware.remove(setting)
    except FirmwareRefuses as error:
        progress.note(f"{setting}: {error}")
    else:
        progress.note(f"removed from the firmware: {setting}")
        events.append(device.paths.log, "setting-removed", text=str(setting))


def _tell_firmware(device: Device, plan: _Plan) -> bool:
    """Ask for the next boot what is to be asked for; whether the firmware takes it."""
    try:
        if plan.tries_again:
            # late: it is slow to import, and rarely needed
            from reconix.device.update.apply import arm

            expect_fit_disk(device)
            arm(device, plan.after, system=plan.choice.once)
        elif plan.follow.ask_for is not None:
            device.firmware.ask_for(plan.follow.ask_for)
    except FirmwareRefuses as error:
        progress.note(str(error))
        events.append(device.paths.log, "firmware-refused", text=str(error))
        return False
    except (CopyAttached, DiskIsShort) as error:
        events.append(device.paths.log, "not-armed", text=str(error))
        return False
    return True


def _mend_table(device: Device) -> None:
    with open_disk(device.paths) as disk:
        for fault in repair(disk):
            events.append(device.paths.log, "repaired", text=fault)


def _record_failed_switch(device: Device, plan: _Plan, expected: StorePath) -> None:
    path = device.paths.choice
    system = system_name(device, plan.after.committed.generation, expected)
    verdict = Verdict(plan.event.reset_reason, "it did not come up", plan.event.output)
    with exclusive_rw(device.paths):
        choice.write_choice(path, choice.leaving(choice.read_choice(path), system, verdict))
        events.append(device.paths.log, "switch-failed", text=f"{expected} did not come up")


def _describe(device: Device, plan: _Plan, toplevel: StorePath, boot_id: str) -> Running:
    slot = plan.event.slot
    generation = plan.after.in_slot(slot)
    system = system_name(device, generation, toplevel)
    return Running(
        boot_id=boot_id,
        toplevel=toplevel,
        system=system,
        slot=slot,
        generation=StorePath.parse(generation) if generation else None,
        deadline_seconds=int(uptime()) + _seconds_to_prove(device, toplevel),
        soft_reboots=running.read_soft_reboots(device.paths),
        started_seconds=int(uptime()),
        reason=_why(plan, system),
    )


def _why(plan: _Plan, system: str) -> BootReason:
    before, after = plan.before, plan.after
    if plan.event.slot != after.committed.slot:
        return BootReason.TRIAL
    if plan.tries_again:
        return BootReason.INTERRUPTED
    last = after.last if before is not None and after.last != before.last else None
    if last is not None and last.result is Result.FELL_BACK:
        return BootReason.FELL_BACK
    always = plan.follow.choice.always
    if always is not None and always.system == system:
        return BootReason.ALWAYS
    if always != plan.choice.always:
        return BootReason.ALWAYS_FAILED
    return BootReason.ONCE if plan.choice.once == system else BootReason.COMMITTED


def _seconds_to_prove(device: Device, toplevel: StorePath) -> int:
    """How long a trial may take; what cannot be read is judged by ``watch``."""
    folder = toplevel_folder(device.paths, toplevel)
    try:
        return min(read_health(folder).timeout_seconds, read_policy(folder).trial_timeout_seconds)
    except (OSError, ReconixError):
        return MAX_TIMEOUT_SECONDS


def _is_unproven(plan: _Plan, found: Running) -> bool:
    on_trial = plan.after.phase in (Phase.ON_TRIAL, Phase.REJECTED)
    if on_trial and found.slot != plan.after.committed.slot:
        return True
    return choice.is_to_be_proven(plan.follow.choice, found.system)
