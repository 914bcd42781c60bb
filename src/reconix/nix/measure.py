"""Hash and scan a tree on its way to the disk.

Hashing is the one thing in adding an object that can be done elsewhere: it needs nothing but bytes,
and the interpreter lets go of its lock meanwhile. So the bytes of the archive are handed to a
thread, in pieces of 64 KiB and more, and while it hashes, files are read and written here.

Proven by ``tests/unit/nix/test_measure.py``.
"""

import hashlib
import queue
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from reconix.base.digests import Digest
from reconix.store.nar import Encoder, Event, NarInfo
from reconix.store.references import Scanner

_WAITING_PIECES = 8  # bounds the memory, and how far hashing may fall behind


class HashingThread:
    """SHA-256 of the bytes that it is given, computed beside; open it with ``with``."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()
        self._pieces: queue.Queue[bytes | None] = queue.Queue(_WAITING_PIECES)
        self._thread = threading.Thread(target=self._hash, name="hash")

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        self._pieces.put(data)

    def digest(self) -> Digest:
        """Wait for the end and give the digest; nothing can be added any more."""
        self._end()
        return Digest(self._state.digest())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()

    def _hash(self) -> None:
        while (data := self._pieces.get()) is not None:
            self._state.update(data)


def measure(events: Iterable[Event], scanner: Scanner) -> NarInfo:
    """Digest and size of the archive of a tree that passes.

    Args:
        events: the tree.
        scanner: sees the same bytes.
    """
    with HashingThread() as state:

        def see(data: bytes) -> None:
            state.update(data)
            scanner.feed(data)

        encoder = Encoder(see)
        for event in events:
            encoder.feed(event)
        return NarInfo(state.digest(), encoder.size_bytes)
