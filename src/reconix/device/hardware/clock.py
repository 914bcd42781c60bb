"""The clock that nobody sets: seconds of CLOCK_MONOTONIC, which count from boot and never jump."""

import time


def uptime() -> float:
    """Seconds of CLOCK_MONOTONIC; every deadline of a trial is a point on it."""
    return time.monotonic()
