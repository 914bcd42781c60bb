"""The clock that waiting goes by: a value, so that a test can turn it instead of waiting.

It is the kernel's monotonic clock, which nobody sets; times of day are not its business.

Tested by ``tests/unit/base/test_clock.py`` and ``tests/unit/device/trial/test_monitor.py``.
"""

import math
import time
from collections.abc import Callable, Iterator

from reconix.base.records import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock and a way to wait by it.

    Attributes:
        now: the seconds since some moment in the past.
        pause: wait for so many seconds.
    """

    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


REAL = Clock()


def turns(
    pause_seconds: float, *, seconds: float = math.inf, share: float = 1 / 2, clock: Clock = REAL
) -> Iterator[None]:
    """Take turns at looking whether something has come, and leave time for it to come between them.

    A question costs who is asked: a login and a start of Python are seconds on a slow device, which
    it would rather spend on what is waited for.

    Args:
        pause_seconds: the least between the end of a turn and the next one.
        seconds: after which no more turn begins; one there always is.
        share: the most of the time that turns may take.
        clock: to wait by.
    """
    end = clock.now() + seconds
    while True:
        began = clock.now()
        yield
        now = clock.now()
        if now >= end:
            return
        clock.pause(max(pause_seconds, (now - began) * (1 / share - 1)))
