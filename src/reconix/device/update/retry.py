"""Retrying: what a device does by itself about a generation that it did not keep.

A timer that installs the newest generation must not keep installing what the device has left, nor
give up for good on what only had bad luck:

====================================  ==============================================================
unhealthy, panic, hang, …             the generation was the cause: not retried
operator                              somebody has decided: not retried
power, unknown                        it need not be the cause: retried, after a wait that doubles
====================================  ==============================================================

A newer generation is another one. What somebody asks for is never held back.

The wait begins at the next check for updates, because by then it has a network, and so probably
the time; it is written down, once, so that it goes on over restarts:

    /reconix/waiting.json   {"version": 1, "generation": "/nix/store/…", "times": 2,
                             "until": 1767225600}

A clock that is set back while it waits makes it begin anew, so no date holds it for longer than the
wait itself. Tested by ``tests/unit/device/update/test_retry.py``.
"""

from reconix.base.documents import BadDocument, Fields, print_json
from reconix.base.files import BadFile, read_bounded, write_durably
from reconix.base.records import dataclass, field
from reconix.boot.trial import Rest
from reconix.device.device import Device
from reconix.device.paths import Paths
from reconix.device.state.ledger import Left, read_ledger
from reconix.device.state.lock import exclusive_rw

VERSION = 1
FIRST_WAIT_SECONDS = 3600
MAX_WAIT_SECONDS = 7 * 24 * 3600
_MAX_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Waiting:
    """Until when a generation is not retried, in seconds since 1970."""

    generation: str
    times: int
    until: int
    version: int = field(default=VERSION, compare=False)
    rest: Rest = field(default_factory=dict, compare=False, repr=False)

    def print(self) -> bytes:
        """As a document."""
        return print_json(
            {
                **self.rest,
                "version": self.version,
                "generation": self.generation,
                "times": self.times,
                "until": self.until,
            }
        )


def left(device: Device) -> tuple[Left, ...]:
    """The generations that were not kept, the last one at the end; never the committed one."""
    state = device.recall()
    known = read_ledger(device.paths.ledger).knowing(state)
    return known.keeping(state.committed.generation).left


def wait_seconds(each: Left) -> int | None:
    """How long until a generation is retried; ``None``: never."""
    if not each.reason.may_be_repeated:
        return None
    doubled: int = FIRST_WAIT_SECONDS << min(each.times - 1, 20) if each.times else 0
    return min(doubled, MAX_WAIT_SECONDS)


def seconds_left(paths: Paths, each: Left, now: float) -> int | None:
    """How long until a generation is retried, from now on; ``None``: never."""
    wait = wait_seconds(each)
    if wait is None:
        return None
    begun = read_waiting(paths)
    if begun is None or (begun.generation, begun.times) != (each.generation, each.times):
        return wait
    left = begun.until - int(now)
    return wait if left > wait else max(0, left)


def held_back(device: Device, target: str, now: float) -> str:
    """Why a generation is not retried now, in words; "" if it may be tried.

    The first call about a generation that has to wait begins the wait.
    """
    each = next((one for one in left(device) if one.generation == target), None)
    if each is None:
        return ""
    seconds = seconds_left(device.paths, each, now)
    if seconds is None:
        return f"{target} was left ({each.word}); not retried"
    if seconds == 0:
        return ""
    _begin(device.paths, Waiting(target, each.times, int(now) + seconds))
    return f"{target} was left ({each.word}); retried in {_minutes(seconds)} minutes"


def _minutes(seconds: int) -> int:
    return -(-seconds // 60)


def _begin(paths: Paths, wanted: Waiting) -> None:
    begun = read_waiting(paths)
    if begun != wanted:
        with exclusive_rw(paths):
            write_durably(paths.waiting, wanted.print())


def read_waiting(paths: Paths) -> Waiting | None:
    """The wait that has begun; ``None`` where it cannot be read: then it begins anew."""
    try:
        fields = Fields.parse(read_bounded(paths.waiting, _MAX_BYTES), source=str(paths.waiting))
        return Waiting(
            fields.text("generation"),
            fields.number("times"),
            fields.number("until"),
            max(VERSION, fields.version()),
            fields.rest("version", "generation", "times", "until"),
        )
    except (OSError, BadFile, BadDocument):
        return None
