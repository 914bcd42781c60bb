"""The disk of the device among others, none of which may be mistaken for it.

Partitions are named alike on all devices, and their GUIDs follow from the name of the host. So the
image of the host on a stick, or a copy of this very disk, has everything that is ours. Content
cannot tell them apart, because a copy has all of it; hardware can. The agent notes what the
hardware of its disk is called, once, on the system partition. A copy has the note, but other
hardware. The initrd compares the two when several disks could be ours (``build/data/disk.sh``).

The firmware does not compare. It finds the slot of a trial by its GUID, and could load that of the
copy. So as long as a copy is plugged in, no update is taken. Nor is one taken on a disk that is
smaller than its image: it lacks the copy of its table, without which no slot can be selected.

Nothing is written to another disk, and none is mounted.

Tested by ``tests/unit/device/trial/test_disks.py``; on a device by ``tests/vm/test_disks.py``.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.base.files import write_durably
from reconix.base.records import dataclass
from reconix.boot.gpt import SECTOR
from reconix.boot.tables import SlotTables
from reconix.device.device import Device
from reconix.device.hardware.disk import NoDisk, find_disk
from reconix.device.paths import Paths
from reconix.device.state.lock import exclusive_rw

_OURS = frozenset({"slot-1", "system", "data"})
_HARDWARE = ("wwid", "serial", "device/wwid", "device/cid", "device/serial")
"""Files of the kernel that name the hardware of a disk; the first that is not empty counts."""

_MAX_BYTES = 256
_MAX_UEVENT_BYTES = 4096
_TABLE_SECTORS = 127, 320
"""Where tables and prepared arrays lie: behind the first sector, and before the end."""


class CopyAttached(ReconixError):
    """Another disk has the partitions of this device, so that the firmware could take either."""

    exit_code = 33

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is a copy of the disk of this device: the firmware could load either",
            hint="unplug it, then try again",
        )
        self.path = path


@dataclass(frozen=True, slots=True)
class OtherDisk:
    """A disk with partitions that are named like ours.

    Attributes:
        path: its device.
        is_copy: whether the GUIDs are ours as well.
    """

    path: Path
    is_copy: bool


@dataclass(frozen=True, slots=True)
class Disks:
    """The disk of a device, and those beside it.

    Attributes:
        missing_bytes: by how much it is smaller than its image; then no update is taken.
        others: disks with partitions that are named like ours.
    """

    missing_bytes: int
    others: tuple[OtherDisk, ...]


def others(paths: Paths, tables: SlotTables) -> tuple[OtherDisk, ...]:
    """The disks, besides that of the device, that have partitions of our names, sorted."""
    try:
        own = paths.disk or find_disk(paths)
    except NoDisk:
        return ()
    found = (paths.dev / name for name in _named_alike(paths) if name != own.name)
    return tuple(OtherDisk(path, _lists_slots(path, tables)) for path in found)


def copies(paths: Paths, tables: SlotTables) -> tuple[OtherDisk, ...]:
    """The disks that the firmware could take for that of the device."""
    return tuple(disk for disk in others(paths, tables) if disk.is_copy)


def expect_fit_disk(device: Device) -> None:
    """Check that a trial can be made: from this disk and from no other, and be kept.

    Raises:
        DiskIsShort: no slot could be selected.
        CopyAttached: the firmware could load from another disk what it is told to load from ours.
    """
    selection = device.selection()
    selection.expect_whole()
    for disk in copies(device.paths, selection.tables):
        raise CopyAttached(disk.path)


def read_disks(device: Device) -> Disks:
    """The condition of the disk of a device.

    Raises:
        ReconixError, OSError: it cannot be read.
    """
    selection = device.selection()
    missing_bytes = selection.missing * SECTOR
    return Disks(missing_bytes, others(device.paths, selection.tables))


def note_hardware(paths: Paths) -> None:
    """Note what the hardware of the disk is called; a start goes on if that fails."""
    try:
        called = _hardware(paths)
        if called and called != _noted(paths):
            with exclusive_rw(paths):
                write_durably(paths.hardware, f"{called}\n".encode())
    except (ReconixError, OSError) as error:
        progress.note(f"cannot note the hardware of the disk: {error}")


def _noted(paths: Paths) -> str:
    return _read(paths.hardware).removesuffix(b"\n").decode("ascii", "replace")


def _hardware(paths: Paths) -> str:
    """What the hardware of our disk is called; "" where it has no name. As in the initrd."""
    folder = paths.sysfs / "class/block" / (paths.disk or find_disk(paths)).name
    for name in _HARDWARE:
        said = bytes(byte for byte in _read(folder / name) if 0x20 < byte < 0x7F)
        if said:
            return f"{name}:{said.decode('ascii')}"
    return ""


def _read(path: Path) -> bytes:
    """The beginning of a file; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES)
    except OSError:
        return b""


def _named_alike(paths: Paths) -> Iterator[str]:
    """The disks that have a partition of a name of ours; firmware knows none that is virtual."""
    for disk in sorted(paths.sysfs.glob("class/block/*")):
        is_virtual = disk.resolve().is_relative_to(paths.sysfs.resolve() / "devices/virtual")
        if not (disk / "partition").exists() and not is_virtual:
            parts = disk.glob(f"{disk.name}*/uevent")
            if any(_name_of(part) in _OURS for part in parts):
                yield disk.name


def _name_of(uevent: Path) -> str:
    try:
        with uevent.open(errors="replace") as file:
            lines = file.read(_MAX_UEVENT_BYTES).splitlines()
    except OSError:
        return ""  # it was just taken away
    return next((line[9:] for line in lines if line.startswith("PARTNAME=")), "")


def _lists_slots(path: Path, tables: SlotTables) -> bool:
    """Whether the tables of a disk list slots of ours; what cannot be read, no firmware loads."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        head, tail = _TABLE_SECTORS
        end = os.lseek(descriptor, 0, os.SEEK_END)
        content = os.pread(descriptor, head * SECTOR, SECTOR)
        content += os.pread(descriptor, tail * SECTOR, max(0, end - tail * SECTOR))
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return any(slot.guid.value in content for slot in tables.slots)
