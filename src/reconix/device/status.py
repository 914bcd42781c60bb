"""The status of a device: what runs, what boots next, and how the last trial ended.

It is read from the agent's files and the firmware alone, takes no lock, and works while another
command changes the device: each file is whole at any time.

The JSON is ``docs/spec/agent.md``, version 1.
Tested by ``tests/unit/device/test_status.py``.
"""

import time
from dataclasses import dataclass

from reconix.base.documents import BadDocument, JsonInput
from reconix.base.errors import ReconixError
from reconix.base.files import BadFile
from reconix.base.text import one_line
from reconix.boot.trial import Phase, State, Verdict
from reconix.device.device import Device, toplevel_folder
from reconix.device.hardware.clock import uptime
from reconix.device.select.follow import is_resting, seconds_to_confirm, suspended
from reconix.device.settings.schedule import Change, minute_of_week, read_schedule
from reconix.device.state import last_check
from reconix.device.state.booted import Booted, UnknownBoot, Why, read_booted
from reconix.device.state.choice import Always, Choice, LeftSystem, read_choice
from reconix.device.state.events import Event, read_events
from reconix.device.state.faults import read_faults
from reconix.device.state.last_check import LastCheck
from reconix.device.state.ledger import Left
from reconix.device.state.lock import being_changed
from reconix.device.trial.disks import Disks, OtherDisk, read_disks
from reconix.device.trust_store import TrustStore
from reconix.device.update import retry
from reconix.store.generation import Generation

_SHOWN_EVENTS = 10
_SHOWN_LEFT = 3

_WHY = {
    Why.COMMITTED: "nobody said otherwise",
    Why.TRIAL: "this is a trial",
    Why.FELL_BACK: "the trial before has ended, see `last`",
    Why.INTERRUPTED: "the trial before was cut short, and is repeated",
    Why.ONCE: "it was chosen once",
    Why.ALWAYS: "it was chosen always",
    Why.ALWAYS_FAILED: "the system that was chosen always did not come up",
    Why.TAKEN_OVER: "it has taken over without a restart",
}


@dataclass(frozen=True, slots=True)
class NextBoot:
    """What the next boot will be, if nobody does anything.

    Attributes:
        generation: that boots.
        system: of it.
        slot: from which it boots.
        is_trial: whether the firmware was told to boot it once.
        astray: why it will be something else, if firmware or boot loader obey somebody else.
    """

    generation: str
    system: str
    slot: int
    is_trial: bool
    astray: str = ""


