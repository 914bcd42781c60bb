"""Update streams: one sequence of bytes that turns a base generation into its target.

A stream comes over a link that nobody trusts and goes to a device that has little memory. So it is
read once, from front to end, and each piece is checked before anything is done with it::

    stream  = magic version features header frame* end
    frame   = kind length bytes digest

A frame's digest covers the digest before it, the kind, the length and the bytes. The first link of
this chain is the digest of everything up to the end of the header. So a frame that was changed,
dropped, repeated, moved or taken from another stream is refused before its bytes are decompressed,
and the digest of the end frame is one over the whole stream.

The bytes of all payload frames together are the payload. How it is compressed is told by
``transfer/packing.py``, what it contains by ``transfer/plan.py``.

The format, byte by byte: ``docs/spec/stream.md``. Proven by ``tests/unit/transfer/test_stream.py``.
"""

import enum
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from reconix.base.documents import BadDocument, Fields, print_json
from reconix.base.errors import ReconixError
from reconix.store.paths import BadStorePath, StorePath

MAGIC = b"\x89RCX\r\n\x1a\n"
VERSION = 1
FEATURES = 0
"""Every feature that this program knows; a stream that needs another one is refused."""

MAX_HEADER_BYTES = 1 << 16
FRAME_BYTES = 1 << 17
"""No frame holds more; all but the last hold exactly this."""

Read = Callable[[int], bytes]
Write = Callable[[bytes], object]


class BadStream(ReconixError):
    """The bytes are no update stream, or were altered on their way."""

    exit_code = 50

    def __init__(self, message: str, *, offset: int) -> None:
        super().__init__(
            f"the stream is not valid at byte {offset}: {message}",
            hint="transfer it again; nothing of it was installed",
        )
        self.offset = offset


class TruncatedStream(ReconixError):
    """The stream ends before its end mark."""

    exit_code = 51

    def __init__(self, *, offset: int, cause: str = "it ends too early") -> None:
        super().__init__(
            f"the stream was cut off at byte {offset}: {cause}",
            hint="transfer it again; nothing of it was installed",
        )
        self.offset = offset


class UnsupportedStream(ReconixError):
    """The stream is of a kind that this program does not know."""

    exit_code = 52

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the stream {what}",
            hint=f"make it for a device with stream version {VERSION}, features {FEATURES:#x}",
        )


class Kind(enum.IntEnum):
    """What a frame is."""

    PAYLOAD = 1
    END = 2


@dataclass(frozen=True, slots=True)
class Header:
    """What a device must know before it reads on."""

    host: str
    architecture: str
    base: StorePath | None
    target: StorePath
    objects: int  # how many of the target's objects are in the stream
    content_bytes: int  # of all files that are in it literally
    space_bytes: int  # how much disk its objects need at most
    inodes: int

    def print(self) -> bytes:
        """The header as a document."""
        return print_json(
            {
                "host": self.host,
                "architecture": self.architecture,
                "base": None if self.base is None else str(self.base),
                "target": str(self.target),
                "objects": self.objects,
                "content_bytes": self.content_bytes,
                "space_bytes": self.space_bytes,
                "inodes": self.inodes,
            }
        )


def parse_header(content: bytes) -> Header:
    """Read a header document; keys that we do not know are allowed, they only inform.

    Raises:
        BadDocument: a field is missing or has a wrong type.
        BadStorePath: base or target is no store path.
    """
    fields = Fields.parse(content, source="header")
    return Header(
        host=fields.text("host"),
        architecture=fields.text("architecture"),
        base=StorePath.parse(fields.text("base")) if fields.has("base") else None,
        target=StorePath.parse(fields.text("target")),
        objects=fields.number("objects"),
        content_bytes=fields.number("content_bytes"),
        space_bytes=fields.number("space_bytes"),
        inodes=fields.number("inodes"),
    )


def varint(number: int) -> bytes:
    """Spell a number in as few bytes as possible: seven bits each, lowest first."""
    spelled = bytearray()
    while number > 0x7F:
        spelled.append(number & 0x7F | 0x80)
        number >>= 7
    spelled.append(number)
    return bytes(spelled)


