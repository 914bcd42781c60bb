"""Compressing a payload: the inverse of ``packing.Unpacker``.

What is written is collected by channel, in files without names, and the order in which channels
were written is noted: it is the order in which a reader will ask. When all is there each channel is
compressed as a whole, on all cores, into another such file. Then a reader is let run over the
result; whenever it asks for a packet, that packet is what comes next in the stream. So writer and
reader cannot disagree.

Tested by ``tests/unit/transfer/format/test_packing.py``.
"""

import lzma
import tempfile
from array import array
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from reconix.base.files import chunks
from reconix.transfer.format.packing import (
    DICTIONARIES,
    MAX_PACKET_BYTES,
    Channel,
    Channels,
    branches,
)
from reconix.transfer.format.stream import BadStream, Write

_TUNED = {
    Channel.DIFFERENCE: {"lc": 0, "lp": 0, "pb": 2},
    Channel.TEXT: {"lc": 4, "lp": 0, "pb": 0},
    Channel.BINARY: {"lc": 3, "lp": 0, "pb": 2},
    Channel.CODE: {"lc": 3, "lp": 0, "pb": 2},
}
_NUMBERS = {"lc": 0, "lp": 0, "pb": 0}
_JOBS = 2
_CHANNEL_BITS = 8
_CHANNEL_MASK = (1 << _CHANNEL_BITS) - 1


class Packer:
    """Takes a payload, channel by channel, in the order in which it will be read."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._spools: dict[Channel, BinaryIO] = {}
        self._asked = array("Q")  # size and channel: there may be millions

    def write(self, data: bytes, channel: Channel = Channel.PLAN) -> None:
        """Append to a channel."""
        if not data:
            return
        if channel not in self._spools:
            self._spools[channel] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by finish
        self._spools[channel].write(data)
        if self._asked and self._asked[-1] & _CHANNEL_MASK == channel:
            self._asked[-1] += len(data) << _CHANNEL_BITS
        else:
            self._asked.append(len(data) << _CHANNEL_BITS | channel)

    def finish(self) -> None:
        """Compress and write everything."""
        with ThreadPoolExecutor(_JOBS) as pool:
            done = pool.map(_compressed, self._spools, self._spools.values())
            packed = dict(zip(self._spools, done, strict=True))
        reader = Channels(_Interleaver(self._write, packed))
        for asked in self._asked:
            for _ in reader.pieces(asked >> _CHANNEL_BITS, Channel(asked & _CHANNEL_MASK)):
                pass
        reader.close()
        for file in (*self._spools.values(), *packed.values()):
            file.close()


class _Interleaver:
    """Gives a reader the packets that it asks for, and writes them in that order."""

    def __init__(self, write: Write, packed: dict[Channel, BinaryIO]) -> None:
        self._write = write
        self._packed = packed

    def next(self, channel: Channel) -> bytes:
        packet = self._packed[channel].read(MAX_PACKET_BYTES)
        self._write(bytes([channel]) + (len(packet) - 1).to_bytes(2, "little") + packet)
        return packet

    def wrong(self, message: str) -> BadStream:
        return BadStream(message, offset=0)


def _compressed(channel: Channel, spool: BinaryIO) -> BinaryIO:
    size = spool.tell()
    spool.seek(0)
    compressor = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=_filters(channel, size))
    packed = tempfile.TemporaryFile()  # noqa: SIM115 - closed by finish
    for chunk in chunks(spool):
        packed.write(compressor.compress(chunk))
    packed.write(compressor.flush())
    packed.seek(0)
    return packed


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
