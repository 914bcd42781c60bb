"""The payload's bytes, compressed: what lies between the frames and the plan.

``stream.py`` carries verified bytes; ``plan.py`` says what they mean. Between them they are made
small. Bytes compress well beside bytes of their kind, so a payload is cut into *channels*:
the steps, the numbers of the copies, the differences, text, and programs. Each channel is one
LZMA2 stream of its own. To be read in one pass they are interleaved, as packets::

    payload = packet*
    packet  = channel size bytes

A packet stands where a reader that follows the plan runs out of its channel, and nowhere else. So a
reader never has to put one aside: its memory is the dictionaries, whose sizes are the table
``DICTIONARIES``, and one packet. It decompresses only as far as it is asked to; a bomb costs no
more than what was declared.

The format, byte by byte: ``docs/spec/stream.md``, *Channels*. Tested by
``tests/unit/transfer/format/test_packing.py``.
"""

import enum
import functools
import lzma
import re
from array import array
from collections.abc import Iterator, Sequence
from typing import Protocol

from reconix.transfer.format.stream import BadStream

MAX_PACKET_BYTES = 1 << 16

_PIECE_BYTES = 1 << 16  # of decompressed payload, at once
_VARINT = re.compile(rb"[\x80-\xff]*[\x00-\x7f]|[\x80-\xff]+\Z")
"""Also one that is cut off: a search that failed there would begin anew at each of its bytes."""
_VARINT_BYTES = 9
_NUMBERS = 1 << 12  # taken at once: as numbers they take more memory than as bytes


class Channel(enum.IntEnum):
    """What kind of bytes; each kind is compressed by itself."""

    PLAN = 0
    FROM = 1  # of each copy: where in the old content, as a distance
    GAP = 2  # of each copy: how much new content comes before it
    LENGTH = 3  # of each copy
    DIFFERENCE = 4  # what is to be added to old content, byte by byte
    TEXT = 5  # new content
    BINARY = 6  # new content
    CODE = 7  # new content: linked programs and libraries of amd64


DICTIONARIES = {
    Channel.PLAN: 1 << 20,
    Channel.FROM: 1 << 19,
    Channel.GAP: 1 << 19,
    Channel.LENGTH: 1 << 19,
    Channel.DIFFERENCE: 8 << 20,
    Channel.TEXT: 4 << 20,
    Channel.BINARY: 6 << 20,
    Channel.CODE: 4 << 20,
}
"""How far back each channel may look: the receiver holds that much of it."""


class Verified(Protocol):
    """Where packed bytes come from: ``stream.StreamReader``."""

    def some(self) -> bytes:
        """The next bytes; none at the end."""

    def wrong(self, message: str) -> BadStream:
        """An error that names the place."""


class Packets(Protocol):
    """Where the packets of the channels come from."""

    def next(self, channel: Channel) -> bytes:
        """The next packet, which must be of that channel; never empty."""

    def wrong(self, message: str) -> BadStream:
        """An error that names the place."""


class PacketReader:
    """Cuts verified bytes into packets."""

    def __init__(self, source: Verified) -> None:
        self._source = source
        self._ready = b""
        self._used = 0

    def wrong(self, message: str) -> BadStream:
        """An error that names the place."""
        return self._source.wrong(message)

    def next(self, channel: Channel) -> bytes:
        """The next packet.

        Raises:
            BadStream: there is none, or it is of another channel.
        """
        start = self._exactly(3)
        size = int.from_bytes(start[1:], "little") + 1
        if start[0] != channel:
            raise self.wrong(f"bytes of channel {start[0]} where {channel.name} is needed")
        return self._exactly(size)

    def finish(self) -> None:
        """Expect the end of the payload.

        Raises:
            BadStream: there is more.
        """
        if self._used < len(self._ready) or self._source.some():
            raise self.wrong("bytes follow the last object")

    def _exactly(self, size_bytes: int) -> bytes:
        taken = self._ready[self._used : self._used + size_bytes]
        self._used += len(taken)
        while len(taken) < size_bytes:
            self._ready = self._source.some()
            if not self._ready:
                raise self.wrong("the payload ends in the middle of its compression")
            self._used = min(size_bytes - len(taken), len(self._ready))
            taken += self._ready[: self._used]
        return taken


def filters(channel: Channel) -> list[dict[str, int]]:
    """What a decompressor of this channel must know."""
    return [*branches(channel), {"id": lzma.FILTER_LZMA2, "dict_size": DICTIONARIES[channel]}]


def branches(channel: Channel) -> list[dict[str, int]]:
    """In programs branch targets are made absolute, which saves 5 %; in kernel modules it costs."""
    return [{"id": lzma.FILTER_X86}] if channel is Channel.CODE else []


@functools.lru_cache(maxsize=4096)
def _parse_varint(spelled: bytes) -> int:
    if len(spelled) > _VARINT_BYTES or (len(spelled) > 1 and spelled[-1] == 0):
        raise ValueError("bytes that are not needed")
    number = 0
    for byte in reversed(spelled):
        number = number << 7 | byte & 0x7F
    return number


