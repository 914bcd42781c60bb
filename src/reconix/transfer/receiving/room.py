"""Room: whether what is missing fits on a disk, and what may be removed so that it does.

An interrupted receive leaves things behind: an object that was being made, objects of another
stream, what was being collected, frames that are kept to resume. Counted as used they would refuse
the very update that they are left of, each time anew. So useless leftovers are removed before room
is measured; and while there is too little, more valuable things are, one after the other:

1. what cannot be used any more, at once (``receive.py``);
2. what is in the store and named by no installed generation, nor by this one;
3. the frames of another stream; those of this one only if it fits without them, and then all of it
   has to be sent again.

Whatever is removed can be sent again or was to be collected anyway; no generation loses anything.

Tested by ``tests/crash/test_receive_room.py``, on file systems that have just the room.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.store.collect import collect
from reconix.store.links import LINKS
from reconix.store.manifest import Manifest, print_manifest
from reconix.store.registry import Registry
from reconix.transfer.format.payload_head import Need
from reconix.transfer.receiving.spool import Spool

MARGIN = 64
"""One more byte for each of these, for what file systems need themselves."""
MARGIN_BYTES = 1 << 20
MARGIN_INODES = 256
"""On top of what is declared; files that cannot get one more name are copied into it."""

_NAME_BYTES = 128  # in ``.links``, of each new file or link: a name of 52 characters


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

    def lacks(self, place: Path) -> str:
        """What is missing for this in a file system; nothing if it fits."""
        status = os.statvfs(place)
        free, wanted = status.f_bavail * status.f_frsize, self.size_bytes
        if wanted > 0 and free < wanted + wanted // MARGIN + MARGIN_BYTES:
            return f"{wanted} bytes are needed, {free} are free"
        if self.inodes > 0 and status.f_files and status.f_favail < self.inodes + MARGIN_INODES:
            return f"{self.inodes} inodes are needed, {status.f_favail} are free"
        return ""


NOTHING = Room(0, 0)
_FOLDER = Room(4096, 1)


def room_for(needs: Iterable[Need], manifest: Manifest, registry: Registry) -> Room:
    """What it takes to make these objects and to register them."""
    listed = tuple(needs)
    if not listed:
        return NOTHING
    inodes = sum(need.inodes for need in listed)
    declared = sum(need.space_bytes for need in listed)
    written = len(print_manifest(manifest)) + _NAME_BYTES * inodes
    folders = (registry.staging_dir, registry.store_dir / LINKS)
    missing = [_FOLDER for folder in folders if not folder.is_dir()]
    return sum(missing, Room(declared + written, inodes))


def room_for_frames(stream_bytes: int, spool: Spool) -> Room:
    """What it takes to keep what arrives."""
    return Room(stream_bytes - spool.resumed_bytes, 0 if spool.resumed_bytes else 1)


def make_room(room: Room, registry: Registry, target: Manifest, spool: Spool | None) -> None:
    """Remove what is dispensable until there is room.

    Args:
        room: what is needed.
        registry: where.
        target: none of its objects is removed.
        spool: what is kept of a stream.

    Raises:
        DiskFull: there is too little all the same.
    """
    lack = room.lacks(registry.system_root)
    if lack:
        collect(registry.store_dir, [*registry.manifests(), target])
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
