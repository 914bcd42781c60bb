"""The status of a device in words, for people: a fact a line.

Tested by ``tests/unit/device/status/test_status.py``.
"""

import time

from reconix.base.text import one_line
from reconix.boot.trial import State, Verdict
from reconix.device.hardware.flash_wear import FlashWear
from reconix.device.state.choice import LeftSystem
from reconix.device.state.missed import MissedPaths
from reconix.device.state.running import BootReason, Running
from reconix.device.state.scrubbed import Scrubbed
from reconix.device.status.asked import Asked
from reconix.device.status.integrity import Compared
from reconix.device.status.read import Followed, LeftAlone, Status
from reconix.device.trial.disks import Disks, OtherDisk
from reconix.store.scrub import Damage

_SHOWN_LEFT = 3
_SHOWN_DAMAGED = 10

_REASONS = {
    BootReason.COMMITTED: "default",
    BootReason.TRIAL: "trial",
    BootReason.FELL_BACK: "the trial has ended, see `last`",
    BootReason.INTERRUPTED: "the trial was cut short and is repeated",
    BootReason.ONCE: "chosen once",
    BootReason.ALWAYS: "chosen always",
    BootReason.ALWAYS_FAILED: "the system chosen always did not come up",
    BootReason.SOFT_REBOOT: "soft reboot",
    BootReason.LIVE: "it is live until the next boot, and not committed",
}

_NEXT = {
    BootReason.TRIAL: ", a trial",
    BootReason.ONCE: ", once",
    BootReason.SOFT_REBOOT: ", now, by a soft reboot",
    None: ", set by another program",
}


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
        *(
            f"untried    system {name}: it has changed, and did not run yet"
            for name in state.untried
        ),
        f"previous   {state.previous or 'none'}",
        f"next boot  system {ahead.system}, slot {ahead.slot}{_NEXT.get(ahead.reason, '')}",
        *([f"           but: {one_line(ahead.astray)}"] if ahead.astray else []),
        f"update     {_update(state)}",
        *_sequence_lines(status),
        *_schedule_lines(status.schedule),
        *_last_lines(state),
        *_left_lines(status.left),
        *_left_system_lines(status.choice.left),
        *_disk_lines(status.disks),
        *_wear_lines(status.flash_wear),
        *_scrubbed_lines(status.scrubbed),
        *_integrity_lines(status.compared),
        *map(_missing_secret_line, status.missing_secrets),
        *_missed_lines(status.missed),
    ]
    if status.choice.always:
        always = status.choice.always
        given_up = ", given up" if always.given_up else ""
        failures = f"{always.failures} of {always.failures_allowed} failures"
        lines.append(f"always     {always.system} ({failures}{given_up})")
    return lines + ["busy       another command is running on this device"] * status.busy


def _disk_lines(disks: Disks | None) -> list[str]:
    """What is wrong with the disk, or beside it; nothing on most devices."""
    if disks is None:
        return ["disk       cannot be read"]
    missing = disks.missing_bytes
    short = f"disk       {missing} bytes smaller than its image: no update can be taken"
    return [short] * bool(missing) + [_other_line(disk) for disk in disks.others]


def _wear_lines(wear: FlashWear | None) -> list[str]:
    """How much of the life of the flash is used; nothing where nobody knows."""
    if wear is None:
        return []
    told = [] if wear.used_percent is None else [_used(wear.used_percent)]
    told += [] if wear.reserve is None else [f"its reserve is {wear.reserve.value}"]
    return [f"wear       {'; '.join(told)}"]


def _used(percent: int) -> str:
    if percent > 100:
        return "the flash is past the life that was promised"
    return f"at most {percent} % of the flash's life is used"


def _scrubbed_lines(scrubbed: Scrubbed | None) -> list[str]:
    """How far the disk was read, and what is damaged there."""
    if scrubbed is None:
        return []
    when = "never yet"
    if scrubbed.finished is not None:
        when = time.strftime("%a %Y-%m-%d %H:%M", time.localtime(scrubbed.finished))
    line = f"scrub      all was read: {when}; this pass is at {scrubbed.percent} %"
    more = [f"           and {scrubbed.others} more"] if scrubbed.others else []
    return [line, *(line for each in scrubbed.damaged for line in _damage_lines(each)), *more]


def _damage_lines(damage: Damage) -> list[str]:
    more = [f"           | and {damage.more} more"] if damage.more else []
    first = f"damaged    {damage.kind.value} {damage.digest.hex()} {damage.what}"
    return [first, *(f"           | {path}" for path in damage.files), *more]


def _integrity_lines(compared: Compared | None) -> list[str]:
    """What the kernel could not give; nothing where it does not compare."""
    if compared is None or not compared.by_kernel:
        return []
    if not compared.damaged:
        return ["integrity  the kernel compares what it reads, and found nothing altered"]
    more = len(compared.damaged) - _SHOWN_DAMAGED
    return [
        *(f"altered    {path}" for path in compared.damaged[:_SHOWN_DAMAGED]),
        *([f"           and {more} more"] if more > 0 else []),
        "           cannot be read; from the build host: reconix repair --to DEVICE",
    ]


def _missing_secret_line(asked: Asked) -> str:
    less = "" if asked.is_required else ", which can do without"
    fault = f": {asked.kept.fault}" if asked.kept else ""
    units, systems = ", ".join(asked.units), ", ".join(asked.systems)
    return f"missing    secret {asked.name}, for {units} of {systems}{less}{fault}"


def _missed_lines(found: MissedPaths | None) -> list[str]:
    """What the last trial asked for and minify took."""
    if found is None:
        return []
    tried = f"           in the last trial of {found.system}, {found.generation or 'no generation'}"
    return [*(f"missed     {line}" for line in found.lines()), tried]


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
        return [f"{line}; no update check since boot"]
    seen = status.last_check
    minutes = seen.seconds_before(status.uptime_seconds) // 60
    offered = "nothing for this host" if seen.sequence is None else f"{seen.sequence}"
    return [f"{line}; {minutes} minutes ago {seen.where} had {offered}"]


def _running(booted: Running | None) -> str:
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
        line += f"; from {at}: {followed.change.system}"
    left = followed.seconds_to_confirm
    if left is None:
        return [line]
    return [line, f"           back to the default system in {left} s unless it is confirmed"]


def _why_lines(booted: Running | None) -> list[str]:
    """Why this runs; nothing if it is the default."""
    if booted is None or booted.reason is BootReason.COMMITTED:
        return []
    return [f"           because: {_REASONS[booted.reason]}"]


def _update(state: State) -> str:
    if state.trial is None:
        return "none"
    tried = f"attempt {state.trial.attempts} of {state.trial.attempts_allowed}"
    return f"{state.phase.value} ({tried}): {state.trial.generation}"


def _left_lines(found: tuple[LeftAlone, ...]) -> list[str]:
    """What an unattended update does not retry, the last few; and until when."""
    lines = []
    for alone in found[-_SHOWN_LEFT:]:
        each = alone.left
        times = f", {each.times} times" if each.times > 1 else ""
        lines.append(f"left       {each.generation} ({each.word}{times})")
        if alone.seconds is None:
            lines.append("           not retried unless somebody asks for it")
        else:
            when = f"in {-(-alone.seconds // 60)} minutes" if alone.seconds else "at the next check"
            lines.append(f"           retried {when}")
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