class _Lane:
    """One channel: packets in, bytes out."""

    def __init__(self, channel: Channel, packets: Packets) -> None:
        self._channel = channel
        self._packets = packets
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters(channel))
        self._ready = b""
        self._used = 0

    def take(self, size_bytes: int) -> bytes:
        """At least one byte and at most that many."""
        if self._used == len(self._ready):
            self._refill()
        taken = self._ready[self._used : self._used + size_bytes]
        self._used += len(taken)
        return taken

    def exactly(self, size_bytes: int) -> bytes:
        """Exactly that many bytes; meant for small things."""
        taken = self._ready[self._used : self._used + size_bytes]
        self._used += len(taken)
        while len(taken) < size_bytes:
            taken += self.take(size_bytes - len(taken))
        return taken

    @property
    def ready_bytes(self) -> int:
        """How many bytes are there already."""
        return len(self._ready) - self._used

    def number(self) -> int:
        """One number; most are a single byte."""
        if self._used < len(self._ready) and self._ready[self._used] < 0x80:
            self._used += 1
            return self._ready[self._used - 1]
        return self.numbers(1)[0]

    def numbers(self, count: int) -> list[int]:
        """At least one number and at most that many."""
        while True:
            begin = self._ready[self._used : self._used + count * _VARINT_BYTES]
            spelled = _VARINT.findall(begin)[:count]
            if spelled and spelled[-1][-1] > 0x7F:
                del spelled[-1]
            if spelled:
                self._used += sum(map(len, spelled))
                return self._parsed(spelled)
            if len(begin) >= _VARINT_BYTES:
                raise self._misspelled()
            self._refill()

    def _parsed(self, spelled: Sequence[bytes]) -> list[int]:
        try:
            return list(map(_parse_varint, spelled))
        except ValueError as error:
            raise self._misspelled() from error

    def _misspelled(self) -> BadStream:
        return self._packets.wrong("a malformed number")

    def _refill(self) -> None:
        """Put more behind what is not used yet."""
        more = self._more()
        if not more:
            raise self._packets.wrong("the payload ends in the middle of something")
        self._ready, self._used = self._ready[self._used :] + more, 0

    def finish(self) -> None:
        """Expect the end of the channel."""
        if self._used < len(self._ready) or self._more():
            raise self._packets.wrong("bytes follow the last object")

    def _more(self) -> bytes:
        """The next bytes; none at the end of the channel."""
        while not self._decompressor.eof:
            needs = self._decompressor.needs_input
            packet = self._packets.next(self._channel) if needs else b""
            try:
                data = self._decompressor.decompress(packet, max_length=_PIECE_BYTES)
            except lzma.LZMAError as error:
                what = f"the compressed payload is corrupt: {error}"
                raise self._packets.wrong(what) from error
            if self._decompressor.unused_data:
                raise self._packets.wrong("bytes follow the compressed payload")
            if data:
                return data
        return b""


class Channels:
    """Takes bytes out of channels, whose packets come in the order in which they are needed."""

    def __init__(self, packets: Packets) -> None:
        self._packets = packets
        self._lanes: dict[Channel, _Lane] = {}

    def wrong(self, message: str) -> BadStream:
        """An error that names the place."""
        return self._packets.wrong(message)

    def take(self, size_bytes: int, channel: Channel = Channel.PLAN) -> bytes:
        """Exactly that many bytes, the next of a channel; meant for small things."""
        return self._lane(channel).exactly(size_bytes) if size_bytes else b""

    def pieces(self, size_bytes: int, channel: Channel = Channel.PLAN) -> Iterator[bytes]:
        """Exactly that many bytes, the next of a channel, in pieces of bounded size."""
        if not size_bytes:
            return
        lane = self._lane(channel)
        left = size_bytes
        while left:
            piece = lane.take(left)
            left -= len(piece)
            yield piece

    def ready_bytes(self, channel: Channel) -> int:
        """How much of a channel can be taken before it needs another packet."""
        lane = self._lanes.get(channel)
        return 0 if lane is None else lane.ready_bytes

    def number(self, channel: Channel = Channel.PLAN) -> int:
        """The next ``varint`` of a channel.

        Raises:
            BadStream: it has more bytes than it needs, or is 2^63 or more.
        """
        return self._lane(channel).number()

    def numbers(self, count: int, channel: Channel) -> "array[int]":
        """That many ``varint``, the next of a channel; see ``number``."""
        found = array("Q")
        if not count:
            return found
        lane = self._lane(channel)
        while len(found) < count:
            found.extend(lane.numbers(min(count - len(found), _NUMBERS)))
        return found

    def close(self) -> None:
        """Expect the end of every channel that was used.

        Raises:
            BadStream: there is more in one.
        """
        for channel in sorted(self._lanes):
            self._lanes[channel].finish()
        self._lanes.clear()  # with their dictionaries

    def _lane(self, channel: Channel) -> _Lane:
        lane = self._lanes.get(channel)
        if lane is None:
            lane = self._lanes[channel] = _Lane(channel, self._packets)
        return lane


class Unpacker(Channels):
    """Reads a payload from front to end."""

    def __init__(self, source: Verified) -> None:
        self._reader = PacketReader(source)
        super().__init__(self._reader)

    def finish(self) -> None:
        """Check that the payload is over.

        Raises:
            BadStream: there is more.
        """
        self.close()
        self._reader.finish()
