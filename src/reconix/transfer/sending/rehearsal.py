"""A rehearsal: what was written is read as a device will read it, before it is offered.

A device has limits, because the signer of a stream may be mistaken. A stream that breaks one would
be refused by each device for itself, far away and unattended. So the sender reads its
own stream with the very code of the receiver, up to where that needs a disk: format and limits,
what the header promises, and what reading all of it costs. What it costs to make the objects is
counted while they are described (``encode.py``).

It takes about as long as to expand the stream, which is little beside compressing it. All bases
read the same bytes, so one of them reads for all.

Tested by ``tests/unit/transfer/sending/test_refused_early.py``.
"""

import math

from reconix.base.errors import ReconixError
from reconix.store.manifest import Manifest, StoreObject
from reconix.transfer.format.costs import Account, CpuLimit, Spare
from reconix.transfer.format.payload_head import Need
from reconix.transfer.format.plan import MAX_ENTRIES, can_be_held, parse
from reconix.transfer.format.reading import Beginning, read_beginning
from reconix.transfer.format.stream import BadStream, Read, StreamReader
from reconix.transfer.sending.match import FolderNode, Node


class DevicesWouldRefuse(ReconixError):
    """A stream would break a limit of the devices that it is for."""

    exit_code = 59

    def __init__(self, what: str, *, hint: str) -> None:
        super().__init__(f"devices would refuse this: {what}", hint=hint)


def expect_held(item: StoreObject, tree: Node) -> None:
    """Refuse an object whose folders a device could not hold when it reads it.

    Raises:
        DevicesWouldRefuse: they have too many entries.
    """
    if isinstance(tree, FolderNode) and not can_be_held(tree.most_entries):
        raise DevicesWouldRefuse(
            f"{item.path} has nested folders with {tree.most_entries} entries, more than "
            f"{MAX_ENTRIES}",
            hint="spread its files over more folders, side by side",
        )


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
    for need in beginning.head.needs:
        _skip(stream, beginning, need)
    beginning.payload.finish()
    stream.finish()


def _skip(stream: StreamReader, beginning: Beginning, need: Need) -> None:
    unlimited = CpuLimit(math.inf, 0)
    room = need.content_bytes, need.space_bytes, need.inodes
    account = Account(*room, stream.wrong, unlimited, Spare(0, 0))
    for event in parse(beginning.payload, beginning.view.which, account.skip):
        account.skip(event)
