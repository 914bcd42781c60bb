"""What the kernel has said since it was started, as far as it still knows.

A record is one read of ``/dev/kmsg``: ``<priority>,<number>,<time>,<flags>;<text>``, then lines
that begin with a space. Programs may write there, too; what they write has the priority of somebody
who is not the kernel. The kernel keeps the newest records, as many as fit in its memory for them.

Source: Linux, Documentation/ABI/testing/dev-kmsg.
Tested by ``tests/unit/device/hardware/test_kernel_log.py``.
"""

import os
from collections.abc import Iterator

from reconix.device.paths import Paths

_RECORD_BYTES = 1 << 13
_MAX_RECORDS = 100_000
_OF_PROGRAMS = 8
"""Priorities from here on are not those of the kernel."""


def read_kernel_log(paths: Paths) -> Iterator[str]:
    """What the kernel said, the oldest first.

    Raises:
        OSError: it cannot be read.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(paths.dev / "kmsg", flags)
    try:
        for record in _records(descriptor):
            for line in record.splitlines():
                head, _, text = line.partition(b";")
                if _is_of_kernel(head):
                    yield text.decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def _records(descriptor: int) -> Iterator[bytes]:
    for _ in range(_MAX_RECORDS):
        try:
            record = os.read(descriptor, _RECORD_BYTES)
        except BrokenPipeError:  # some were dropped while we read
            continue
        except BlockingIOError:  # that is all
            return
        if not record:
            return
        yield record


def _is_of_kernel(head: bytes) -> bool:
    priority = head.partition(b",")[0]
    return priority.isdigit() and int(priority) < _OF_PROGRAMS
