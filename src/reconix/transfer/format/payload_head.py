"""What comes before the objects in a payload: the target's manifest, costs, and needed tools.

The manifest is encoded as its difference to what the bases have in common
(``manifest_difference.py``). For each object that is sent follows what its new contents cost on the
disk; the device refuses before it has written anything if there is no room. Programs and libraries
that are needed to pack content again (``transfer/codecs/tools.py``) are named for the same reason.

The format, byte by byte: ``docs/spec/stream.md``, *Payload*. Tested by
``tests/unit/transfer/format/test_payload_head.py``.
"""

from collections.abc import Iterator

from reconix.base.digests import Digest
from reconix.base.records import dataclass
from reconix.store.images.erofs import MAX_NODES
from reconix.store.manifest import BadManifest, Manifest
from reconix.store.paths import BadStorePath
from reconix.transfer.codecs.renames import NO_RENAMES, Renames
from reconix.transfer.codecs.tools import NO_TOOLS, Tool
from reconix.transfer.format.bases import View
from reconix.transfer.format.manifest_difference import Difference, apply, difference
from reconix.transfer.format.packing import Channels
from reconix.transfer.format.stream import varint

MAX_PAYLOAD_HEAD_BYTES = 4 << 20
"""Of the payload, before the first object: until it is read a device can keep it only in memory."""

_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Need:
    """One object that is in the stream, and what it costs on the disk besides its image."""

    index: int  # among the objects of the target
    content_bytes: int  # of files that are written
    space_bytes: int  # of new contents in the pool, in whole blocks
    inodes: int  # of them

    def print(self, before: int) -> bytes:
        """As bytes; ``before`` is the index of the need before, -1 for the first."""
        gap = self.index - before - 1
        return b"".join(map(varint, (gap, self.content_bytes, self.space_bytes, self.inodes)))

    @classmethod
    def parse(cls, payload: Channels, before: int) -> "Need":
        """The inverse of ``print``."""
        gap, content_bytes, space_bytes, inodes = (payload.number() for _ in range(4))
        return cls(before + 1 + gap, content_bytes, space_bytes, inodes)


@dataclass(frozen=True, slots=True)
class PayloadHead:
    """What a device must know before the first object.

    An object that is not sent is the same in the base, whatever image it stands in.
    """

    manifest: Manifest
    needs: tuple[Need, ...]
    tools: Tool = NO_TOOLS
    renames: Renames = NO_RENAMES  # follow from the manifest, and are not encoded
    python: Digest | None = None  # that compiles modules, if that is needed


def print_payload_head(head: PayloadHead, view: View) -> bytes:
    """Encode a head for devices of which the stream sees this."""
    manifest = difference(view.staying, head.manifest).print()
    before = [-1, *(need.index for need in head.needs)]
    needs = [need.print(index) for need, index in zip(head.needs, before, strict=False)]
    python = b"" if head.python is None else head.python.value
    return b"".join([manifest, varint(len(needs)), *needs, varint(head.tools.value), python])


def parse_payload_head(payload: Channels, view: View) -> PayloadHead:
    """Read what comes before the objects.

    Args:
        payload: the payload, from its beginning.
        view: what is seen of the device's base.

    Raises:
        BadStream: it breaks the format or its limits.
    """
    manifest, renames = _parse_manifest(payload, view)
    objects = manifest.objects
    count = payload.number()
    if count > len(objects):
        raise payload.wrong(f"{count} objects are sent, more than the target has")
    needs = tuple(_parse_needs(payload, count))
    if needs and needs[-1].index >= len(objects):
        raise payload.wrong("an object is sent that is not in the manifest")
    if any(need.inodes > MAX_NODES for need in needs):
        raise payload.wrong(f"an object with more than {MAX_NODES} files")
    had = {*view.staying.objects, *(objects[need.index] for need in needs)}
    for path in objects:
        if path not in had:
            raise payload.wrong(f"{path} is new, and not sent")
    tools = payload.number()
    if tools & ~sum(Tool):
        raise payload.wrong(f"tools {tools:#x} are needed, which this program does not know")
    python = Digest(payload.take(_DIGEST_BYTES)) if tools & Tool.PYTHON else None
    return PayloadHead(manifest, needs, Tool(tools), renames, python)


def _parse_needs(payload: Channels, count: int) -> Iterator[Need]:
    index = -1
    for _ in range(count):
        need = Need.parse(payload, index)
        yield need
        index = need.index


def _parse_manifest(payload: Channels, view: View) -> tuple[Manifest, Renames]:
    told = Difference.parse(payload)
    try:
        return apply(told, view.staying, payload.wrong)
    except (BadManifest, BadStorePath) as error:
        raise payload.wrong(f"the manifest in the stream: {error}") from error
