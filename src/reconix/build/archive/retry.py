"""Fetching with patience: how often a server is asked, and how long it may take.

A failure that may be gone at the next attempt is ``Transient``; any other one counts at once. What
comes is copied up to the size that is known before, and one byte: so a server that never ends is no
different from one that sends another file.

Tested by ``tests/unit/build/archive/test_fetch.py``, with real servers that misbehave.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.build.archive.transport import Transient

_CHUNK_BYTES = 1 << 16
_Result = TypeVar("_Result")


class DownloadFailed(ReconixError):
    """A file could not be fetched, although it may still be there."""

    exit_code = 68


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a server may take, and how often it is asked."""

    attempts: int = 3
    pause_seconds: float = 1
    grace_seconds: float = 60
    least_bytes_per_second: int = 8 << 10

    def limit_seconds(self, size_bytes: int) -> float:
        """How long a whole file may take."""
        return self.grace_seconds + size_bytes / self.least_bytes_per_second


def patiently(what: str, attempt: Callable[[], _Result], retry: RetryPolicy) -> _Result:
    """Try something that a server may fail to do, more than once.

    Args:
        what: what is fetched, for the message.
        attempt: fetches it from the beginning.
        retry: how often.

    Raises:
        DownloadFailed: no attempt was successful.
    """
    for number in range(1, retry.attempts + 1):
        try:
            return attempt()
        except Transient as error:
            if number == retry.attempts:
                raise DownloadFailed(
                    f"{what} could not be fetched: {error}",
                    hint="is the network up? finished downloads are kept; try again",
                ) from error
            time.sleep(retry.pause_seconds * number)
    raise AssertionError("a policy without attempts")


class Sink(Protocol):
    """What takes the bytes of a file as they come."""

    def write(self, data: bytes, /) -> object:
        """Take some more."""


def copy_bounded(
    read: Callable[[int], bytes], file: Sink, size_bytes: int, retry: RetryPolicy
) -> tuple[Digest, int]:
    """Copy what comes, and give its digest and size; of too much, one byte is taken.

    Raises:
        Transient: it is less, or comes too slowly.
    """
    until = time.monotonic() + retry.limit_seconds(size_bytes)
    state, got = hashlib.sha256(), 0
    while chunk := read(min(_CHUNK_BYTES, size_bytes + 1 - got)):
        got += len(chunk)
        state.update(chunk)
        file.write(chunk)
        if time.monotonic() > until:
            raise Transient("the server is too slow")
    if got < size_bytes:
        raise Transient(f"only {got} of {size_bytes} bytes came")
    return Digest(state.digest()), got