class StreamWriter:
    """Writes a stream from front to end."""

    def __init__(self, write: Write, header: Header) -> None:
        self._write = write
        self._pending = bytearray()
        document = header.print()
        start = _start(VERSION, FEATURES, len(document)) + document
        self._chain = hashlib.sha256(start).digest()
        write(start + self._chain)

    def payload(self, data: bytes) -> None:
        """Append to the payload."""
        self._pending += data
        while len(self._pending) >= FRAME_BYTES:
            self._frame(Kind.PAYLOAD, bytes(self._pending[:FRAME_BYTES]))
            del self._pending[:FRAME_BYTES]

    def finish(self) -> None:
        """Write what is left, and the end mark."""
        if self._pending:
            self._frame(Kind.PAYLOAD, bytes(self._pending))
        self._frame(Kind.END, b"")

    def _frame(self, kind: Kind, content: bytes) -> None:
        start = _frame_start(kind, len(content))
        self._chain = hashlib.sha256(self._chain + start + content).digest()
        self._write(start + content + self._chain)


def _start(version: int, features: int, header_bytes: int) -> bytes:
    numbers = ((version, 2), (features, 4), (header_bytes, 4))
    return MAGIC + b"".join(number.to_bytes(size, "little") for number, size in numbers)


def _frame_start(kind: int, length: int) -> bytes:
    return bytes([kind]) + length.to_bytes(4, "little")


class StreamReader:
    """Reads a stream from front to end; what it gives was checked.

    Making one reads up to the end of the header.

    Args:
        read: gives up to that many bytes, and nothing at the end, like the method of a file.

    Raises:
        TruncatedStream: it ends too early.
        UnsupportedStream: this program cannot read it.
        BadStream: anything else is wrong.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._offset = 0
        self._chain = b""
        self._ended = False
        self.header = self._take_header()

    @property
    def offset(self) -> int:
        """How many bytes of the stream were read."""
        return self._offset

    def wrong(self, message: str) -> BadStream:
        """An error that names the place."""
        return BadStream(message, offset=self._offset)

    def some(self) -> bytes:
        """The next bytes of the payload, as many as a frame holds; none at its end."""
        return self._next_frame()

    def finish(self) -> None:
        """Check that the end mark follows, and then nothing.

        Raises:
            TruncatedStream: the end mark is missing.
            BadStream: there is more.
        """
        if self._next_frame():
            raise self.wrong("bytes follow the last object")
        if self._more(1):
            raise self.wrong("bytes follow the end mark")

    def _take_header(self) -> Header:
        start = self._exactly(len(MAGIC) + 10)
        if start[: len(MAGIC)] != MAGIC:
            raise BadStream("this is no update stream", offset=0)
        version, features, size = (
            int.from_bytes(start[begin:end], "little")
            for begin, end in ((8, 10), (10, 14), (14, 18))
        )
        if version != VERSION:
            raise UnsupportedStream(f"has version {version}")
        if features & ~FEATURES:
            raise UnsupportedStream(f"needs features {features & ~FEATURES:#x}")
        if size > MAX_HEADER_BYTES:
            raise self.wrong(f"a header of {size} bytes, more than {MAX_HEADER_BYTES}")
        document = self._exactly(size)
        self._chain = hashlib.sha256(start + document).digest()
        if self._exactly(32) != self._chain:
            raise BadStream("the header does not have the digest that follows it", offset=18)
        try:
            return parse_header(document)
        except (BadDocument, BadStorePath) as error:
            raise BadStream(str(error), offset=18) from error

    def _next_frame(self) -> bytes:
        """The checked content of the next frame; empty if that is the end mark."""
        if self._ended:
            return b""
        begin = self._offset
        start = self._exactly(5)
        kind, size = start[0], int.from_bytes(start[1:], "little")
        if kind not in (Kind.PAYLOAD, Kind.END):
            raise UnsupportedStream(f"has a frame of kind {kind} at byte {begin}")
        if size > FRAME_BYTES or (kind == Kind.END) != (size == 0):
            raise BadStream(f"a frame of {size} bytes", offset=begin)
        content = self._exactly(size)
        chain = hashlib.sha256(self._chain + start + content).digest()
        if self._exactly(32) != chain:
            raise BadStream("a frame does not have the digest that follows it", offset=begin)
        self._chain = chain
        self._ended = kind == Kind.END
        return content

    def _exactly(self, size_bytes: int) -> bytes:
        data = bytearray()
        while len(data) < size_bytes:
            more = self._more(size_bytes - len(data))
            if not more:
                raise TruncatedStream(offset=self._offset)
            data += more
        return bytes(data)

    def _more(self, size_bytes: int) -> bytes:
        try:
            data = self._read(size_bytes)
        except OSError as error:
            raise TruncatedStream(offset=self._offset, cause=str(error)) from error
        self._offset += len(data)
        return data
