"""The payload's bytes, compressed: what lies between the frames and the plan.

``stream.py`` carries bytes that are proved; ``plan.py`` says what they mean. Between them they are
made small. All bytes of a payload are one xz stream whose dictionary a device can hold. A reader
decompresses only as far as somebody asks, so a bomb costs no more than what was declared.

The format, byte by byte: ``docs/spec/stream.md``, *Compression*. Proven by
``tests/unit/transfer/test_packing.py``.
"""

import lzma
from collections.abc import Iterator
from typing import Protocol

from reconix.transfer.stream import BadStream, Write

DICTIONARY_BYTES = 16 << 20
"""How far back the compression may look: the receiver holds that much."""

_PIECE_BYTES = 1 << 16  # of decompressed payload, at once
_MEMORY_LIMIT = DICTIONARY_BYTES + (2 << 20)
_MAX_VARINT_BYTES = 9


class Proved(Protocol):
    """Where packed bytes come from: ``stream.StreamReader``."""

    def some(self) -> bytes:
        """The next bytes; none at the end."""

    def wrong(self, message: str) -> BadStream:
        """An error that names the place."""


class Packer:
    """Compresses a payload from front to end."""

    def __init__(self, write: Write, architecture: str) -> None:
        self._write = write
        self._compressor = lzma.LZMACompressor(
            format=lzma.FORMAT_XZ, check=lzma.CHECK_NONE, filters=_filters(architecture)
        )

    def write(self, data: bytes) -> None:
        """Append to the payload."""
        self._write(self._compressor.compress(data))

    def finish(self) -> None:
        """Write what is still held."""
        self._write(self._compressor.flush())


def _filters(architecture: str) -> list[dict[str, int]]:
    """How to compress; on amd64 branch targets are made absolute first, which saves 2 %."""
    branches = [{"id": lzma.FILTER_X86}] if architecture == "amd64" else []
    return [*branches, {"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": DICTIONARY_BYTES}]


class Unpacker:
    """Reads a payload from front to end."""

    def __init__(self, source: Proved) -> None:
        self._source = source
        self._ready = memoryview(b"")  # payload that was not yet taken
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY_LIMIT)

    def wrong(self, message: str) -> BadStream:
        """An error that names the place."""
        return self._source.wrong(message)

    def take(self, size_bytes: int) -> bytes:
        """The next bytes of the payload, exactly so many; meant for small things."""
        if size_bytes <= len(self._ready):
            taken = bytes(self._ready[:size_bytes])
            self._ready = self._ready[size_bytes:]
            return taken
        return b"".join(self.pieces(size_bytes))

    def pieces(self, size_bytes: int) -> Iterator[bytes]:
        """The next bytes of the payload, exactly so many, in pieces of bounded size."""
        left = size_bytes
        while left:
            if not self._ready:
                self._ready = memoryview(self._decompress())
            piece = bytes(self._ready[:left])
            self._ready = self._ready[len(piece) :]
            left -= len(piece)
            yield piece

    def number(self) -> int:
        """The next ``varint`` of the payload.

        Raises:
            BadStream: it has more bytes than it needs, or is 2^63 or more.
        """
        value = 0
        for index in range(_MAX_VARINT_BYTES):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                if byte == 0 and index:
                    break
                return value
        raise self.wrong("a number that is not spelled as it should be")

    def finish(self) -> None:
        """Check that the payload is over.

        Raises:
            BadStream: there is more.
        """
        while not self._decompressor.eof:
            if len(self._ready) or len(self._decompress(at_end=True)):
                raise self.wrong("bytes follow the last object")
        if len(self._ready) or self._source.some():
            raise self.wrong("bytes follow the last object")

    def _decompress(self, *, at_end: bool = False) -> bytes:
        """At least one byte of payload; at the end of the xz stream none if that is allowed."""
        while True:
            if self._decompressor.eof:
                if at_end:
                    return b""
                raise self.wrong("the payload ends in the middle of something")
            content = b""
            if self._decompressor.needs_input:
                content = self._source.some()
                if not content:
                    raise self.wrong("the payload ends in the middle of its compression")
            try:
                data = self._decompressor.decompress(content, max_length=_PIECE_BYTES)
            except lzma.LZMAError as error:
                raise self.wrong(
                    f"the payload is not compressed as it should be: {error}"
                ) from error
            if self._decompressor.unused_data:
                raise self.wrong("bytes follow the compressed payload")
            if data:
                return data
