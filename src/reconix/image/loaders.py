"""Loaders of a board on its disk: they lie over nothing else.

A boot ROM reads a loader from a fixed place and knows nothing of partitions. The first sectors, the
prepared arrays, the partitions and the copies at the end of the disk are ours, and what lies there
would be overwritten sooner or later. A loader that does not fit before the arrays needs room:
``disk.reserved``.

Tested by ``tests/unit/image/test_loaders.py``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconix.base.errors import ReconixError
from reconix.boot.gpt import SECTOR
from reconix.boot.tables import Copy, SlotTables
from reconix.build.boot.firmware_files import PlacedFile
from reconix.image.layout import MIB


class LoaderOverlaps(ReconixError):
    """A loader of the board lies over something else on the disk."""

    exit_code = 35


@dataclass(frozen=True, slots=True)
class _Place:
    """Bytes of the disk, the last one excluded, and what is there."""

    begin: int
    end: int
    what: str

    def meets(self, other: "_Place") -> bool:
        return self.begin < other.end and other.begin < self.end

    def __str__(self) -> str:
        return f"{self.what} (bytes {self.begin} to {self.end - 1})"


def expect_apart(tables: SlotTables, loaders: Sequence[PlacedFile]) -> None:
    """Check that loaders lie over nothing of the disk, nor over one another.

    Raises:
        LoaderOverlaps: one does, or does not begin at a sector.
    """
    taken = list(_taken(tables))
    for loader in loaders:
        place = _Place(loader.offset, loader.offset + len(padded(loader.content)), loader.name)
        if loader.offset % SECTOR:
            raise LoaderOverlaps(f"{place} does not begin at a sector of {SECTOR} bytes")
        for other in taken:
            if place.meets(other):
                raise LoaderOverlaps(f"{place} would lie over {other}", hint=_hint(place))
        taken.append(place)


def padded(content: bytes) -> bytes:
    """A content in whole sectors."""
    return content + bytes(-len(content) % SECTOR)


def _taken(tables: SlotTables) -> Iterator[_Place]:
    end = tables.sectors * SECTOR
    yield _Place(0, 2 * SECTOR, "the first two sectors")
    for write in tables.arrays(Copy.PRIMARY):
        yield _Place(write.offset, write.offset + len(write.content), write.what)
    for part in (*tables.slots, *tables.others):
        yield _Place(part.first * SECTOR, (part.last + 1) * SECTOR, f"the partition {part.name}")
    yield _Place((tables.last_usable + 1) * SECTOR, end, "the backup of the tables")
    yield _Place(end, 1 << 63, "the end of the disk")


def _hint(loader: _Place) -> str:
    needed = -(-loader.end // MIB)
    return f'reserve room before the tables: disk.reserved = "{needed}M" in machine.toml, or more'
