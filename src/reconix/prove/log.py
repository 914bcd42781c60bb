"""The log of a recorded disk: every write and every flush, in the order in which they came.

QEMU's ``blklogwrites`` writes the format of the kernel's dm-log-writes: a superblock, then one
header for each request, followed by what was written. All numbers are little-endian and 64 bits
wide if not said otherwise; everything begins at a multiple of the sector size.

    superblock   magic, version 1, number of entries, sector size (32 bits)
    entry        sector, number of sectors, flags, length of a name
                 then the data, unless the entry is a discard

An entry with the flag FLUSH makes durable what stands before it; one that carries data as well
is a flush and then a write. FUA makes the write itself durable.

Source: Linux, Documentation/admin-guide/device-mapper/log-writes.rst; QEMU, block/blklogwrites.c.
Byte table in ``docs/spec/crash-log.md``. Tested by ``tests/unit/prove/test_log.py``.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag

from reconix.base.errors import ReconixError

MAGIC = 0x6A736677736872
VERSION = 1

_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")
_SECTOR_SIZES = (512, 4096)

Bytes = bytes | mmap.mmap


class BadLog(ReconixError):
    """A file is no log of writes, or was cut off."""

    exit_code = 36


class Flag(IntFlag):
    """What an entry is, besides a write."""

    FLUSH = 1
    FUA = 2
    DISCARD = 4
    MARK = 8


_KNOWN = Flag.FLUSH | Flag.FUA | Flag.DISCARD | Flag.MARK


@dataclass(frozen=True, slots=True)
class Entry:
    """One request.

    Attributes:
        at: where its header stands in the log.
        offset: where on the disk it writes, in bytes.
        size_bytes: how much.
        flags: what it is.
        data_at: where in the log its data stands; nothing stands there for a discard.
    """

    at: int
    offset: int
    size_bytes: int
    flags: Flag
    data_at: int

    @property
    def flushes(self) -> bool:
        """Whether what was written before it is durable after it."""
        return Flag.FLUSH in self.flags

    @property
    def is_zeros(self) -> bool:
        """Whether it has no data of its own; what was discarded reads as zeros."""
        return Flag.DISCARD in self.flags


def entries(log: Bytes) -> Iterator[Entry]:
    """Read all entries of a log.

    Raises:
        BadLog: it is not one, or it ends within an entry.
    """
    sector = _sector_size(log)
    at, end = sector, len(log)
    while at < end:
        entry, at = _entry(log, at, sector)
        if at > end:
            raise BadLog(f"the log ends within the entry at byte {entry.at}")
        yield entry


def print_super(count: int, sector: int = 512) -> bytes:
    """The superblock of a log with this many entries."""
    return _SUPER.pack(MAGIC, VERSION, count, sector).ljust(sector, b"\0")


def _sector_size(log: Bytes) -> int:
    if len(log) < _SUPER.size:
        raise BadLog("the log has no superblock")
    magic, version, _, sector = _SUPER.unpack_from(log)
    if magic != MAGIC or version != VERSION or sector not in _SECTOR_SIZES:
        raise BadLog(f"no log of version {VERSION}: magic {magic:x}, version {version}")
    return int(sector)


def _entry(log: Bytes, at: int, sector: int) -> tuple[Entry, int]:
    if at + _ENTRY.size > len(log):
        raise BadLog(f"the log ends within the entry at byte {at}")
    first, count, raw, _ = _ENTRY.unpack_from(log, at)
    if raw & ~int(_KNOWN):
        raise BadLog(f"the entry at byte {at} has flags that are not known: {raw:x}")
    flags = Flag(raw)
    data_at, size = at + sector, count * sector
    entry = Entry(at, first * sector, size, flags, data_at)
    return entry, data_at + (0 if entry.is_zeros else size)
