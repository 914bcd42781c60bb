"""Writing an image to a disk so that it is whole, or none.

Writing takes minutes, and may be cut at any of them. A disk that is half an image and starts is
worse than one that does not: it fails later, elsewhere. What makes a disk one of ours are the two
headers of its partition table, a sector each. So these go first and come last:

    1. zeros over the tables at both ends, of whatever the disk was before
    2. all that the block map names, but for the two headers
    3. read back, past the cache, and compared with the map
    4. the primary header, then the backup
    5. what holds them read back, too

Until step 4 no firmware and no kernel finds a partition; then everything else is there. A cut
between the two headers leaves a disk that starts, and repairs its backup.

Source: ``docs/spec/disk.md``, *Block map*.
Tested by ``tests/unit/image/test_flash.py``, which cuts it at each write.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.files import chunks
from reconix.boot.disk import NotKept
from reconix.boot.gpt import PRIMARY_LBA, SECTOR
from reconix.image.block_map import BlockMap, Extent
from reconix.image.layout import MIB
from reconix.image.target_disk import Target, TargetDisk

_TAIL_BYTES = 64 << 10
"""At the end of a disk: the backup header and its array, whoever wrote them."""


class _Piece(NamedTuple):
    """What must be on the disk, and how it is known that it is."""

    extent: Extent
    digest: Digest


def flash(target: Target, disk: TargetDisk, image: Path, block_map: BlockMap) -> None:
    """Write an image to a disk.

    Args:
        target: the disk, to write to it.
        disk: what is known of it; the image fits.
        image: the file.
        block_map: of the image.

    Raises:
        NotKept: the medium does not keep what is written.
        ReconixError: it cannot be written; it is no disk of ours then.
    """
    headers = _headers(block_map.size_bytes)
    with image.open("rb") as file:
        body = list(_body(file, block_map, headers))
        with progress.stage("clear the old tables"):
            target.write(_zeros(disk.size_bytes))
        _write(target, file, [piece.extent for piece in body], "write")
        _compare(target, disk.path, body, "read back")
        for header in headers:
            _write(target, file, [header], "write a table")
        _compare(target, disk.path, list(_with_headers(block_map, headers)), "read back the tables")
    target.finish()


def _headers(size_bytes: int) -> tuple[Extent, Extent]:
    """Primary and backup header."""
    return Extent(PRIMARY_LBA * SECTOR, SECTOR), Extent(size_bytes - SECTOR, SECTOR)


def _zeros(disk_bytes: int) -> Iterator[tuple[Extent, Iterable[bytes]]]:
    for extent in (Extent(0, MIB), Extent(disk_bytes - _TAIL_BYTES, _TAIL_BYTES)):
        yield extent, [bytes(extent.size_bytes)]


def _body(file: BinaryIO, block_map: BlockMap, headers: Iterable[Extent]) -> Iterator[_Piece]:
    """All that the map names, without the headers; a range that has one is hashed without it."""
    for blocks in block_map.ranges:
        extent = block_map.extent(blocks)
        parts = list(_without(extent, headers))
        if parts == [extent]:
            yield _Piece(extent, blocks.digest)
        else:
            yield from (_Piece(part, _digest(file, part)) for part in parts)


def _without(extent: Extent, holes: Iterable[Extent]) -> Iterator[Extent]:
    begin = extent.offset
    for hole in holes:
        if extent.offset <= hole.offset < extent.end:
            if begin < hole.offset:
                yield Extent(begin, hole.offset - begin)
            begin = hole.end
    if begin < extent.end:
        yield Extent(begin, extent.end - begin)


def _with_headers(block_map: BlockMap, headers: Iterable[Extent]) -> Iterator[_Piece]:
    for blocks in block_map.ranges:
        extent = block_map.extent(blocks)
        if any(extent.offset <= header.offset < extent.end for header in headers):
            yield _Piece(extent, blocks.digest)


def _digest(file: BinaryIO, extent: Extent) -> Digest:
    hashing = hashlib.sha256()
    for chunk in _content(file, extent):
        hashing.update(chunk)
    return Digest(hashing.digest())


def _content(file: BinaryIO, extent: Extent) -> Iterator[bytes]:
    file.seek(extent.offset)
    return chunks(file, extent.size_bytes)


def _write(target: Target, file: BinaryIO, extents: list[Extent], what: str) -> None:
    total = sum(extent.size_bytes for extent in extents)
    with progress.stage(what, total=total) as stage:
        target.write((extent, _counted(_content(file, extent), stage)) for extent in extents)


def _counted(pieces: Iterable[bytes], stage: progress.Stage) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        stage.advance(len(piece))


def _compare(target: Target, path: str, pieces: list[_Piece], what: str) -> None:
    total = sum(piece.extent.size_bytes for piece in pieces)
    with progress.stage(what, total=total) as stage:
        found = target.digests([piece.extent for piece in pieces])
        for piece, digest in zip(pieces, found, strict=True):
            if digest != piece.digest:
                raise NotKept(path, offset=piece.extent.offset)
            stage.advance(piece.extent.size_bytes)
