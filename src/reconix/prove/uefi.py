"""What a UEFI firmware boots from a disk: a reader that knows nothing of ours.

The verdict about a crash state must not rest on the code that wrote the tables. So this is written
from the specification alone: the primary header if signature, place, size and both checksums are
right, else the one in the last sector; then the first EFI system partition of its array.

Source: UEFI Specification 2.10, section 5.3.2.
Tested by ``tests/unit/prove/test_uefi.py``, and on OVMF by ``tests/vm/test_prover_boots.py``.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

Read = Callable[[int, int], bytes]
"""Gives the bytes at an offset of a disk."""

SECTOR = 512
_ESP = bytes.fromhex("28732ac11ff8d211ba4b00a0c93ec93b")
_MAX_ARRAY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """A partition: its name, its identifier as on the disk, and where it lies, in bytes."""

    name: str
    guid: bytes
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Tables:
    """Both copies of a table: the partitions, the one that boots first; none if it is not valid."""

    primary: tuple[Found, ...] | None
    backup: tuple[Found, ...] | None

    @property
    def used(self) -> tuple[Found, ...] | None:
        """The copy that a firmware uses."""
        return self.primary or self.backup


def is_efi_system(entry: bytes) -> bool:
    """Whether a UEFI firmware would boot the partition of an entry."""
    return entry[:16] == _ESP


def tables(read: Read, disk_bytes: int, boots: Callable[[bytes], bool] = is_efi_system) -> Tables:
    """Read both copies from a disk.

    Args:
        read: gives its bytes.
        disk_bytes: how large it is.
        boots: whether the firmware would boot the partition of an entry, 128 bytes.
    """
    return Tables(
        _partitions(_valid_array(read, 1, disk_bytes), boots),
        _partitions(_valid_array(read, disk_bytes // SECTOR - 1, disk_bytes), boots),
    )


def _partitions(
    array: list[bytes] | None, boots: Callable[[bytes], bool]
) -> tuple[Found, ...] | None:
    if array is None:
        return None
    ordered = sorted(array, key=lambda each: not boots(each))  # stable: the first that can boot
    return tuple(map(_partition, ordered))


def _valid_array(read: Read, lba: int, disk_bytes: int) -> list[bytes] | None:
    block = read(lba * SECTOR, SECTOR)
    signature, _, size, crc, _, own = struct.unpack_from("<8sIIIIQ", block)
    at, count, entry, array_crc = struct.unpack_from("<QIII", block, 72)
    if signature != b"EFI PART" or not 92 <= size <= SECTOR or own != lba:
        return None
    if crc != zlib.crc32(block[:16] + bytes(4) + block[20:size]):
        return None
    array_bytes = -(-count * entry // SECTOR) * SECTOR
    if entry < 128 or not 0 < array_bytes <= min(_MAX_ARRAY_BYTES, disk_bytes - at * SECTOR):
        return None
    array = read(at * SECTOR, array_bytes)[: count * entry]
    if zlib.crc32(array) != array_crc:
        return None
    pieces = (array[begin : begin + entry] for begin in range(0, count * entry, entry))
    return [piece for piece in pieces if any(piece[:16])]


def _partition(entry: bytes) -> Found:
    first, last = struct.unpack_from("<QQ", entry, 32)
    name = entry[56:128].decode("utf-16-le", "replace").partition("\0")[0]
    return Found(name, entry[16:32], first * SECTOR, (last - first + 1) * SECTOR)
