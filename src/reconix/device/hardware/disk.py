"""The disk of the device: found through the kernel, its slots by name, never by number.

The disk is the one that holds the system partition. Slots are reached through the whole disk at the
offset that the partition table says, because the kernel's idea of the partitions is that of the
last boot, and because then a disk image in a file is as good as a disk.

Tested by ``tests/unit/device/hardware/test_disk.py``.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.boot.disk import Disk, DiskFile
from reconix.boot.gpt import SECTOR, Partition
from reconix.device.paths import Paths
from reconix.store.generation import SlotImage


class NoDisk(ReconixError):
    """The disk that this device boots from cannot be found."""

    exit_code = 33


@contextlib.contextmanager
def open_disk(paths: Paths) -> Iterator[DiskFile]:
    """Open the disk with the slots.

    Raises:
        NoDisk: it cannot be found.
    """
    with DiskFile(paths.disk or find_disk(paths)) as disk:
        yield disk


def find_disk(paths: Paths) -> Path:
    """The disk that holds the system partition.

    Raises:
        NoDisk: the system partition is not on a partition of a disk.
    """
    return paths.dev / disk_entry(paths).name


def disk_entry(paths: Paths) -> Path:
    """Where sysfs tells of the disk that holds the system partition.

    Raises:
        NoDisk: the system partition is not on a partition of a disk.
    """
    device = paths.system.stat().st_dev
    entry = paths.sysfs / f"dev/block/{os.major(device)}:{os.minor(device)}"
    if not (entry / "partition").exists():
        raise NoDisk(
            f"{paths.system} is not on a partition of a disk", hint="is this a reconix device?"
        )
    return entry.resolve().parent


@dataclass(frozen=True, slots=True)
class PartitionView:
    """One partition as a disk of its own."""

    disk: Disk
    partition: Partition

    @property
    def size_bytes(self) -> int:
        """How large the partition is."""
        return self.partition.size_bytes

    def read(self, offset: int, size: int) -> bytes:
        """Read from the medium."""
        return self.disk.read(self._place(offset, size), size)

    def write(self, offset: int, content: bytes) -> None:
        """Write exactly these sectors; durable only after ``flush``."""
        self.disk.write(self._place(offset, len(content)), content)

    def flush(self) -> None:
        """Return when everything written is durable."""
        self.disk.flush()

    def _place(self, offset: int, size: int) -> int:
        if not 0 <= offset <= self.size_bytes - size:
            raise ValueError(f"{size} bytes at {offset} are not in {self.partition.name}")
        return self.partition.first * SECTOR + offset


def holds(slot: Disk, image: SlotImage) -> bool:
    """Whether a slot contains an image, read from the medium."""
    if slot.size_bytes != image.slot_size_bytes:
        return False
    from reconix.boot.slots import hash_slot  # late: it is slow to import, and rarely needed

    return hash_slot(slot, image.size_bytes) == image.digest
