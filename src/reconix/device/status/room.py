"""How much room the partitions of a device have, as their file systems say.

What is free is what the agent may use; in the store, an update needs it (``transfer/receiving/``).

Tested by ``tests/unit/device/status/test_room.py``.
"""

import os
from pathlib import Path

from reconix.base.records import dataclass
from reconix.device.paths import Paths
from reconix.device.state.data import NoData, data_of


@dataclass(frozen=True, slots=True)
class FileSystemRoom:
    """Room of one file system; ``inodes`` is 0 if it counts none."""

    size_bytes: int
    free_bytes: int
    inodes: int
    free_inodes: int
    block_bytes: int


@dataclass(frozen=True, slots=True)
class PartitionsRoom:
    """Room of the store, and of what persists; ``None`` where that cannot be reached."""

    system: FileSystemRoom
    data: FileSystemRoom | None


def read_room(paths: Paths) -> PartitionsRoom | None:
    """The room of a device; ``None`` if its store does not say."""
    system = _room(paths.system)
    return None if system is None else PartitionsRoom(system, _data_room(paths))


def _data_room(paths: Paths) -> FileSystemRoom | None:
    try:
        return _room(data_of(paths))
    except NoData:
        return None


def _room(folder: Path) -> FileSystemRoom | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return FileSystemRoom(
        size_bytes=found.f_blocks * found.f_frsize,
        free_bytes=found.f_bavail * found.f_frsize,
        inodes=found.f_files,
        free_inodes=found.f_favail,
        block_bytes=found.f_bsize,
    )
