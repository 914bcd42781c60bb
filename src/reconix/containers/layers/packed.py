"""Layers as they come: archives, plain or compressed, and the digest of the archive.

What a layer is compressed with is seen from its first bytes, as all engines do it: media types are
wrong often enough. Of gzip there may be several members, one behind the other, and zeros behind the
last; of zstd several frames, and such as are to be skipped. Anything else behind the end is
refused: two programs could read two archives there.

A few bytes can be unpacked to any number. So memory does not depend on what is packed, and who
reads counts.

Source: RFC 1952, sections 2.2 and 2.3; RFC 8878, section 3.1.
Tested by ``tests/unit/containers/layers/test_packed.py``.
"""

import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

import zstandard

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import COPY_BYTES, chunks

_GZIP = b"\x1f\x8b"
_ZSTD = (b"\x28\xb5\x2f\xfd", *(bytes((each, 0x2A, 0x4D, 0x18)) for each in range(0x50, 0x60)))
_OTHERS = {b"BZh": "bzip2", b"\xfd7zX": "xz", b"\x04\x22\x4d\x18": "lz4"}
_MAGIC_BYTES = 4
_WINDOW_BYTES = 1 << 27  # as zstd itself allows unless it is told to take more
_WITH_HEAD = 16 + zlib.MAX_WBITS  # what zlib calls the format of gzip


class BadPacking(ReconixError):
    """A layer is not packed as it should be."""

    exit_code = 65


def unpacked(file: BinaryIO) -> Iterator[bytes]:
    """What is in a layer, piece by piece.

    Raises:
        BadPacking: it is damaged, ends early, or something follows its end.
    """
    magic = _magic(file)
    for other, name in _OTHERS.items():
        if magic.startswith(other):
            raise BadPacking(f"it is compressed with {name}, which no specification allows")
    if magic.startswith(_GZIP):
        return _gunzipped(file)
    return _decompressed(file) if magic in _ZSTD else chunks(file)


def is_packed(file: BinaryIO) -> bool:
    """Whether a file is compressed in a way that layers may be."""
    magic = _magic(file)
    return magic.startswith(_GZIP) or magic in _ZSTD


def _magic(file: BinaryIO) -> bytes:
    magic = file.read(_MAGIC_BYTES)
    file.seek(0)
    return magic


def _gunzipped(file: BinaryIO) -> Iterator[bytes]:
    waiting = b""
    while True:
        waiting = waiting or file.read(COPY_BYTES)
        if not waiting.startswith(_GZIP[: len(waiting)]):
            _expect_zeros(waiting, file)
            return
        if not waiting:
            return
        state = zlib.decompressobj(_WITH_HEAD)
        while not state.eof:
            waiting = waiting or file.read(COPY_BYTES)
            try:
                data = state.decompress(waiting, COPY_BYTES)
            except zlib.error as error:
                raise BadPacking(f"it is not gzip all through: {error}") from error
            if not waiting and not data:
                raise BadPacking("it ends in the middle: gzip goes on")
            waiting = state.unconsumed_tail
            if data:
                yield data
        waiting = state.unused_data


def _expect_zeros(waiting: bytes, file: BinaryIO) -> None:
    while waiting:
        if waiting.strip(b"\0"):
            raise BadPacking("something follows the end of gzip")
        waiting = file.read(COPY_BYTES)


def _decompressed(file: BinaryIO) -> Iterator[bytes]:
    state = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
    with state.stream_reader(file, read_across_frames=True, closefd=False) as reader:
        while True:
            try:
                data = reader.read(COPY_BYTES)
            except zstandard.ZstdError as error:
                raise BadPacking(f"it is not zstd all through: {error}") from error
            if not data:
                return
            yield data


class Archive(io.RawIOBase):
    """The archive of a layer as a file to be read once, with the digest of all that was read.

    Args:
        pieces: what is in the layer.
        count: called with the size of each piece; may raise.
    """

    def __init__(self, pieces: Iterator[bytes], count: Callable[[int], None]) -> None:
        self._pieces = pieces
        self._count = count
        self._state = hashlib.sha256()
        self._waiting = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: object) -> int:
        """For whoever buffers."""
        if not self._waiting:
            self._waiting = memoryview(next(self._pieces, b""))
            self._count(len(self._waiting))
            self._state.update(self._waiting)
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        size = min(len(view), len(self._waiting))
        view[:size] = self._waiting[:size]
        self._waiting = self._waiting[size:]
        return size

    def digest(self) -> Digest:
        """The digest of the whole archive; what was not read yet is read now."""
        buffer = bytearray(COPY_BYTES)
        while self.readinto(buffer):
            pass
        return Digest(self._state.digest())
