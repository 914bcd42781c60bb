"""How long to wait on this machine, given how long it takes on an idle one.

The limits of waits for an emulated guest were found on two idle cores. A busy laptop gives the same
guest a tenth of a core, and an old one runs it at half the speed. So limits are multiplied by how
much longer a fixed piece of work takes here than it did there: measured once for each process, in a
third of a second on an idle machine. A limit never becomes shorter.

Tested by ``tests/unit/vm/test_timeouts.py``.
"""

import time
from functools import cache

REFERENCE_SECONDS = 0.35
"""What the piece of work took on the idle machine on which the limits were found."""

LONGEST = 20.0
"""No limit grows by more than this: a wait for what will not come must end."""

_STEPS = 12_000_000


def scaled(seconds: float) -> float:
    """The limit on this machine for what has ``seconds`` on the machine of reference."""
    return seconds * slowness()


@cache
def slowness() -> float:
    """How much longer work takes on this machine, as busy as it is; 1 or more."""
    began = time.monotonic()
    _work()
    return factor(time.monotonic() - began)


def factor(took_seconds: float) -> float:
    """How a limit grows where the piece of work took so long."""
    return min(max(1.0, took_seconds / REFERENCE_SECONDS), LONGEST)


def _work() -> int:
    """What an emulator does: one instruction after the other, no faster on many cores."""
    total = 0
    for step in range(_STEPS):
        total ^= step
    return total
