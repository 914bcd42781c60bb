"""A partial stream, kept so that it can be resumed after a cut.

Verified frames are written to one file, as they come, behind the head they belong to. After a cut,
of the link or of the power, the file is read again from its beginning and each frame is checked
against its leaf once more: what the disk did not keep does not count. So the file itself says at
which byte the sender should resume, and nothing else is recorded.

::

    <system>/reconix/spool    the first bytes of a stream; perhaps some useless ones behind them

Nothing is written before the receiver has found that it can take the stream at all (``begin``);
what comes until then is held in memory, and is no more than a head and a manifest.

Tested by ``tests/unit/transfer/receiving/test_spool.py``.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from reconix.base.errors import ReconixError
from reconix.base.files import sync_file, sync_folder
from reconix.base.records import dataclass
from reconix.transfer.format.stream import (
    FRAME_BYTES,
    BadStream,
    Read,
    StreamHead,
    StreamReader,
    TruncatedStream,
    UnsupportedStream,
)

_SYNC_BYTES = 8 * FRAME_BYTES
"""How much is written before it is made durable: what a power cut may cost."""


class WrongOffset(ReconixError):
    """A stream is to be resumed at a byte at which the device is not."""

    exit_code = 51

    def __init__(self, wanted: int, *, ours: int) -> None:
        super().__init__(
            f"the stream cannot be resumed at byte {wanted}; this device is at byte {ours}",
            hint="ask `reconix-device resume-offset`, or send all of it",
        )


@dataclass(frozen=True, slots=True)
class Held:
    """How much of which stream is there."""

    head: StreamHead
    offset: int

    @property
    def name(self) -> str:
        """Of the stream."""
        return self.head.name


class Spool:
    """Keeps the verified part of one stream.

    Args:
        path: of the file.
        keeps: without it nothing is kept, and the file is another stream's: left alone, unless its
            room is needed.
    """

    def __init__(self, path: Path, *, keeps: bool = True) -> None:
        self._path = path
        self.keeps = keeps
        self._file: BinaryIO | None = None
        self._pending: list[bytes] = []
        self._is_off = not keeps
        self.resumed_bytes = 0
        self._skip = 0  # what comes again from the file itself
        self._unsynced = 0

    def held(self) -> Held | None:
        """What is there and right; reads all of it."""
        try:
            with self._path.open("rb") as file:
                return _measure(file)
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def resuming(self, held: Held, link: Read) -> Iterator[Read]:
        """A stream that begins with what is held and goes on with what a link gives."""
        self._skip = self.resumed_bytes = held.offset
        left = held.offset
        with self._path.open("rb") as file:

            def read(size_bytes: int) -> bytes:
                nonlocal left
                if not left:
                    return link(size_bytes)
                data = file.read(min(size_bytes, left))
                left -= len(data)
                return data

            yield read

    def take(self, data: bytes) -> None:
        """Keep what was verified next."""
        fresh = data[self._skip :]
        self._skip = max(0, self._skip - len(data))
        if not fresh or self._is_off:
            return
        if self._file is None:
            self._pending.append(fresh)
        else:
            self._write(fresh)

    @property
    def is_kept(self) -> bool:
        """Whether what arrives is written."""
        return self._file is not None

    def begin(self) -> None:
        """Write from now on, behind what is resumed."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("r+b" if self.resumed_bytes else "w+b")
        self._file.truncate(self.resumed_bytes)
        self._file.seek(self.resumed_bytes)
        sync_folder(self._path.parent)
        while self._pending:
            self._write(self._pending.pop(0))

    def give_up(self) -> None:
        """Keep nothing, because there is no room for it."""
        self._is_off, self._pending = True, []

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        self._file.write(data)
        self._unsynced += len(data)
        if self._unsynced >= _SYNC_BYTES:
            self._sync(self._file)

    def _sync(self, file: BinaryIO) -> None:
        sync_file(file)
        self._unsynced = 0

    def close(self) -> None:
        """Make durable what there is."""
        file, self._file = self._file, None
        if file is not None:
            with file:
                self._sync(file)

    def discard(self) -> None:
        """Forget the stream: it is received, or refused."""
        if self.keeps:
            self.give_back()

    def give_back(self) -> bool:
        """Free the space, whichever stream it is of; whether there was any."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
        if not self._path.exists():
            return False
        self._path.unlink()
        sync_folder(self._path.parent)
        return True


def _measure(file: BinaryIO) -> Held | None:
    """How far a file is the beginning of a stream."""
    try:
        stream = StreamReader(file.read)
        head = stream.read_head()
    except (BadStream, TruncatedStream, UnsupportedStream):
        return None
    good = stream.offset
    with contextlib.suppress(BadStream, TruncatedStream):
        while stream.some():
            good = stream.offset
    return Held(head, good)
