"""Block maps: which blocks of a disk image must be on the disk, and what they hash to.

Most of an image is room for later. Whoever writes it to a disk may skip that, if he knows what it
is; a hole in the file does not say it, because some zeros matter: inodes of a file system that are
free, a journal that is empty. So the map names what must be there, in blocks of 4 KiB, and the
SHA-256 of each range of them, by which a writer checks what he reads and what he has written.

The map is the one of ``bmaptool`` (Debian's bmap-tools), format 2.0, an XML document. It lies
beside its image as ``IMAGE.bmap``, where that program looks for it, also for ``IMAGE.zst``.

Source: bmap-tools 3.6, the comment that it writes into each map; ``docs/spec/disk.md``.
Tested by ``tests/unit/image/test_block_map.py``, and by ``tests/compat/test_bmaptool.py`` against
the program.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.files import chunks

BLOCK_BYTES = 4096
MAX_RANGE_BLOCKS = (16 << 20) // BLOCK_BYTES
"""A longer range is divided: so damage is told to 16 MiB."""


class Extent(NamedTuple):
    """Bytes of a disk that follow each other."""

    offset: int
    size_bytes: int

    @property
    def end(self) -> int:
        """Where the next byte is."""
        return self.offset + self.size_bytes


class BlockRange(NamedTuple):
    """Blocks that must be on the disk.

    Args:
        first, last: their numbers, both included.
        digest: of their bytes; those behind the end of the image do not count.
    """

    first: int
    last: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class BlockMap:
    """What of an image must be on the disk.

    Args:
        size_bytes: of the image.
        ranges: in their order, none touching itself.
    """

    size_bytes: int
    ranges: tuple[BlockRange, ...]

    @property
    def extents(self) -> tuple[Extent, ...]:
        """The bytes of each range."""
        return tuple(self.extent(each) for each in self.ranges)

    def extent(self, blocks: BlockRange) -> Extent:
        """The bytes of a range."""
        begin = blocks.first * BLOCK_BYTES
        return Extent(begin, min((blocks.last + 1) * BLOCK_BYTES, self.size_bytes) - begin)

    @property
    def mapped_bytes(self) -> int:
        """How much must be written."""
        return sum(extent.size_bytes for extent in self.extents)


def map_of(image: Path, needed: Iterable[Extent]) -> BlockMap:
    """Hash what of an image must be on the disk.

    Args:
        image: the whole file.
        needed: bytes that must be there, in any order; they may overlap.
    """
    size = image.stat().st_size
    found = list(_divided(_blocks(needed)))
    total = sum(last + 1 - first for first, last in found) * BLOCK_BYTES
    with image.open("rb") as file, progress.stage("hash the image", total=total) as stage:
        return BlockMap(size, tuple(_hashed(file, each, stage) for each in found))


def _blocks(needed: Iterable[Extent]) -> Iterator[tuple[int, int]]:
    """First and last block of what is needed, in order; what touches is one."""
    first, last = 0, -1
    for extent in sorted(each for each in needed if each.size_bytes):
        begin, end = extent.offset // BLOCK_BYTES, (extent.end - 1) // BLOCK_BYTES
        if begin <= last + 1:
            last = max(last, end)
            continue
        if last >= first:
            yield first, last
        first, last = begin, end
    if last >= first:
        yield first, last


def _divided(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for first, last in ranges:
        for begin in range(first, last + 1, MAX_RANGE_BLOCKS):
            yield begin, min(begin + MAX_RANGE_BLOCKS - 1, last)


def _hashed(file: BinaryIO, blocks: tuple[int, int], stage: progress.Stage) -> BlockRange:
    first, last = blocks
    file.seek(first * BLOCK_BYTES)
    hashing = hashlib.sha256()
    for chunk in chunks(file, (last + 1 - first) * BLOCK_BYTES):
        hashing.update(chunk)
        stage.advance(len(chunk))
    return BlockRange(first, last, Digest(hashing.digest()))


def print_block_map(block_map: BlockMap) -> bytes:
    """The document: its own SHA-256 is computed with zeros in its place."""
    blank = _document(block_map, "0" * 64)
    return _document(block_map, hashlib.sha256(blank).hexdigest())


def _document(block_map: BlockMap, own: str) -> bytes:
    blocks = -(-block_map.size_bytes // BLOCK_BYTES)
    mapped = sum(each.last + 1 - each.first for each in block_map.ranges)
    ranges = "".join(
        f'        <Range chksum="{each.digest.hex()}"> {_span(each)} </Range>\n'
        for each in block_map.ranges
    )
    return f"""\
<?xml version="1.0" ?>
<bmap version="2.0">
    <ImageSize> {block_map.size_bytes} </ImageSize>
    <BlockSize> {BLOCK_BYTES} </BlockSize>
    <BlocksCount> {blocks} </BlocksCount>
    <MappedBlocksCount> {mapped} </MappedBlocksCount>
    <ChecksumType> sha256 </ChecksumType>
    <BmapFileChecksum> {own} </BmapFileChecksum>
    <BlockMap>
{ranges}    </BlockMap>
</bmap>
""".encode()


def _span(blocks: BlockRange) -> str:
    return str(blocks.first) if blocks.first == blocks.last else f"{blocks.first}-{blocks.last}"
