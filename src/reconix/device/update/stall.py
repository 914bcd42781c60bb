"""Stalls: reading from a sender, but not waiting for ever.

The end of a link is not always told: a sender that lost power is simply silent, and a device that
waits for it would refuse everybody else. So the first byte must come within an hour, because
the sender may still be making the stream; once it has come, the next one must follow within a
minute, and ``MIN_BYTES`` in each window of waiting, or a byte a minute would keep the device busy
for ever.

Tested by ``tests/unit/device/update/test_stall.py``.
"""

import os
import select

from reconix.base.clock import REAL, Clock
from reconix.base.records import dataclass
from reconix.transfer.format.stream import Read

FIRST_SECONDS = 3600.0
STALL_SECONDS = 60.0
MIN_BYTES = 4 << 10
"""Less than this in ``WINDOW_SECONDS`` of waiting counts as silence; a modem sends more."""
WINDOW_SECONDS = 120.0


@dataclass(slots=True)
class _Waiting:
    """How long was waited, and what came in that time."""

    seconds: float = 0.0
    bytes_: int = 0
    has_begun: bool = False

    def note(self, seconds: float, size_bytes: int) -> None:
        """Count the wait for the next bytes; that for the first ones does not count."""
        self.seconds += seconds if self.has_begun else 0.0
        self.bytes_ += size_bytes
        self.has_begun = True
        if self.bytes_ >= MIN_BYTES:
            self.seconds, self.bytes_ = 0.0, 0


def until_stalled(
    descriptor: int,
    *,
    first_seconds: float = FIRST_SECONDS,
    stall_seconds: float = STALL_SECONDS,
    window_seconds: float = WINDOW_SECONDS,
    clock: Clock = REAL,
) -> Read:
    """A function that reads from a pipe or a socket; ``TimeoutError`` if too little comes."""
    waiting = _Waiting()

    def read(size_bytes: int) -> bytes:
        began = clock.now()
        limit = stall_seconds if waiting.has_begun else first_seconds
        if not select.select([descriptor], [], [], limit)[0]:
            raise TimeoutError(f"nothing came for {limit:g} s")
        data = os.read(descriptor, size_bytes)
        waiting.note(clock.now() - began, len(data))
        if data and waiting.seconds > window_seconds:
            raise TimeoutError(f"only {waiting.bytes_} bytes came in {window_seconds:g} s")
        return data

    return read
