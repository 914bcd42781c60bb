"""The status of a device as JSON, for programs: ``docs/spec/agent.md``, version 1.

Tested by ``tests/unit/device/status/test_status.py``.
"""

from reconix.base.documents import JsonInput
from reconix.boot.trial import Phase, State, Verdict
from reconix.device.hardware.flash_wear import FlashWear
from reconix.device.state.choice import Always, LeftSystem
from reconix.device.state.running import Running
from reconix.device.state.scrubbed import Scrubbed, damage_document
from reconix.device.status.asked import Asked
from reconix.device.status.integrity import Compared
from reconix.device.status.read import Followed, LeftAlone, Status
from reconix.device.status.room import FileSystemRoom, PartitionsRoom
from reconix.device.trial.disks import Disks
from reconix.store.layout import LAYOUT


def status_document(status: Status) -> JsonInput:
    """The status as JSON."""
    state, always = status.state, status.choice.always
    return {
        "version": 1,
        "layout": LAYOUT,
        "host": status.host,
        "architecture": status.architecture,
        "booted": _booted_document(status.booted),
        "committed": {"generation": state.committed.generation, "slot": state.committed.slot},
        "previous": state.previous,
        "untried": list(state.untried),
        "unproven": status.is_unproven,
        "next": {
            "generation": status.next_boot.generation,
            "system": status.next_boot.system,
            "slot": status.next_boot.slot,
            "trial": status.next_boot.is_trial,
            "once": status.next_boot.is_once,
            "why": status.next_boot.reason.value if status.next_boot.reason else None,
            "astray": status.next_boot.astray or None,
        },
        "phase": state.phase.value,
        "trial": _trial_document(status),
        "last": _last_document(state),
        "always": _always_document(always) if always else None,
        "once": status.choice.once,
        "left_system": _left_system_document(status.choice.left),
        "schedule": _schedule_document(status.schedule),
        "systems": list(status.systems),
        "installed": list(status.installed),
        "busy": status.busy,
        "sequence": status.sequence,
        "looked": _last_check_document(status),
        "faults": list(status.faults),
        "left": [_left_document(each) for each in status.left],
        "disk": _disks_document(status.disks),
        "scrub": _scrubbed_document(status.scrubbed),
        "integrity": _integrity_document(status.compared),
        "missing_secrets": [_missing_secret(each) for each in status.missing_secrets],
        "room": _room_document(status.room),
        "wear": _wear_document(status.flash_wear),
        "missed": None if status.missed is None else status.missed.document(),
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


def _room_document(room: PartitionsRoom | None) -> JsonInput:
    if room is None:
        return None
    return {
        "system": _file_system_document(room.system),
        "data": None if room.data is None else _file_system_document(room.data),
    }


def _file_system_document(room: FileSystemRoom) -> JsonInput:
    return {
        "size_bytes": room.size_bytes,
        "free_bytes": room.free_bytes,
        "inodes": room.inodes,
        "free_inodes": room.free_inodes,
        "block_bytes": room.block_bytes,
    }


def _wear_document(wear: FlashWear | None) -> JsonInput:
    if wear is None:
        return None
    return {
        "used_percent": wear.used_percent,
        "reserve": None if wear.reserve is None else wear.reserve.value,
    }


def _missing_secret(asked: Asked) -> JsonInput:
    return {
        "name": asked.name,
        "systems": list(asked.systems),
        "units": list(asked.units),
        "required": asked.is_required,
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


def _scrubbed_document(scrubbed: Scrubbed | None) -> JsonInput:
    if scrubbed is None:
        return None
    return {
        "finished": scrubbed.finished,
        "percent": scrubbed.percent,
        "damaged": [damage_document(each) for each in scrubbed.damaged],
        "others": scrubbed.others,
    }


def _integrity_document(compared: Compared | None) -> JsonInput:
    if compared is None:
        return None
    return {"verity": compared.by_kernel, "damaged": list(compared.damaged)}


def _last_check_document(status: Status) -> JsonInput:
    found = status.last_check
    if found is None:
        return None
    return {
        "where": found.where,
        "sequence": found.sequence,
        "seconds_ago": found.seconds_before(status.uptime_seconds),
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


def _booted_document(booted: Running | None) -> JsonInput:
    if booted is None:
        return None
    return {
        "generation": str(booted.generation) if booted.generation else None,
        "system": booted.system,
        "slot": booted.slot,
        "toplevel": str(booted.toplevel),
        "boot_id": booted.boot_id,
        "soft_reboots": booted.soft_reboots,
        "why": booted.reason.value,
    }


def _always_document(always: Always) -> JsonInput:
    return {
        "system": always.system,
        "failures": always.failures,
        "failures_allowed": always.failures_allowed,
    }


def _trial_document(status: Status) -> JsonInput:
    state, booted = status.state, status.booted
    trial = state.trial
    if trial is None:
        return None
    left = max(0, booted.deadline_seconds - status.uptime_seconds) if booted else None
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
