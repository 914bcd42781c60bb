"""Update streams: one sequence of bytes that turns a base generation into its target.

A stream comes over a link that nobody trusts and goes to a device that has little memory. So it is
read once, from front to end, and each piece is checked before anything is done with it::

    stream  = head frame*
    head    = magic version features length header digest leaf* length seal

The header says what a device must know first, the number of frames among it. Then come the hashes
of all frames, the *leaves*: the root of the tree over them (``merkle.py``) and the digest of the
header are what the seal signs (``transfer/trust/seal.py``). So when the first frame arrives it is
known whether all of it can be trusted, and a frame that was changed, dropped, repeated, moved or
taken from another stream does not have the hash that its place demands. Such a frame is asked for
again where the link allows it, a bounded number of times; those before it stay. A frame is nothing
but its content; all have ``FRAME_BYTES`` but the last. A reader that has the head can begin at any
frame.

The bytes of all frames together are the payload. ``packing.py`` says how it is compressed,
``plan.py`` what it contains. Streams are written by ``transfer/sending/writer.py``.

The format, byte by byte: ``docs/spec/stream.md``.
Tested by ``tests/unit/transfer/format/test_stream.py``.
"""

import hashlib
from collections.abc import Callable

from reconix.base import progress
from reconix.base.documents import BadDocument, Fields, JsonInput, print_json
from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.store.paths import BadStorePath, StorePath
from reconix.transfer.format import merkle
from reconix.transfer.format.merkle import HASH_BYTES
from reconix.transfer.trust.seal import MAX_SEAL_BYTES, BadSeal, Seal, parse_seal, stream_statement

MAGIC = b"\x89RCX\r\n\x1a\n"
VERSION = 3
SEVERAL_BASES = 1
MOVED_REFERENCES = 2
REPAIR = 4
COMPILED_MODULES = 8
FIRST_FEATURES = SEVERAL_BASES | MOVED_REFERENCES | REPAIR
"""What agents know that do not say what they know (``transfer/sending/agents.py``)."""
MOVED_TRIES = 16
PACKED_BY_ZLIB = 32
MOVED_TYPES = 64
FEATURES = FIRST_FEATURES | COMPILED_MODULES | MOVED_TRIES | PACKED_BY_ZLIB | MOVED_TYPES
"""Every feature that this program knows; a stream that needs another one is refused."""

AGENT = "reconix-device.pyz"
"""What the program of a device's agent is called."""
AGENT_FEATURES = "features"
"""Where it says which streams it takes, inside."""

START_BYTES = len(MAGIC) + 10
MAX_HEADER_BYTES = 1 << 16
FRAME_BYTES = 1 << 17
"""All frames but the last hold exactly this."""
MAX_FRAMES = 1 << 16
"""More leaves are not held in memory; streams end at 8 GiB."""
MAX_BASES = 8

REREADS = 3
"""How often a frame that came altered is asked for once more."""

Read = Callable[[int], bytes]
Write = Callable[[bytes], object]
Again = Callable[[int, int], None]
"""Goes back on a link: to a byte, from which on at least that many bytes are needed."""


def print_features() -> bytes:
    """What an agent of this release says of the streams that it takes."""
    return f"{VERSION} {FEATURES}\n".encode()


class BadStream(ReconixError):
    """The bytes are no update stream, or were altered on their way."""

    exit_code = 50

    def __init__(self, message: str, *, offset: int) -> None:
        super().__init__(
            f"the stream is not valid at byte {offset}: {message}",
            hint="transfer it again; nothing of it was installed",
        )
        self.offset = offset


class LinkFault(ReconixError):
    """The link does not give what comes next; what came before it was verified, and is kept."""

    exit_code = 51


class TruncatedStream(LinkFault):
    """The stream ends before its last frame."""

    def __init__(self, *, offset: int, cause: str = "it ends too early") -> None:
        super().__init__(
            f"the stream was cut off at byte {offset}: {cause}",
            hint="transfer it again, or its rest: `reconix-device resume-offset` says from where",
        )
        self.offset = offset


