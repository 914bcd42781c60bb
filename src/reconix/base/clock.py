"""The clock that waiting goes by: a value, so that a test can turn it instead of waiting.

It is the kernel's monotonic clock, which nobody sets; times of day are not its business.

Tested by ``tests/unit/device/trial/test_monitor.py``.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass


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
