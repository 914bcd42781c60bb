"""Writing a stream: the payload first, then what stands before it.

The hashes of all frames come before the first frame, so a writer keeps the frames until the last of
them is known: in memory as long as they are few, then in a file without a name. So all of a stream
can be read before any of it is written.

Tested by ``tests/unit/transfer/format/test_stream.py``.
"""

import io
import tempfile
from collections.abc import Callable
from dataclasses import replace

from reconix.base.files import chunks
from reconix.transfer.format import merkle
from reconix.transfer.format.merkle import HASH_BYTES
from reconix.transfer.format.stream import (
    FRAME_BYTES,
    Header,
    Read,
    StreamHead,
    Write,
    print_header,
)
from reconix.transfer.sending.signing import Signer
from reconix.transfer.trust.seal import Seal

_IN_MEMORY_BYTES = 16 << 20


class StreamWriter:
    """Takes the payload of a stream, and writes all of it when that is complete.

    Args:
        write: takes the bytes of the stream.
        header: what a device must know; how large the payload is, is found out here.
        signer: signs the stream; None leaves it unsigned.
        rehearse: reads the stream first; refuses it by raising.
    """

    def __init__(
        self,
        write: Write,
        header: Header,
        signer: Signer | None = None,
        rehearse: Callable[[Read], None] | None = None,
    ) -> None:
        self._write = write
        self._rehearse = rehearse
        self._header = header
        self._signer = signer
        self._payload = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - `finish`
        self._pending = bytearray()
        self._leaves: list[bytes] = []
        self._size_bytes = 0

    def payload(self, data: bytes) -> None:
        """Append to the payload."""
        self._pending += data
        self._size_bytes += len(data)
        while len(self._pending) >= FRAME_BYTES:
            self._frame(bytes(self._pending[:FRAME_BYTES]))
            del self._pending[:FRAME_BYTES]

    def finish(self) -> Header:
        """Write the stream; gives the header as it stands in it."""
        if self._pending:
            self._frame(bytes(self._pending))
        header = replace(self._header, payload_bytes=self._size_bytes)
        spelled = print_header(header)
        root = merkle.root(self._leaves)
        seal = Seal() if self._signer is None else self._signer.seal(spelled[-HASH_BYTES:], root)
        head = StreamHead(header, spelled, b"".join(self._leaves), seal).print()
        with self._payload as file:
            if self._rehearse is not None:
                file.seek(0)
                self._rehearse(_after(head, file.read))
            self._write(head)
            file.seek(0)
            for chunk in chunks(file):  # type: ignore[arg-type] # it is read like a BinaryIO
                self._write(chunk)
        return header

    def _frame(self, content: bytes) -> None:
        self._leaves.append(merkle.leaf(content))
        self._payload.write(content)


def _after(head: bytes, read: Read) -> Read:
    """The head, then what comes behind it."""
    before = io.BytesIO(head)
    return lambda size_bytes: before.read(size_bytes) or read(size_bytes)
