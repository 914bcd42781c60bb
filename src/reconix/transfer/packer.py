"""Compressing a payload: the inverse of ``packing.Unpacker``.

What is written is collected by channel, and the order in which channels were written is noted: it
is the order in which a reader will ask. When all is there each channel is compressed as a whole,
on all cores. Then a reader is let run over the result; whenever it asks for a packet, that packet
is what comes next in the stream. So writer and reader cannot disagree.

Proven by ``tests/unit/transfer/test_packing.py``.
"""

import lzma
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from reconix.base.files import chunks
from reconix.transfer.packing import DICTIONARIES, MAX_PACKET_BYTES, Channel, Channels, branches
from reconix.transfer.stream import BadStream, Write

_TUNED = {
    Channel.DIFFERENCE: {"lc": 0, "lp": 0, "pb": 2},
    Channel.TEXT: {"lc": 4, "lp": 0, "pb": 0},
    Channel.BINARY: {"lc": 3, "lp": 0, "pb": 2},
    Channel.CODE: {"lc": 3, "lp": 0, "pb": 2},
}
_NUMBERS = {"lc": 0, "lp": 0, "pb": 0}
_JOBS = 2


class Packer:
    """Takes a payload, channel by channel, in the order in which it will be read."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._spools: dict[Channel, BinaryIO] = {}
        self._asked: list[tuple[Channel, int]] = []

    def write(self, data: bytes, channel: Channel = Channel.PLAN) -> None:
        """Append to a channel."""
        if not data:
            return
        if channel not in self._spools:
            self._spools[channel] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by finish
        self._spools[channel].write(data)
        if self._asked and self._asked[-1][0] == channel:
            self._asked[-1] = (channel, self._asked[-1][1] + len(data))
        else:
            self._asked.append((channel, len(data)))

    def finish(self) -> None:
        """Compress and write everything."""
        with ThreadPoolExecutor(_JOBS) as pool:
            done = pool.map(_compressed, self._spools, self._spools.values())
            packed = dict(zip(self._spools, done, strict=True))
        reader = Channels(_Interleaver(self._write, packed))
        for channel, size in self._asked:
            for _ in reader.pieces(size, channel):
                pass
        reader.close()
        for spool in self._spools.values():
            spool.close()


class _Interleaver:
    """Gives a reader the packets that it asks for, and writes them in that order."""

    def __init__(self, write: Write, packed: dict[Channel, bytes]) -> None:
        self._write = write
        self._left = {channel: deque(_cut(content)) for channel, content in packed.items()}

    def next(self, channel: Channel) -> bytes:
        packet = self._left[channel].popleft()
        self._write(bytes([channel]) + (len(packet) - 1).to_bytes(2, "little") + packet)
        return packet

    def wrong(self, message: str) -> BadStream:
        return BadStream(message, offset=0)


def _cut(content: bytes) -> Iterator[bytes]:
    for begin in range(0, len(content), MAX_PACKET_BYTES):
        yield content[begin : begin + MAX_PACKET_BYTES]


def _compressed(channel: Channel, spool: BinaryIO) -> bytes:
    size = spool.tell()
    spool.seek(0)
    compressor = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=_filters(channel, size))
    parts = [compressor.compress(chunk) for chunk in chunks(spool)]
    return b"".join([*parts, compressor.flush()])


def _filters(channel: Channel, size_bytes: int) -> list[dict[str, int]]:
    """How to compress; no larger dictionary than there are bytes, which saves memory."""
    dictionary = min(DICTIONARIES[channel], max(4096, size_bytes))
    return [
        *branches(channel),
        {
            "id": lzma.FILTER_LZMA2,
            "preset": 9 | lzma.PRESET_EXTREME,
            "dict_size": dictionary,
            **_TUNED.get(channel, _NUMBERS),
        },
    ]
