"""Scrubbing a device: a little of what is installed is read each time, and compared with its name.

No lock is held while it is read, so nothing waits for it. What was found is remembered
(``device/state/scrubbed.py``); to write that to the disk takes the lock for a moment, and if
another command has it, the next time will do.

Tested by ``tests/unit/device/update/test_scrub.py``.
"""

import contextlib
import time

from reconix.base.records import dataclass, replace
from reconix.device.device import Device
from reconix.device.state.lock import Busy, exclusive_rw
from reconix.device.state.scrubbed import (
    SAVE_BYTES,
    Scrubbed,
    is_due,
    note_scrubbed,
    read_scrubbed,
    write_scrubbed,
)
from reconix.store.registry import Registry
from reconix.store.scrub import BEGIN, Reading, is_intact, read_on, still_damaged


@dataclass(frozen=True, slots=True)
class Scrub:
    """What one scrubbing has done.

    Attributes:
        read_bytes: how much was read.
        scrubbed: how far it is now.
    """

    read_bytes: int
    scrubbed: Scrubbed


def scrub(device: Device, *, limit_bytes: int | None = None, now: float | None = None) -> Scrub:
    """Read on behind the last place, and remember what was found.

    Args:
        device: whose installed generations are read.
        limit_bytes: how much at most, but for one file; None: all up to the end of this pass.
        now: the time in seconds since 1970; None: by the clock.
    """
    before = read_scrubbed(device.paths) or Scrubbed()
    registry = device.registry.afresh()  # one that keeps no images in memory
    reading = read_on(registry, before.place, limit_bytes)
    after = _after(before, reading, registry, int(time.time() if now is None else now))
    _remember(device, after)
    return Scrub(reading.read_bytes, read_scrubbed(device.paths) or after)


def _after(before: Scrubbed, reading: Reading, registry: Registry, now: int) -> Scrubbed:
    old = {each.digest: each for each in before.damaged if each.digest not in reading.sound}
    damaged = still_damaged(registry, {**old, **reading.wrong}.values())
    return replace(
        before,
        place=reading.place,
        finished=now if reading.place == BEGIN else before.finished,
        unsaved_bytes=before.unsaved_bytes + reading.read_bytes,
    ).finding(damaged)


def _remember(device: Device, scrubbed: Scrubbed) -> None:
    if not is_due(device.paths, scrubbed):
        note_scrubbed(device.paths, scrubbed)
        return
    try:
        with exclusive_rw(device.paths):
            write_scrubbed(device.paths, scrubbed)
    except Busy:
        unsaved = max(scrubbed.unsaved_bytes, SAVE_BYTES)
        note_scrubbed(device.paths, replace(scrubbed, unsaved_bytes=unsaved))


def look_again(device: Device) -> None:
    """Forget damages that are repaired; must be called under ``exclusive_rw``."""
    known = read_scrubbed(device.paths)
    if known is None or not known.damaged:
        return
    registry = device.registry.afresh()
    left = [each for each in known.damaged if not is_intact(registry, each)]
    damaged = still_damaged(registry, left)
    if damaged != known.damaged:
        with contextlib.suppress(OSError):  # it is found out again
            write_scrubbed(device.paths, replace(known.finding(damaged), others=known.others))
