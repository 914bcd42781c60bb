"""What a device may be asked to do to make a file, so that less has to be sent.

A device has a link and a processor, and a stream can spare one of them:

    link    what is compressed travels expanded and is compressed again, references of programs are
            moved, modules of Python are compiled: fewer bytes
    cpu     none of this, but what costs next to nothing

To compress again what an update of a kernel with packed modules holds takes a device minutes, which
pays below some megabits in a second.

Tested by ``tests/unit/transfer/sending/test_means.py``.
"""

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reconix.transfer.codecs import compiled
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.codecs.tools import NO_TOOLS, Tool
from reconix.transfer.format.stream import MOVED_TRIES, MOVED_TYPES, PACKED_BY_ZLIB
from reconix.transfer.sending.trees import FileNode, FolderNode, Node

REFERENCE_BYTES = 0.4
"""For so many bytes a device may look at one reference; by what it costs and saves."""
LIBRARY_REFERENCE_BYTES = 0.02
"""The same where a library looks."""

TO_EXPAND = {
    Pack.NONE: NO_TOOLS,
    Pack.XZ: NO_TOOLS,
    Pack.GZIP: NO_TOOLS,
    Pack.LZ4: Tool.LZ4,
    Pack.MODULE: Tool.PYTHON,
}
"""What a device must have to read what is packed in this way."""
TO_PACK = {
    Pack.NONE: NO_TOOLS,
    Pack.XZ: NO_TOOLS,
    Pack.GZIP: Tool.GZIP,
    Pack.LZ4: Tool.LZ4,
    Pack.ZLIB: Tool.ZLIB,
}
"""What it must have to pack in this way."""

_LIBRARIES = {compiled.file_name(machine).encode() for machine in compiled.MACHINES}


class Sparing(enum.StrEnum):
    """What a stream is to spare."""

    LINK = "link"
    CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Means:
    """What a device can do, and shall.

    Attributes:
        tools: what it has.
        has_library: whether it moves references by one (``transfer/codecs/compiled.py``).
        sparing: what is dear to it.
    """

    tools: Tool = NO_TOOLS
    has_library: bool = False
    sparing: Sparing = Sparing.LINK

    def packs(self, pack: Pack) -> bool:
        """Whether something may be packed in this way again."""
        return self.sparing is Sparing.LINK and not TO_PACK[pack] & ~self.tools

    @property
    def reference_bytes(self) -> float | None:
        """For how many bytes a reference may be looked at; None: not for any."""
        if self.has_library:
            return LIBRARY_REFERENCE_BYTES
        return REFERENCE_BYTES if self.sparing is Sparing.LINK else None


def means_of(
    devices: Sequence[Iterable[Node]], features: int, sparing: Sparing = Sparing.LINK
) -> Means:
    """What all devices can do that have these objects; nothing, if there are none.

    Args:
        devices: the objects of each.
        features: what their agents know of streams.
        sparing: what is dear to them.
    """
    names = [{name for tree in trees for name in _names(tree)} for trees in devices]
    common = set.intersection(*names) if names else set[bytes]()
    tools = Tool.TRIES if features & MOVED_TRIES else NO_TOOLS
    if features & MOVED_TYPES:
        tools |= Tool.TYPES
    if features & PACKED_BY_ZLIB:
        tools |= Tool.ZLIB
    if b"gzip" in common:
        tools |= Tool.GZIP
    if b"liblz4.so.1" in common:
        tools |= Tool.LZ4
    return Means(tools, bool(common & _LIBRARIES), sparing)


def _names(node: Node) -> Iterator[bytes]:
    if isinstance(node, FolderNode):
        for name, child in node.entries:
            yield name
            if not isinstance(child, FileNode):
                yield from _names(child)
