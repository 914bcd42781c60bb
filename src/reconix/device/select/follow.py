"""Following the schedule: which system is due now, if any.

A timer starts the agent whenever the answer may have changed. It acts on a *change* of what the
schedule wants, not on a difference from what runs: what somebody chose by hand stays until the next
change. ``/run/reconix/schedule`` has what was wanted when it was followed last. After a start there
is none, so what is wanted is started then, unless the system that runs was itself asked for.

A system that was not confirmed in time gives way to the default one. The schedule then rests until
it wants something else; that outlives a restart, so it is noted on the system partition.

What is wanted always goes before the schedule. A trial does too: nothing is chosen while there is
one, and the timer's unit asks again.

Tested by ``tests/unit/device/select/test_follow.py`` and ``tests/vm/test_schedule.py``.
"""

from pathlib import Path

from reconix.base.files import BadFile, read_bounded, write_durably
from reconix.base.records import dataclass
from reconix.boot.trial import Reason, Verdict
from reconix.device.device import Device
from reconix.device.paths import Paths
from reconix.device.settings.schedule import Schedule, minute_of_week, read_schedule
from reconix.device.state.choice import leaving, read_choice, write_choice
from reconix.device.state.lock import exclusive_rw
from reconix.device.state.running import Running, read_running

_MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Due:
    """What is due by the schedule.

    Attributes:
        wanted: what the schedule says for now.
        start: the system that should take over.
        rests: whether that is because the one that runs was not confirmed.
    """

    wanted: str
    start: str | None = None
    rests: bool = False


def due(device: Device, now: float) -> Due | None:
    """The system that is due at this moment; ``None`` without a schedule.

    Raises:
        ReconixError: it is not known what runs, or the schedule cannot be read.
    """
    paths = device.paths
    booted = read_running(paths.booted)
    schedule = read_schedule(device.registry, booted.toplevel)
    if schedule is None:
        return None
    wanted = schedule.wanted(minute_of_week(now))
    if suspended(device):
        return Due(wanted)
    if seconds_to_confirm(device, schedule, booted) == 0:
        return Due(wanted, schedule.default, rests=True)
    return Due(wanted, _start(paths, schedule, booted, wanted))


def _start(paths: Paths, schedule: Schedule, booted: Running, wanted: str) -> str | None:
    last = _read(paths.schedule)
    by_hand = last is None and paths.is_chosen.exists()
    if wanted in (last, booted.system, _read(paths.resting)) or by_hand:
        return None
    return wanted if schedule.has_calendar else None


def suspended(device: Device) -> bool:
    """Whether a system that is wanted always takes precedence over the schedule."""
    return read_choice(device.paths.choice).always is not None


def is_resting(paths: Paths, wanted: str) -> bool:
    """Whether the wanted system was tried and not confirmed."""
    return _read(paths.resting) == wanted


def seconds_to_confirm(device: Device, schedule: Schedule, booted: Running) -> int | None:
    """How long the system that runs may go on unconfirmed, if it must be confirmed."""
    limit = schedule.confirm_within_seconds
    if limit is None or booted.system == schedule.default or device.paths.is_confirmed.exists():
        return None
    return max(0, booted.started_seconds + limit - int(device.clock.now()))


def note_due(paths: Paths, found: Due) -> None:
    """Remember what was wanted, once what follows from it is certain to happen."""
    write_durably(paths.schedule, f"{found.wanted}\n".encode())
    if found.rests or _read(paths.resting) not in (None, found.wanted):
        with exclusive_rw(paths):
            if found.rests:
                _leave(paths, read_running(paths.booted).system)
                write_durably(paths.resting, f"{found.wanted}\n".encode())
            else:
                paths.resting.unlink()


def _leave(paths: Paths, system: str) -> None:
    verdict = Verdict(Reason.UNCONFIRMED, "nobody confirmed it in the time that the schedule gives")
    write_choice(paths.choice, leaving(read_choice(paths.choice), system, verdict))


def _read(path: Path) -> str | None:
    """The first line; a newer agent may have added others."""
    try:
        return read_bounded(path, _MAX_BYTES).decode("ascii", "replace").partition("\n")[0].strip()
    except (OSError, BadFile):
        return None