@dataclass(frozen=True, slots=True)
class Followed:
    """What the schedule says now.

    Attributes:
        wanted: the system for now.
        change: when it will want another one.
        rests: whether it is not followed until then, or as long as a system is wanted always.
        seconds_to_confirm: how long what runs may go on without being confirmed, if it must be.
    """

    wanted: str
    change: Change | None
    rests: bool
    seconds_to_confirm: int | None


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A generation that was not kept, and when it is tried again by itself.

    Attributes:
        left: which one, why and how often.
        seconds: how long it is still left alone; None: until somebody asks for it.
    """

    left: Left
    seconds: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """What a device is and has done."""

    host: str
    architecture: str
    booted: Booted | None
    state: State
    choice: Choice
    next_boot: NextBoot
    installed: tuple[str, ...]
    systems: tuple[str, ...]
    busy: bool
    events: tuple[Event, ...]
    schedule: Followed | None = None
    sequence: int | None = None
    last_check: LastCheck | None = None
    faults: tuple[str, ...] = ()
    left: tuple[LeftAlone, ...] = ()
    disks: Disks | None = None


def read_status(device: Device) -> Status:
    """Read everything that is to be known.

    Raises:
        ReconixError: the device has no state and none can be found out.
    """
    paths = device.paths
    state = device.recall()
    choice = read_choice(paths.choice)
    committed = device.generation(state.committed.generation)
    return Status(
        host=committed.host,
        architecture=committed.architecture,
        booted=_booted(device),
        state=state,
        choice=choice,
        next_boot=_next_boot(device, state, committed),
        installed=tuple(map(str, device.installed())),
        systems=tuple(system.name for system in committed.systems),
        busy=being_changed(paths),
        events=read_events(paths.log)[-_SHOWN_EVENTS:],
        schedule=_followed(device, time.time()),
        sequence=_sequence(device),
        last_check=last_check.read(paths),
        faults=read_faults(paths),
        left=tuple(
            LeftAlone(each, retry.seconds_left(paths, each, time.time()))
            for each in retry.left(device)
        ),
        disks=_disks(device),
    )


def _disks(device: Device) -> Disks | None:
    """What there is to say about its disk; it is no reason for a status to fail."""
    try:
        return read_disks(device)
    except (ReconixError, OSError):
        return None


def _sequence(device: Device) -> int | None:
    """The number below which nothing is taken; it is no reason for a status to fail."""
    try:
        return TrustStore.read(device).rollback_index
    except (ReconixError, OSError):
        return None


def _followed(device: Device, now: float) -> Followed | None:
    """What the schedule of the system that runs says; it is no reason for a status to fail."""
    booted = _booted(device)
    if booted is None:
        return None
    try:
        schedule = read_schedule(toplevel_folder(device.paths, booted.toplevel))
    except (OSError, BadFile, BadDocument):
        return None
    if schedule is None:
        return None
    wanted = schedule.wanted(minute_of_week(now))
    return Followed(
        wanted,
        schedule.next_change(now),
        suspended(device) or is_resting(device.paths, wanted),
        seconds_to_confirm(device.paths, schedule, booted),
    )


def _booted(device: Device) -> Booted | None:
    try:
        return read_booted(device.paths.booted)
    except UnknownBoot:
        return None


def _next_boot(device: Device, state: State, committed: Generation) -> NextBoot:
    trial = state.trial
    generation, slot, tried = state.committed.generation, state.committed.slot, committed
    is_trial = state.phase is Phase.ARMED and _is_armed(device)
    if is_trial and trial is not None and trial.slot is not None:
        generation, slot = trial.generation, trial.slot
        tried = device.generation(generation)
    names = [system.name for system in tried.systems]
    try:
        system = device.firmware.starts(names) or tried.default
        return NextBoot(generation, system, slot, is_trial, device.firmware.astray())
    except ReconixError as error:
        return NextBoot(generation, tried.default, slot, is_trial, str(error))


def _is_armed(device: Device) -> bool:
    """Whether whoever must know of the trial does: the firmware, or the disk."""
    try:
        selection = device.selection()
        return any(each.next_slot(selection) is not None for each in device.one_shots)
    except ReconixError:
        return True


# -- for programs ----------------------------------------------------------------------------------


def status_document(status: Status) -> JsonInput:
    """The status as JSON."""
    state, always = status.state, status.choice.always
    return {
        "version": 1,
        "host": status.host,
        "architecture": status.architecture,
        "booted": _booted_document(status.booted),
        "committed": {"generation": state.committed.generation, "slot": state.committed.slot},
        "previous": state.previous,
        "next": {
            "generation": status.next_boot.generation,
            "system": status.next_boot.system,
            "slot": status.next_boot.slot,
            "trial": status.next_boot.is_trial,
            "astray": status.next_boot.astray or None,
        },
        "phase": state.phase.value,
        "trial": _trial_document(state, status.booted),
        "last": _last_document(state),
        "always": _always_document(always) if always else None,
        "once": status.choice.once,
        "left_system": _left_system_document(status.choice.left),
        "schedule": _schedule_document(status.schedule),
        "systems": list(status.systems),
        "installed": list(status.installed),
        "busy": status.busy,
        "sequence": status.sequence,
        "looked": _last_check_document(status.last_check),
        "faults": list(status.faults),
        "left": [_left_document(each) for each in status.left],
        "disk": _disks_document(status.disks),
        "events": [
            {
                "at": event.at,
                "event": event.name,
                "generation": event.generation,
                "text": event.text,
            }
            for event in status.events
        ],
    }


def _left_system_document(left: LeftSystem | None) -> JsonInput:
    if left is None:
        return None
    return {"system": left.system, "verdict": _verdict_document(left.verdict)}


def _left_document(alone: LeftAlone) -> JsonInput:
    return {
        "generation": alone.left.generation,
        "reason": alone.left.word,
        "times": alone.left.times,
        "seconds_left": alone.seconds,
    }


def _disks_document(disks: Disks | None) -> JsonInput:
    if disks is None:
        return None
    return {
        "missing_bytes": disks.missing_bytes,
        "others": [{"path": str(disk.path), "copy": disk.is_copy} for disk in disks.others],
    }


def _last_check_document(found: LastCheck | None) -> JsonInput:
    if found is None:
        return None
    return {
        "where": found.where,
        "sequence": found.sequence,
        "seconds_ago": found.seconds_ago,
    }


def _schedule_document(followed: Followed | None) -> JsonInput:
    if followed is None:
        return None
    change = followed.change
    return {
        "wanted": followed.wanted,
        "next": {"at": change.at, "system": change.system} if change else None,
        "rests": followed.rests,
        "seconds_to_confirm": followed.seconds_to_confirm,
    }


def _booted_document(booted: Booted | None) -> JsonInput:
    if booted is None:
        return None
    return {
        "generation": str(booted.generation) if booted.generation else None,
        "system": booted.system,
        "slot": booted.slot,
        "toplevel": str(booted.toplevel),
        "boot_id": booted.boot_id,
        "soft_reboots": booted.soft_reboots,
        "why": booted.why.value,
    }


def _always_document(always: Always) -> JsonInput:
    return {
        "system": always.system,
        "failures": always.failures,
        "failures_allowed": always.failures_allowed,
    }


def _trial_document(state: State, booted: Booted | None) -> JsonInput:
    trial = state.trial
    if trial is None:
        return None
    left = max(0, booted.deadline_seconds - int(uptime())) if booted else None
    return {
        "generation": trial.generation,
        "slot": trial.slot,
        "attempts": trial.attempts,
        "attempts_allowed": trial.attempts_allowed,
        "seconds_left": left if state.phase is Phase.ON_TRIAL else None,
        "verdict": _verdict_document(state.verdict),
    }


def _last_document(state: State) -> JsonInput:
    if state.last is None:
        return None
    return {
        "result": state.last.result.value,
        "generation": state.last.generation,
        "verdict": _verdict_document(state.last.verdict),
    }


def _verdict_document(verdict: Verdict | None) -> JsonInput:
    if verdict is None:
        return None
    return {"reason": verdict.reason.value, "what": verdict.what, "said": verdict.output}


# -- for people ------------------------------------------------------------------------------------


def status_lines(status: Status) -> list[str]:
    """The status in words, a fact a line."""
    state, ahead = status.state, status.next_boot
    committed = f"{state.committed.generation} (slot {state.committed.slot})"
    lines = [
        f"host       {status.host} ({status.architecture})",
        f"running    {_running(status.booted)}",
        *_why_lines(status.booted),
        *(f"fault      {fault}" for fault in status.faults),
        f"committed  {committed}",
        f"previous   {state.previous or 'none'}",
        f"next boot  system {ahead.system}, slot {ahead.slot}{', a trial' * ahead.is_trial}",
        *([f"           but: {one_line(ahead.astray)}"] if ahead.astray else []),
        f"update     {_update(state)}",
        *_sequence_lines(status),
        *_schedule_lines(status.schedule),
        *_last_lines(state),
        *_left_lines(status.left),
        *_left_system_lines(status.choice.left),
        *_disk_lines(status.disks),
    ]
    if status.choice.always:
        always = status.choice.always
        given_up = ", given up" if always.given_up else ""
        failures = f"{always.failures} of {always.failures_allowed} failures"
        lines.append(f"always     {always.system} ({failures}{given_up})")
    return lines + ["busy       another command works on this device"] * status.busy


def _disk_lines(disks: Disks | None) -> list[str]:
    """What is wrong with the disk, or beside it; nothing on most devices."""
    if disks is None:
        return ["disk       cannot be read"]
    missing = disks.missing_bytes
    short = f"disk       {missing} bytes smaller than its image: no update can be taken"
    return [short] * bool(missing) + [_other_line(disk) for disk in disks.others]


def _other_line(disk: OtherDisk) -> str:
    if disk.is_copy:
        return f"disk       {disk.path} is a copy of ours: no update is taken while it is there"
    return f"disk       {disk.path} has partitions named like ours, and is not used"


def _sequence_lines(status: Status) -> list[str]:
    """Where this device is, and what was offered last; a frozen mirror shows here."""
    if status.sequence is None:
        return []
    line = f"sequence   {status.sequence}"
    if status.last_check is None:
        return [f"{line}; nobody looked for updates since the start"]
    seen = status.last_check
    offered = "nothing for this host" if seen.sequence is None else f"{seen.sequence}"
    return [f"{line}; {seen.seconds_ago // 60} minutes ago {seen.where} had {offered}"]


def _running(booted: Booted | None) -> str:
    if booted is None:
        return "not known; `systemctl status reconix-start` says why"
    since = f", soft reboot {booted.soft_reboots}" if booted.soft_reboots else ""
    generation = booted.generation or "no generation"
    return f"system {booted.system}, slot {booted.slot}, {generation}{since}"


def _schedule_lines(followed: Followed | None) -> list[str]:
    if followed is None:
        return []
    line = f"schedule   wants {followed.wanted}{' (rests)' if followed.rests else ''}"
    if followed.change is not None:
        at = time.strftime("%a %Y-%m-%d %H:%M", time.localtime(followed.change.at))
        line += f"; next switch {at}: {followed.change.system}"
    left = followed.seconds_to_confirm
    if left is None:
        return [line]
    return [line, f"           back to the default system in {left} s unless it is confirmed"]


def _why_lines(booted: Booted | None) -> list[str]:
    """Why this runs; nothing when nobody said otherwise."""
    if booted is None or booted.why is Why.COMMITTED:
        return []
    return [f"           because: {_WHY[booted.why]}"]


def _update(state: State) -> str:
    if state.trial is None:
        return "none"
    tried = f"attempt {state.trial.attempts} of {state.trial.attempts_allowed}"
    return f"{state.phase.value} ({tried}): {state.trial.generation}"


def _left_lines(found: tuple[LeftAlone, ...]) -> list[str]:
    """What an unattended update leaves alone, the last few; and until when."""
    lines = []
    for alone in found[-_SHOWN_LEFT:]:
        each = alone.left
        times = f", {each.times} times" if each.times > 1 else ""
        lines.append(f"left       {each.generation} ({each.word}{times})")
        if alone.seconds is None:
            lines.append("           not taken again unless somebody asks for it")
        else:
            when = f"in {-(-alone.seconds // 60)} minutes" if alone.seconds else "at the next look"
            lines.append(f"           taken again by itself {when}")
    return lines


def _left_system_lines(left: LeftSystem | None) -> list[str]:
    """Why the device has left a system by itself."""
    if left is None:
        return []
    return [f"left       system {left.system}", *_verdict_lines(left.verdict)]


def _last_lines(state: State) -> list[str]:
    if state.last is None:
        return ["last       nothing was tried yet"]
    if state.last.verdict is None:
        return [f"last       {state.last.result.value}: {state.last.generation}"]
    return [
        f"last       {state.last.result.value} from {state.last.generation}",
        *_verdict_lines(state.last.verdict),
    ]


def _verdict_lines(verdict: Verdict) -> list[str]:
    what = f": {verdict.what}" if verdict.what else ""
    said = [f"           | {line}" for line in verdict.output.splitlines()]
    return [f"           because: {verdict.reason.value}{what}", *said]
