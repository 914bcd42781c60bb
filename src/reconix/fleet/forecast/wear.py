"""How much an update writes to a device, from its first byte to its confirmation.

What is stored is known; what ext4 and its journal write besides follows from how the receiver
works, and was measured with ``reconix prove``. The receiver takes contents in *batches*, makes each
durable and then gives names to it. So for each batch there is written, in pages of 4 KiB, as
``prove`` counts:

    the page of each folder of the pool that gets a name, and that of the inode of the folder
    the inodes of the new files, 16 to a page, twice, and some pages that say what is free
    in the journal the blocks of all these

Folders that are made in the batch are neighbours and share pages, where blocks are smaller.

A file of small blocks shares its first and last page with others, and is written with another one.
To make a document durable costs so many pages whatever is in it, and an update makes some twenty
durable: that is the part that does not depend on the update.

``prove`` counts a receiver that keeps no partial stream; one that keeps it writes the stream, too.

Measured, and tested, by ``tests/crash/test_forecast.py``.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconix.fleet.forecast.arrival import Arrival
from reconix.fleet.forecast.peak import StoreFormat
from reconix.fleet.forecast.slot import SlotUse
from reconix.transfer.receiving.contents import BATCH_BYTES, BATCH_FILES

_PAGE_BYTES = 4096
_INODE_BYTES = 256
_FOLDERS = 256

_FREE_PAGES, _FREE_JOURNAL_BYTES = 14, 45_000
"""Of each batch: what says which blocks and inodes are free, and where a commit begins and ends."""
_ONCE_PAGES, _ONCE_BLOCKS, _ONCE_JOURNAL_BYTES = 64, 272, 464_000
"""Of each update: what its documents take, from the manifest to the confirmation."""
_TABLES_PAGES = 2
_SHARED_BYTES = 768


@dataclass(frozen=True, slots=True)
class Wear:
    """What is written, in bytes, by what it is.

    Attributes:
        stream: the partial stream.
        contents: of the pool.
        images: likewise.
        names: folders, inodes, what is free, and small documents.
        journal: of the store.
        slot: the boot slot and the partition tables.
    """

    stream: int
    contents: int
    images: int
    names: int
    journal: int
    slot: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(size for _, size in self.parts())

    def parts(self) -> tuple[tuple[str, int], ...]:
        """Each part with its name."""
        return tuple((name, getattr(self, name)) for name in self.__slots__)


def wear(arrival: Arrival, form: StoreFormat, slot: SlotUse) -> Wear:
    """What an update writes."""
    pages, blocks = float(_ONCE_PAGES), _ONCE_BLOCKS + _ONCE_JOURNAL_BYTES / form.block_bytes
    there = float(len(arrival.there))
    for files in _batches(arrival.new.values()):
        made = _distinct(files, _FOLDERS) * (1 - there / _FOLDERS)
        there += made
        pages += _names_pages(files) - made * (1 - form.block_bytes / _PAGE_BYTES)
        blocks += _journal_blocks(files, form.block_bytes)
    return Wear(
        stream=_in_pages(arrival.stream_bytes),
        contents=sum(_content_bytes(size, form) for size in arrival.new.values()),
        images=sum(_in_pages(form.stored(size)) for size in arrival.images),
        names=round(pages) * _PAGE_BYTES,
        journal=round(blocks) * form.block_bytes,
        slot=slot.written_bytes + _TABLES_PAGES * _PAGE_BYTES,
    )


def _batches(sizes: Iterable[int]) -> Iterator[int]:
    """How many contents are in each batch."""
    files, size_bytes = 0, 0
    for size in sizes:
        files, size_bytes = files + 1, size_bytes + size
        if files == BATCH_FILES or size_bytes >= BATCH_BYTES:
            yield files
            files, size_bytes = 0, 0
    if files:
        yield files


def _names_pages(files: int) -> float:
    """Pages with names and inodes that a batch of so many files writes."""
    folders = _distinct(files, _FOLDERS)
    inodes_of_folders = _distinct(folders, _FOLDERS * _INODE_BYTES / _PAGE_BYTES)
    return folders + inodes_of_folders + 2 * files * _INODE_BYTES / _PAGE_BYTES + _FREE_PAGES


def _journal_blocks(files: int, block_bytes: int) -> float:
    """Blocks of the journal that a batch of so many files writes."""
    folders = _distinct(files, _FOLDERS)
    inodes_of_folders = _distinct(folders, _FOLDERS * _INODE_BYTES / block_bytes)
    of_files = 2 * files * _INODE_BYTES / block_bytes
    return folders + inodes_of_folders + of_files + _FREE_JOURNAL_BYTES / block_bytes


def _distinct(drawn: float, among: float) -> float:
    """How many different ones are hit, on average, if one is drawn that often."""
    return among * (1 - math.pow(1 - 1 / among, drawn))


def _content_bytes(size_bytes: int, form: StoreFormat) -> int:
    """What a content writes, with what it shares its first and its last page with."""
    shared = _SHARED_BYTES if form.block_bytes < _PAGE_BYTES else 0
    return form.stored(size_bytes) + shared


def _in_pages(size_bytes: int) -> int:
    return -(-size_bytes // _PAGE_BYTES) * _PAGE_BYTES
