"""A rehearsal: what was written is read as a device will read it, before it is offered.

A device has limits, because the signer of a stream may be mistaken. A stream that breaks one would
be refused by each device for itself, far away and unattended. So the sender reads its
own stream with the very code of the receiver, up to where that needs a disk: format and limits,
what the header promises, and what it costs to read what is for other bases. What it costs to make
the objects is counted while they are described (``encode.py``).

It takes about as long as to expand the stream, which is little beside compressing it. All bases
read the same bytes, so one of them reads for all.

Tested by ``tests/unit/transfer/sending/test_refused_early.py``.
"""

import math

from reconix.base.errors import ReconixError
from reconix.store.images.nodes import MAX_INLINE_BYTES
from reconix.store.manifest import Manifest
from reconix.store.paths import StorePath
from reconix.transfer.format import costs
from reconix.transfer.format.costs import MADE, MAX_WORDS_BYTES, Account, CpuLimit
from reconix.transfer.format.payload_head import Need
from reconix.transfer.format.plan import parse
from reconix.transfer.format.reading import Beginning, read_beginning
from reconix.transfer.format.stream import BadStream, Read, StreamReader
from reconix.transfer.sending.trees import FolderNode, LinkNode, Node


class DevicesWouldRefuse(ReconixError):
    """A stream would break a limit of the devices that it is for."""

    exit_code = 59

    def __init__(self, what: str, *, hint: str) -> None:
        super().__init__(f"devices would refuse this: {what}", hint=hint)


def expect_held(path: StorePath, tree: Node) -> None:
    """Refuse an object that a device could not hold in memory when it makes it.

    Raises:
        DevicesWouldRefuse: its names and what else is not in the pool take too much.
    """
    found = _words_bytes(tree)
    if found > MAX_WORDS_BYTES:
        raise DevicesWouldRefuse(
            f"names, links and small files of {path} have {found} bytes, more than "
            f"{MAX_WORDS_BYTES}",
            hint="make two objects of it",
        )


def _words_bytes(node: Node) -> int:
    """What a device holds of a tree beside its nodes."""
    found = sum(len(name) + len(value) for name, value in node.metadata.attributes)
    if isinstance(node, FolderNode):
        return found + sum(len(name) + _words_bytes(below) for name, below in node.entries)
    if isinstance(node, LinkNode):
        return found + len(node.target)
    return found + min(node.size_bytes, MAX_INLINE_BYTES)


def rehearse(read: Read, base: Manifest | None) -> None:
    """Read a stream from front to end, as a device that has a base and all objects.

    Raises:
        DevicesWouldRefuse: it breaks a limit.
    """
    try:
        _read(StreamReader(read), base)
    except BadStream as error:
        raise DevicesWouldRefuse(
            str(error),
            hint="make a stream for fewer bases, or a generation with less in it; "
            "docs/spec/stream.md names the limits",
        ) from error


def _read(stream: StreamReader, base: Manifest | None) -> None:
    stream.read_head()
    beginning = read_beginning(stream, base)
    made = sum(_read_object(stream, beginning, need) for need in beginning.head.needs)
    if made > costs.MAX_MADE_NODES:
        raise stream.wrong(f"{made} new files, links and folders")
    beginning.payload.finish()
    stream.finish()


def _read_object(stream: StreamReader, beginning: Beginning, need: Need) -> int:
    """Read an object; gives how many nodes a device makes for it."""
    unlimited = CpuLimit(math.inf, 0)
    room = need.content_bytes, need.space_bytes, need.inodes
    account = Account(*room, stream.wrong, unlimited)
    events = parse(beginning.payload, beginning.view.which, account.skip)
    return sum(isinstance(event, MADE) for event in events)
