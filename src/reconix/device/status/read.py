"""The status of a device: what runs, what boots next, and how the last trial ended.

It is read from the agent's files and the firmware alone, takes no lock, and works while another
command changes the device: each file is whole at any time.

Tested by ``tests/unit/device/status/test_status.py``.
"""

import time

from reconix.base.errors import ReconixError
from reconix.base.files import BadFile
from reconix.base.records import dataclass
from reconix.boot.trial import State
from reconix.device.device import Device
from reconix.device.hardware.flash_wear import FlashWear, read_flash_wear
from reconix.device.next_boot import NextBoot, next_boot, read_sources
from reconix.device.select.follow import is_resting, seconds_to_confirm, suspended
from reconix.device.settings.schedule import Change, minute_of_week, read_schedule
from reconix.device.state import last_check
from reconix.device.state.choice import Choice, read_choice
from reconix.device.state.events import Event, read_events
from reconix.device.state.faults import read_faults
from reconix.device.state.last_check import LastCheck
from reconix.device.state.ledger import Left
from reconix.device.state.lock import being_changed
from reconix.device.state.missed import MissedPaths, read_missed
from reconix.device.state.running import (
    Running,
    UnknownBoot,
    read_running,
    soft_reboot_target,
)
from reconix.device.state.scrubbed import Scrubbed, read_scrubbed
from reconix.device.status.asked import Asked, read_asked
from reconix.device.status.integrity import Compared, read_compared
from reconix.device.status.room import PartitionsRoom, read_room
from reconix.device.trial.disks import Disks, read_disks
from reconix.device.trust_store import TrustStore
from reconix.device.update import retry
from reconix.store.layout import expect_layout

_SHOWN_EVENTS = 10


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
    """A generation that was not kept, and when it is retried.

    Attributes:
        left: which one, why and how often.
        seconds: until it is retried; None: only when somebody asks for it.
    """

    left: Left
    seconds: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """What a device is and has done."""

    host: str
    architecture: str
    booted: Running | None
    state: State
    choice: Choice
    next_boot: NextBoot
    installed: tuple[str, ...]
    systems: tuple[str, ...]
    busy: bool
    events: tuple[Event, ...]
    uptime_seconds: int = 0
    schedule: Followed | None = None
    sequence: int | None = None
    last_check: LastCheck | None = None
    faults: tuple[str, ...] = ()
    left: tuple[LeftAlone, ...] = ()
    disks: Disks | None = None
    scrubbed: Scrubbed | None = None
    compared: Compared | None = None
    missing_secrets: tuple[Asked, ...] = ()
    room: PartitionsRoom | None = None
    flash_wear: FlashWear | None = None
    missed: MissedPaths | None = None
    is_unproven: bool = False


def read_status(device: Device) -> Status:
    """Read everything that a status shows.

    Raises:
        OtherLayout: the disk is none that this agent knows.
        ReconixError: the device has no state and none can be found out.
    """
    expect_layout(device.paths.system)
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
        next_boot=next_boot(read_sources(device, state)),
        installed=tuple(map(str, device.installed())),
        systems=tuple(system.name for system in committed.systems),
        busy=being_changed(paths),
        events=read_events(paths.log)[-_SHOWN_EVENTS:],
        uptime_seconds=int(device.clock.now()),
        schedule=_followed(device, time.time()),
        sequence=_sequence(device),
        last_check=last_check.read(paths),
        faults=read_faults(paths),
        left=tuple(
            LeftAlone(each, retry.seconds_left(paths, each, time.time()))
            for each in retry.left(device)
        ),
        disks=_disks(device),
        scrubbed=read_scrubbed(paths),
        compared=_compared(device),
        missing_secrets=_missing_secrets(device),
        room=read_room(paths),
        flash_wear=read_flash_wear(paths),
        missed=read_missed(paths),
        is_unproven=soft_reboot_target(paths) is not None,
    )


def _compared(device: Device) -> Compared | None:
    """Whether what is read is compared; ``None`` if that cannot be found out."""
    try:
        return read_compared(device)
    except (BadFile, OSError):
        return None


def _missing_secrets(device: Device) -> tuple[Asked, ...]:
    """What the device lacks; only root may look, so to others nothing is missing."""
    try:
        return tuple(each for each in read_asked(device) if not each.is_there)
    except (ReconixError, OSError):
        return ()


def _disks(device: Device) -> Disks | None:
    """The condition of its disk; ``None`` if that cannot be read."""
    try:
        return read_disks(device)
    except (ReconixError, OSError):
        return None


def _sequence(device: Device) -> int | None:
    """The rollback index; ``None`` if that cannot be read."""
    try:
        return TrustStore.read(device).rollback_index
    except (ReconixError, OSError):
        return None


def _followed(device: Device, now: float) -> Followed | None:
    """What the schedule says; ``None`` without one, or if it cannot be read."""
    booted = _booted(device)
    if booted is None:
        return None
    try:
        schedule = read_schedule(device.registry, booted.toplevel)
    except (OSError, ReconixError):
        return None
    if schedule is None:
        return None
    wanted = schedule.wanted(minute_of_week(now))
    return Followed(
        wanted,
        schedule.next_change(now),
        suspended(device) or is_resting(device.paths, wanted),
        seconds_to_confirm(device, schedule, booted),
    )


def _booted(device: Device) -> Running | None:
    try:
        return read_running(device.paths.booted)
    except UnknownBoot:
        return None
