"""What a repair stream brings: contents and images under their names.

A device that has found damage needs just what is damaged, and can check each of it by its digest.
So a repair describes no trees. Base and target are the same generation, which stays what it is; the
payload lists what comes, with sizes, and then has it, images first::

    payload = count image*  count content*  bytes of each image  bytes of each content
    image   = SHA-256, size
    content = digest, size

The format, byte by byte: ``docs/spec/stream.md``, *Repairs*. Tested by
``tests/unit/transfer/format/test_repairs.py``.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reconix.base.records import dataclass
from reconix.store.images.image import MAX_IMAGE_BYTES
from reconix.store.images.nodes import MAX_INLINE_BYTES, MAX_SIZE
from reconix.store.images.verity import DIGEST_BYTES
from reconix.store.paths import StorePath
from reconix.transfer.format.costs import blocks
from reconix.transfer.format.packing import Channel, Channels
from reconix.transfer.format.stream import Header, varint

MAX_REPAIRED = 8192
"""Things in one stream; whoever has lost more sends the whole generation."""

CHANNEL = Channel.BINARY
"""In which the bytes come."""


class Brought(NamedTuple):
    """An image or a content that comes."""

    digest: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Repairs:
    """What comes, each sorted by digest."""

    images: tuple[Brought, ...] = ()
    contents: tuple[Brought, ...] = ()

    @property
    def all(self) -> tuple[Brought, ...]:
        """In the order in which it comes."""
        return self.images + self.contents

    def print(self) -> bytes:
        """As it stands at the beginning of the payload."""
        return b"".join([*_print(self.images), *_print(self.contents)])

    def header(
        self, generation: StorePath, *, host: str, architecture: str, sequence: int
    ) -> Header:
        """What the receiver must know first; the same numbers are what it allows."""
        return Header(
            host=host,
            architecture=architecture,
            bases=(generation,),
            target=generation,
            objects=0,
            content_bytes=sum(each.size_bytes for each in self.all),
            space_bytes=sum(blocks(each.size_bytes) for each in self.all),
            inodes=len(self.all),
            sequence=sequence,
            repaired=len(self.all),
        )


def _print(listed: Iterable[Brought]) -> Iterator[bytes]:
    several = list(listed)
    yield varint(len(several))
    yield from (each.digest + varint(each.size_bytes) for each in several)


def parse_repairs(payload: Channels, header: Header) -> Repairs:
    """Read what comes.

    Args:
        payload: from its beginning.
        header: of the stream, which says how much that is.

    Raises:
        BadStream: it breaks the format or its limits, or the header says something else.
    """
    images = _parse(payload, range(1, MAX_IMAGE_BYTES + 1))
    found = Repairs(images, _parse(payload, range(MAX_INLINE_BYTES + 1, MAX_SIZE + 1)))
    expected = found.header(
        header.target,
        host=header.host,
        architecture=header.architecture,
        sequence=header.sequence,
    )
    for name in ("bases", "objects", "content_bytes", "space_bytes", "inodes", "repaired"):
        if getattr(header, name) != getattr(expected, name):
            raise payload.wrong(f"{name} in the header are not those of what is repaired")
    return found


def _parse(payload: Channels, sizes: range) -> tuple[Brought, ...]:
    count = payload.number()
    if count > MAX_REPAIRED:
        raise payload.wrong(f"{count} things are repaired, more than {MAX_REPAIRED}")
    found: list[Brought] = []
    for _ in range(count):
        each = Brought(payload.take(DIGEST_BYTES), payload.number())
        if each.size_bytes not in sizes:
            raise payload.wrong(f"{each.size_bytes} bytes cannot be repaired")
        if found and each.digest <= found[-1].digest:
            raise payload.wrong("what is repaired is not sorted")
        found.append(each)
    return tuple(found)
