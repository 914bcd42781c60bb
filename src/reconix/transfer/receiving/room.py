"""Room: whether what is missing fits on a disk, and what may be removed so that it does.

An interrupted receive leaves things behind: what was being made, contents that no generation needs
yet, what was being collected, frames that are kept to resume. Counted as used they would refuse the
very update that they are left of, each time anew. So useless leftovers are removed before room is
measured; and while there is too little, more valuable things are, one after the other:

1. what was being made, at once (``receive.py``);
2. images and contents that no installed generation needs: those of this very update are made again;
3. the frames of another stream; those of this one only if it fits without them, and then all of it
   has to be sent again.

Whatever is removed can be sent again or was to be collected anyway; no generation loses anything.

Tested by ``tests/crash/test_receive_room.py``, on file systems that have just the room.
"""

import itertools
import os
from collections.abc import Iterable
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.store import fsverity
from reconix.store.collect import collect
from reconix.store.images.verity import most_kept_bytes
from reconix.store.manifest import Manifest, print_manifest
from reconix.store.registry import Registry
from reconix.transfer.format.costs import blocks
from reconix.transfer.format.payload_head import Need
from reconix.transfer.receiving.spool import Spool

MARGIN = 64
"""One more byte for each of these, for what file systems need themselves."""
MARGIN_BYTES = 1 << 20
MARGIN_INODES = 256
"""On top of what is declared."""

_NAME_BYTES = 128  # in the pool, of each content: a name of 62 characters
_POOL_FOLDERS = 256


class DiskFull(ReconixError):
    """There is not enough room for the new generation."""

    exit_code = 56

    def __init__(self, what: str) -> None:
        super().__init__(
            f"not enough room: {what}", hint="nothing was installed; collect old generations first"
        )


@dataclass(frozen=True, slots=True)
class Room:
    """An amount of disk space."""

    size_bytes: int
    inodes: int

    def __add__(self, other: "Room") -> "Room":
        return Room(self.size_bytes + other.size_bytes, self.inodes + other.inodes)

    @property
    def with_margin(self) -> "Room":
        """What has to be free before this is used."""
        wanted, inodes = self.size_bytes, self.inodes
        return Room(
            wanted + wanted // MARGIN + MARGIN_BYTES if wanted > 0 else 0,
            inodes + MARGIN_INODES if inodes > 0 else 0,
        )

    def lacks(self, place: Path) -> str:
        """What is missing for this in a file system; nothing if it fits."""
        status, wanted = os.statvfs(place), self.with_margin
        free = status.f_bavail * status.f_frsize
        if free < wanted.size_bytes:
            return f"{self.size_bytes} bytes are needed, {free} are free"
        if status.f_files and status.f_favail < wanted.inodes:
            return f"{self.inodes} inodes are needed, {status.f_favail} are free"
        return ""


_FOLDER = Room(4096, 1)


def room_for(needs: Iterable[Need], manifest: Manifest, registry: Registry) -> Room:
    """What it takes to receive these objects and to register their generation."""
    missing = (each for each in manifest.images if not registry.image_path(each.sha256).exists())
    new = [entry.size_bytes for entry in missing]
    compares = fsverity.is_supported(registry.system_root)
    pool = registry.pool.folder
    there = sum(1 for _ in pool.iterdir()) if pool.is_dir() else 0
    room = room_of(needs, manifest, new, pool_folders=there, compares=compares)
    folders = (registry.staging_dir, registry.images_dir, pool)
    return sum((_FOLDER for folder in folders if not folder.is_dir()), room)


def room_of(
    needs: Iterable[Need],
    manifest: Manifest,
    new: Iterable[int],
    *,
    pool_folders: int,
    compares: bool,
) -> Room:
    """What it takes to receive these objects; a sender knows it, too.

    Args:
        needs: of the objects.
        manifest: of the generation.
        new: sizes of its images that are not there.
        pool_folders: how many folders the pool has.
        compares: whether the kernel keeps hashes to compare files with.
    """
    images = [blocks(size_bytes) for size_bytes in new]
    listed = tuple(needs) if images else ()  # they come after all contents
    inodes = sum(need.inodes for need in listed)
    space = sum(need.space_bytes for need in listed)
    hashes = most_kept_bytes(inodes + len(images), space + sum(images)) if compares else 0
    written = space + _NAME_BYTES * inodes + hashes
    room = Room(written + sum(images) + len(print_manifest(manifest)), inodes + len(images) + 1)
    missing = max(0, min(_POOL_FOLDERS - pool_folders, inodes))
    return sum(itertools.repeat(_FOLDER, missing), room)


def room_for_hashes(registry: Registry, files: int, size_bytes: int) -> int:
    """What the kernel keeps to compare files with."""
    compares = fsverity.is_supported(registry.system_root)
    return most_kept_bytes(files, size_bytes) if compares else 0


def room_for_frames(stream_bytes: int, spool: Spool) -> Room:
    """What it takes to keep what arrives."""
    return Room(stream_bytes - spool.resumed_bytes, 0 if spool.resumed_bytes else 1)


def make_room(room: Room, registry: Registry, spool: Spool | None) -> None:
    """Remove what is dispensable until there is room.

    Args:
        room: what is needed.
        registry: where.
        spool: what is kept of a stream.

    Raises:
        DiskFull: there is too little all the same.
    """
    lack = room.lacks(registry.system_root)
    if lack:
        collect(registry.afresh())  # one that keeps no images in memory
        lack = room.lacks(registry.system_root)
    if lack and spool is not None and _given_back(spool, room, registry.system_root):
        lack = room.lacks(registry.system_root)
    if lack:
        raise DiskFull(lack)


def _given_back(spool: Spool, room: Room, place: Path) -> bool:
    """Remove the kept frames; if they are of this very stream, it cannot be resumed."""
    if not spool.resumed_bytes:
        return spool.give_back()
    if (room + Room(-spool.resumed_bytes, -1)).lacks(place):
        return False  # without them it would not fit either
    spool.give_back()
    raise DiskFull("the partial stream took it and was removed; send the whole stream again")
