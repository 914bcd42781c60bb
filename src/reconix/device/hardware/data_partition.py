"""The data partition as the kernel has it: how long it is, and making it longer while it is in use.

The kernel keeps its own idea of a partition while something of the disk is mounted: it is told of a
new end, which it takes if that is not before the old one. Then ext4 grows into it, also mounted,
transaction by transaction: a cut leaves it somewhere between, and whole. No program is needed for
either. With blocks of less than 4 KiB it may be whole and yet refuse to be mounted, see
``docs/decisions/0129-growth-that-was-cut.md``.

Source: Linux, include/uapi/linux/blkpg.h (``BLKPG``); Documentation/admin-guide/ext4.rst,
``EXT4_IOC_RESIZE_FS``.
Tested by ``tests/unit/device/hardware/test_data_partition.py``, with the kernel on a loop device;
the file system by ``tests/vm/test_services.py``: it takes a capability that CI may lack.
"""

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.boot.gpt import SECTOR
from reconix.device.paths import Paths

_BLKPG = 0x1269
_RESIZE_PARTITION = 3
_NAME_BYTES = 64
_EXT4_RESIZE = 0x40086610
_SUPER_AT, _SUPER_BYTES = 1024, 1024
_SAFE_BLOCK_BYTES = 4096


class DataNotGrown(ReconixError):
    """The kernel does not let the partition, or its file system, become longer."""

    exit_code = 33

    def __init__(self, what: str, error: OSError) -> None:
        super().__init__(
            f"{what}: {os.strerror(error.errno or errno.EIO)}",
            hint="nothing is lost: data stays as long as it is; dmesg may say more",
        )


class _Partition(ctypes.Structure):
    """``struct blkpg_partition``."""

    _fields_ = (
        ("start", ctypes.c_longlong),
        ("length", ctypes.c_longlong),
        ("number", ctypes.c_int),
        ("names", ctypes.c_char * (2 * _NAME_BYTES)),
    )


class _Argument(ctypes.Structure):
    """``struct blkpg_ioctl_arg``."""

    _fields_ = (
        ("operation", ctypes.c_int),
        ("flags", ctypes.c_int),
        ("length", ctypes.c_int),
        ("data", ctypes.c_void_p),
    )


@dataclass(frozen=True, slots=True)
class DataPartition:
    """Where the kernel has it.

    Attributes:
        disk: the device of the whole disk.
        device: its own.
        number: of the partition, to the kernel.
        first: its first sector.
        sectors: how many it has.
    """

    disk: Path
    device: Path
    number: int
    first: int
    sectors: int

    @classmethod
    def of(cls, paths: Paths) -> "DataPartition | None":
        """The partition that is mounted; None if it is none, as in a device made of files."""
        device = paths.data.stat().st_dev
        entry = paths.sysfs / f"dev/block/{os.major(device)}:{os.minor(device)}"
        if not (entry / "partition").exists():
            return None
        number, first, sectors = (_number(entry / each) for each in ("partition", "start", "size"))
        found = entry.resolve()
        disk, part = paths.dev / found.parent.name, paths.dev / found.name
        return cls(disk, part, number, first, sectors)

    def file_system_bytes(self) -> int:
        """How large the ext4 on it says that it is.

        Raises:
            DataNotGrown: it cannot be read.
        """
        with _opened(self.device, "the superblock of data cannot be read") as descriptor:
            block = os.pread(descriptor, _SUPER_BYTES, _SUPER_AT)
            if len(block) != _SUPER_BYTES:
                raise OSError(errno.EIO, "it is not there")
        low, high = (struct.unpack_from("<I", block, at)[0] for at in (0x04, 0x150))
        (shift,) = struct.unpack_from("<I", block, 0x18)
        return (int(low) | int(high) << 32) << (10 + int(shift))

    def extend(self, sectors: int) -> None:
        """Tell the kernel that it is longer.

        Raises:
            DataNotGrown: it does not take that.
        """
        part = _Partition(self.first * SECTOR, sectors * SECTOR, self.number)
        data = ctypes.cast(ctypes.pointer(part), ctypes.c_void_p)
        argument = _Argument(_RESIZE_PARTITION, 0, ctypes.sizeof(part), data)
        with _opened(self.disk, "the kernel keeps the old end of the partition data") as disk:
            fcntl.ioctl(disk, _BLKPG, argument)


def can_be_cut(mounted: Path) -> bool:
    """Whether an ext4 that power leaves in the middle of its growth can be mounted again.

    The initrd mounts it for reading first; with smaller blocks the kernel refuses that as well.
    """
    return os.statvfs(mounted).f_bsize >= _SAFE_BLOCK_BYTES


def grow_file_system(mounted: Path, size_bytes: int) -> None:
    """Let a mounted ext4 take a partition.

    Raises:
        DataNotGrown: it is damaged, read-only, or no ext4.
    """
    blocks = size_bytes // os.statvfs(mounted).f_bsize
    with _opened(mounted, "the file system of data does not grow") as folder:
        fcntl.ioctl(folder, _EXT4_RESIZE, struct.pack("=Q", blocks))


@contextmanager
def _opened(path: Path, what: str) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DataNotGrown(what, error) from error


def _number(file: Path) -> int:
    return int(file.read_bytes())
