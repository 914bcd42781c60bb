"""Waiting for whoever sends, but not for ever.

The end of a link is not always told: a sender that lost power is simply silent, and a device that
waits for it would refuse everybody else. So once the first byte has come, the next one must follow
in time. The first may take longer, because whoever sends may still be making the stream.

Proven by ``tests/unit/device/test_patience.py``.
"""

import os
import select

from reconix.transfer.stream import Read

STALL_SECONDS = 60.0


def patient(descriptor: int, *, stall_seconds: float = STALL_SECONDS) -> Read:
    """Reads from a pipe or a socket; a ``TimeoutError`` says that nothing came any more."""
    has_begun = False

    def read(size_bytes: int) -> bytes:
        nonlocal has_begun
        if has_begun and not select.select([descriptor], [], [], stall_seconds)[0]:
            raise TimeoutError(f"nothing came for {stall_seconds:g} s")
        has_begun = True
        return os.read(descriptor, size_bytes)

    return read