class AlteredOnTheWay(LinkFault, BadStream):
    """Other bytes came than those that belong here, and did so each time they were asked for."""

    def __init__(self, message: str, *, offset: int) -> None:
        ReconixError.__init__(
            self,
            f"the stream was altered at byte {offset}: {message}",
            hint="transfer its rest: `reconix-device resume-offset` says from where",
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


class CannotDerive(ReconixError):
    """What a stream derives from something else does not come out here."""

    exit_code = 52

    def __init__(self, what: str, why: str) -> None:
        super().__init__(
            f"{what} gives something else here than where the stream was made: {why}",
            hint="nothing was installed; make the stream again with --for cpu",
        )


@dataclass(frozen=True, slots=True)
class Header:
    """What a device must know before it reads on."""

    host: str
    architecture: str
    bases: tuple[StorePath, ...]  # any one of them will do; none: nothing is needed
    target: StorePath
    objects: int  # how many of the target's objects are in the stream
    content_bytes: int  # of all files that are in it literally
    space_bytes: int  # how much disk its objects need at most
    inodes: int
    sequence: int = 0  # of the target; a device does not go below what it has confirmed
    payload_bytes: int = 0  # of all frames
    slot_bytes: int = 0  # of the boot slots that the target was made for; 0: it does not say
    moved_parts: int = 0  # made from old programs whose references are moved
    repaired: int = 0  # contents and images under their names; then there are no objects
    compiled: int = 0  # how often a module is compiled
    moved_tries: int = 0  # those of the moved parts that are made from tries
    zlib_parts: int = 0  # that are packed by zlib
    moved_types: int = 0  # those of the moved parts in which numbers and names of types move

    @property
    def features(self) -> int:
        """What a reader must know."""
        several = SEVERAL_BASES if len(self.bases) > 1 else 0
        moved = MOVED_REFERENCES if self.moved_parts else 0
        compiled = COMPILED_MODULES if self.compiled else 0
        tries = MOVED_TRIES if self.moved_tries else 0
        zlib = PACKED_BY_ZLIB if self.zlib_parts else 0
        types = MOVED_TYPES if self.moved_types else 0
        repair = REPAIR if self.repaired else 0
        return several | moved | compiled | tries | zlib | types | repair

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return -(-self.payload_bytes // FRAME_BYTES)

    def frame_bytes(self, number: int) -> int:
        """What a frame holds."""
        return min(FRAME_BYTES, self.payload_bytes - number * FRAME_BYTES)

    def print(self) -> bytes:
        """The header as a document."""
        document: JsonInput = {
            "host": self.host,
            "architecture": self.architecture,
            "bases": [str(base) for base in self.bases],
            "target": str(self.target),
            "sequence": self.sequence,
            "objects": self.objects,
            "content_bytes": self.content_bytes,
            "payload_bytes": self.payload_bytes,
            "space_bytes": self.space_bytes,
            "inodes": self.inodes,
            **({"slot_bytes": self.slot_bytes} if self.slot_bytes else {}),
            **({"moved_parts": self.moved_parts} if self.moved_parts else {}),
            **({"repaired": self.repaired} if self.repaired else {}),
            **({"compiled": self.compiled} if self.compiled else {}),
            **({"moved_tries": self.moved_tries} if self.moved_tries else {}),
            **({"zlib_parts": self.zlib_parts} if self.zlib_parts else {}),
            **({"moved_types": self.moved_types} if self.moved_types else {}),
        }
        return print_json(document)


def parse_header(content: bytes) -> Header:
    """Read a header document; keys that we do not know are allowed, they only inform.

    Raises:
        BadDocument: a field is missing, has a wrong type, or is beyond its limit.
        BadStorePath: base or target is not a store path.
    """
    fields = Fields.parse(content, source="header")
    bases = tuple(StorePath.parse(text) for text in fields.texts("bases"))
    if len(bases) > MAX_BASES or len(set(bases)) != len(bases):
        raise BadDocument(f"header: {len(bases)} bases; at most {MAX_BASES}, each once")
    header = Header(
        host=fields.text("host"),
        architecture=fields.text("architecture"),
        bases=bases,
        target=StorePath.parse(fields.text("target")),
        objects=fields.number("objects"),
        content_bytes=fields.number("content_bytes"),
        space_bytes=fields.number("space_bytes"),
        inodes=fields.number("inodes"),
        sequence=fields.number("sequence"),
        payload_bytes=fields.number("payload_bytes"),
        slot_bytes=fields.number("slot_bytes") if fields.has("slot_bytes") else 0,
        moved_parts=fields.number("moved_parts") if fields.has("moved_parts") else 0,
        repaired=fields.number("repaired") if fields.has("repaired") else 0,
        compiled=fields.number("compiled") if fields.has("compiled") else 0,
        moved_tries=fields.number("moved_tries") if fields.has("moved_tries") else 0,
        zlib_parts=fields.number("zlib_parts") if fields.has("zlib_parts") else 0,
        moved_types=fields.number("moved_types") if fields.has("moved_types") else 0,
    )
    if header.frames > MAX_FRAMES:
        raise BadDocument(f"header: {header.frames} frames, more than {MAX_FRAMES}")
    return header


def is_repair(start: bytes) -> bool:
    """Whether the first ``START_BYTES`` of a stream say that it repairs, and brings nothing new."""
    features = int.from_bytes(start[len(MAGIC) + 2 : len(MAGIC) + 6], "little")
    return start.startswith(MAGIC) and bool(features & REPAIR)


def varint(number: int) -> bytes:
    """Spell a number in as few bytes as possible: seven bits each, lowest first."""
    spelled = bytearray()
    while number > 0x7F:
        spelled.append(number & 0x7F | 0x80)
        number >>= 7
    spelled.append(number)
    return bytes(spelled)


def zigzag(number: int) -> int:
    """Zigzag-encode a signed integer: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return 2 * number if number >= 0 else -2 * number - 1


def unzigzag(number: int) -> int:
    """The inverse of ``zigzag``."""
    return number >> 1 if number & 1 == 0 else -(number >> 1) - 1


@dataclass(frozen=True, slots=True)
class StreamHead:
    """Everything that precedes the frames.

    Attributes:
        header: what a device must know.
        spelled: the header with its digest, byte for byte as it was read: it may say more than we
            know, and what was signed must stay what it is.
        leaves: the hashes of all frames, one after the other.
        seal: who has signed it.
    """

    header: Header
    spelled: bytes
    leaves: bytes
    seal: Seal

    def leaf(self, number: int) -> bytes:
        """The hash of a frame."""
        return self.leaves[number * HASH_BYTES : (number + 1) * HASH_BYTES]

    @property
    def name(self) -> str:
        """What a stream is called: the SHA-256 of its head, which pins down every byte of it."""
        return hashlib.sha256(self.print()).hexdigest()

    @property
    def stream_bytes(self) -> int:
        """How long the whole stream is."""
        return len(self.print()) + self.header.payload_bytes

    def print(self) -> bytes:
        """The head as bytes."""
        seal = self.seal.print()
        return self.spelled + self.leaves + len(seal).to_bytes(4, "little") + seal


def print_header(header: Header) -> bytes:
    """The first part of a head: all up to the digest of the header."""
    document = header.print()
    numbers = ((VERSION, 2), (header.features, 4), (len(document), 4))
    start = MAGIC + b"".join(number.to_bytes(size, "little") for number, size in numbers)
    return start + document + hashlib.sha256(start + document).digest()


class StreamReader:
    """Reads a stream from front to end; what it gives was checked.

    Making one reads up to the end of the header; ``read_head`` reads the rest of the head.

    Args:
        read: returns up to that many bytes, and none at the end, like the method of a file.
        verified: takes all bytes again, as soon as they were checked.
        again: goes back on the link, if bytes were altered; without it that ends the reading.

    Raises:
        TruncatedStream: it ends too early.
        UnsupportedStream: this program cannot read it.
        BadStream: anything else is wrong.
    """

    def __init__(
        self, read: Read, verified: Write | None = None, again: Again | None = None
    ) -> None:
        self._read = read
        self._verified = verified or _forget
        self._again = again
        self._offset = 0
        self._next = 0
        self._head: StreamHead | None = None
        self._spelled = b""
        self._header_digest = b""
        self.header = self._take_header()

    @property
    def offset(self) -> int:
        """How many bytes of the stream were read."""
        return self._offset

    def wrong(self, message: str) -> BadStream:
        """An error that names the place."""
        return BadStream(message, offset=self._offset)

    def read_head(self) -> StreamHead:
        """Read the rest of the head; the seal is not verified here."""
        if self._head is None:
            leaves = self._exactly(HASH_BYTES * self.header.frames)
            length = self._exactly(4)
            seal = self._take_seal(int.from_bytes(length, "little"))
            self._head = StreamHead(self.header, self._spelled, leaves, seal)
            self._verified(self._head.print())
        return self._head

    @property
    def statement(self) -> bytes:
        """What the seal signs."""
        return stream_statement(self._header_digest, merkle.root(_cut(self.read_head().leaves)))

    def some(self) -> bytes:
        """The next bytes of the payload, as many as a frame holds; none at its end.

        Raises:
            TruncatedStream: the link ends.
            AlteredOnTheWay: these are not the bytes that belong here.
        """
        head = self.read_head()
        if self._next == self.header.frames:
            return b""
        content = self._frame(head.leaf(self._next))
        self._next += 1
        self._verified(content)
        return content

    def finish(self) -> None:
        """Check that all frames were read, and that nothing follows.

        Raises:
            BadStream: the payload has more.
            AlteredOnTheWay: something follows the last frame.
        """
        if self.some():
            raise self.wrong("bytes follow the last object")
        self._asked_again("bytes follow the last frame", lambda: not self._more(1), 1)

    def _frame(self, leaf: bytes) -> bytes:
        content = b""
        size_bytes = self.header.frame_bytes(self._next)

        def is_right() -> bool:
            nonlocal content
            content = self._exactly(size_bytes)
            return merkle.leaf(content) == leaf

        self._asked_again(f"frame {self._next} does not match its hash", is_right, size_bytes)
        return content

    def _asked_again(self, fact: str, is_right: Callable[[], bool], size_bytes: int) -> None:
        """Read something until it is right, a bounded number of times."""
        begin = self._offset
        for _ in range(REREADS if self._again else 0):
            if is_right():
                return
            progress.note(f"the stream was altered at byte {begin}; asking for it again: {fact}")
            self._go_back(begin, size_bytes)
        if not is_right():
            raise AlteredOnTheWay(fact, offset=begin)

    def _go_back(self, begin: int, size_bytes: int) -> None:
        assert self._again is not None
        self._offset = begin
        try:
            self._again(begin, size_bytes)
        except OSError as error:
            raise TruncatedStream(offset=begin, cause=str(error)) from error

    def _take_header(self) -> Header:
        start = self._exactly(START_BYTES)
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
        self._header_digest = hashlib.sha256(start + document).digest()
        if self._exactly(HASH_BYTES) != self._header_digest:
            raise BadStream("the header does not match its digest", offset=18)
        self._spelled = start + document + self._header_digest
        try:
            header = parse_header(document)
        except (BadDocument, BadStorePath) as error:
            raise BadStream(str(error), offset=18) from error
        if header.features != features:
            raise BadStream(f"features {features:#x} do not match the header", offset=10)
        return header

    def _take_seal(self, size_bytes: int) -> Seal:
        begin = self._offset
        if size_bytes > MAX_SEAL_BYTES:
            raise self.wrong(f"a seal of {size_bytes} bytes, more than {MAX_SEAL_BYTES}")
        try:
            return parse_seal(self._exactly(size_bytes))
        except BadSeal as error:
            raise BadStream(f"the seal: {error}", offset=begin) from error

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


def _cut(content: bytes) -> tuple[bytes, ...]:
    return tuple(content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES))


def _forget(_: bytes) -> None:
    """Keep nothing of what was verified."""
