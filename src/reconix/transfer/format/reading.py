"""Reading a stream as far as that needs no disk: its beginning, and what that promises.

A device reads so before it writes anything; a sender reads so what it has written before it offers
it (``transfer/sending/rehearsal.py``). So both have the same limits, and a stream that breaks one
is refused where another one can be made.

Tested by ``tests/unit/transfer/receiving/test_receive.py`` and
``tests/unit/transfer/sending/test_refused_early.py``.
"""

from collections.abc import Sequence

from reconix.base.records import dataclass
from reconix.store.manifest import Manifest
from reconix.store.paths import StorePath
from reconix.transfer.format.bases import View, parse_views
from reconix.transfer.format.packing import Unpacker
from reconix.transfer.format.payload_head import (
    MAX_PAYLOAD_HEAD_BYTES,
    Need,
    PayloadHead,
    parse_payload_head,
)
from reconix.transfer.format.plan import Which
from reconix.transfer.format.stream import BadStream, StreamReader


@dataclass(frozen=True, slots=True)
class Beginning:
    """What comes before the objects, and where they come from."""

    payload: Unpacker
    view: View
    head: PayloadHead


def read_beginning(stream: StreamReader, base: Manifest | None) -> Beginning:
    """Read up to the first object.

    Args:
        stream: from its first frame on.
        base: one of its bases; None if it needs none.

    Raises:
        BadStream: it breaks the format or its limits.
    """
    frames = _Frames(stream)
    payload = Unpacker(frames)
    view = _view(payload, base, stream.header.bases)
    head = parse_payload_head(payload, view)
    frames.left = None
    _check_header(stream, head.manifest, head.needs)
    return Beginning(payload, view, head)


class _Frames:
    """The payload; of its beginning no more than may be held in memory."""

    def __init__(self, stream: StreamReader) -> None:
        self._stream = stream
        self.left: int | None = MAX_PAYLOAD_HEAD_BYTES

    def some(self) -> bytes:
        """The next bytes; none at the end."""
        content = self._stream.some()
        if self.left is not None:
            self.left -= len(content)
            if self.left < 0:
                raise self.wrong(
                    f"more than {MAX_PAYLOAD_HEAD_BYTES} bytes before the first object"
                )
        return content

    def wrong(self, message: str) -> BadStream:
        """An error that names the place."""
        return self._stream.wrong(message)


def _view(payload: Unpacker, base: Manifest | None, bases: Sequence[StorePath]) -> View:
    """What the stream sees of our base."""
    if base is None or len(bases) < 2:
        return View.whole(base)
    return parse_views(payload, base, Which(bases.index(base.root), len(bases)))


def _check_header(stream: StreamReader, manifest: Manifest, needs: tuple[Need, ...]) -> None:
    header = stream.header
    totals = (
        len(needs),
        sum(need.content_bytes for need in needs),
        sum(need.space_bytes for need in needs),
        sum(need.inodes for need in needs),
    )
    if totals != (header.objects, header.content_bytes, header.space_bytes, header.inodes):
        raise stream.wrong("the totals in the header are not those of the objects")
    if manifest.root != header.target:
        raise stream.wrong(f"the header leads to {header.target}, the manifest to {manifest.root}")
