"""Partition tables: GUID partition tables, parsed strictly and printed to the byte.

A table is a header of one sector, which names an array of entries and carries its checksum. There
are two headers: the primary in LBA 1 and a backup, normally in the last LBA; each has its array.
This module knows one header, one array and the protective MBR before them. Which arrays a disk of
ours has, and how a header selects a slot, is in ``boot/tables.py``.

What we read must be what we would have written: every checksum, size, bound and reserved byte is
looked at, because a table that is "nearly right" is one that two programs read differently.

Source: UEFI Specification 2.10, sections 5.2.3 (protective MBR) and 5.3 (GPT).
Tested by ``tests/compat/test_gpt.py`` against sgdisk and sfdisk.
"""

import itertools
import re
import struct
import zlib
from typing import NewType

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass, replace

Lba = NewType("Lba", int)

SECTOR = 512
PRIMARY_LBA = Lba(1)
ENTRY_COUNT = 128
ENTRY_BYTES = 128
ARRAY_BYTES = ENTRY_COUNT * ENTRY_BYTES
ARRAY_SECTORS = ARRAY_BYTES // SECTOR
MAX_NAME_UNITS = 36

_SIGNATURE = b"EFI PART"
_REVISION = 0x0001_0000
_HEADER = struct.Struct("<8sIIII QQQQ 16s Q III")
_HEADER_BYTES = 92
_CRC_AT = slice(16, 20)
_ENTRY = struct.Struct("<16s16sQQQ72s")
_MBR_ENTRY = struct.Struct("<B3sB3sII")
_MBR_ENTRIES_AT = 446
_GUID = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")


class BadPartitionTable(ReconixError):
    """A partition table is not one that we would have written; a firmware may still use it."""

    exit_code = 30


class DamagedPartitionTable(BadPartitionTable):
    """One copy of a partition table is damaged, so that a firmware does not use it either."""


@dataclass(frozen=True, slots=True, order=True)
class Guid:
    """A GUID as it stands on a disk: 16 bytes, the first three numbers little-endian."""

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != 16:
            raise BadPartitionTable(f"a GUID has 16 bytes, not {len(self.value)}")

    @classmethod
    def parse(cls, text: str) -> "Guid":
        """Read ``C12A7328-F81F-11D2-BA4B-00A0C93EC93B``, in either case.

        Raises:
            BadPartitionTable: it is no GUID.
        """
        if not _GUID.fullmatch(text.upper()):
            raise BadPartitionTable(f"{text!r} is no GUID")
        raw = bytes.fromhex(text.replace("-", ""))
        return cls(raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:])

    @classmethod
    def derive(cls, seed: str) -> "Guid":
        """The GUID that belongs to a text: same text, same GUID.

        Source: RFC 9562, section 5.8 (version 8: custom), over SHA-256.
        """
        import hashlib  # late: it loads OpenSSL, and the start of a device hashes nothing

        raw = bytearray(hashlib.sha256(seed.encode()).digest()[:16])
        raw[7] = raw[7] & 0x0F | 0x80
        raw[8] = raw[8] & 0x3F | 0x80
        return cls(bytes(raw))

    def __str__(self) -> str:
        raw = self.value
        digits = (raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]).hex().upper()
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


_NOBODY = Guid(bytes(16))
EFI_SYSTEM = Guid.parse("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
BASIC_DATA = Guid.parse("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7")
LEGACY_BOOTABLE = 1 << 2
"""An attribute: U-Boot looks for its script on partitions that have it.

Source: UEFI Specification 2.10, section 5.3.3, table *Defined GPT Partition Entry - Attributes*."""
LINUX = Guid.parse("0FC63DAF-8483-4772-8E79-3D69D8477DE4")


@dataclass(frozen=True, slots=True)
class Partition:
    """One entry of an array; its last sector belongs to it."""

    type: Guid
    guid: Guid
    first: Lba
    last: Lba
    name: str
    attributes: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.last < 1 << 63:
            raise BadPartitionTable(f"{self.name!r} goes from LBA {self.first} to {self.last}")
        if _NOBODY in (self.type, self.guid):
            raise BadPartitionTable(f"{self.name!r} has a GUID of zeros")
        units = len(self.name.encode("utf-16-le")) // 2
        if not 0 < units <= MAX_NAME_UNITS or "\0" in self.name:
            raise BadPartitionTable(f"{self.name!r} is no name of 1 to {MAX_NAME_UNITS} characters")

    @property
    def sectors(self) -> int:
        """How many sectors it has."""
        return self.last - self.first + 1

    @property
    def size_bytes(self) -> int:
        """How large it is."""
        return self.sectors * SECTOR

    def of_type(self, type_guid: Guid) -> "Partition":
        """The same partition with another type."""
        return replace(self, type=type_guid)


@dataclass(frozen=True, slots=True)
class Header:
    """One header: where it is, where its twin is, and which array it selects."""

    at: Lba
    twin: Lba
    first_usable: Lba
    last_usable: Lba
    disk: Guid
    array: Lba
    array_crc: int


def print_header(header: Header) -> bytes:
    """The sector of a header; the opposite of ``parse_header``."""
    raw = bytearray(
        _HEADER.pack(
            _SIGNATURE,
            _REVISION,
            _HEADER_BYTES,
            0,
            0,
            header.at,
            header.twin,
            header.first_usable,
            header.last_usable,
            header.disk.value,
            header.array,
            ENTRY_COUNT,
            ENTRY_BYTES,
            header.array_crc,
        )
    )
    raw[_CRC_AT] = struct.pack("<I", zlib.crc32(raw))
    return bytes(raw).ljust(SECTOR, b"\0")


def parse_header(block: bytes, *, at: Lba) -> Header:
    """Read the header of a partition table from its sector.

    What follows the 92 bytes of the header is not looked at: no firmware does, so whatever a torn
    write left there must not change what we think that it boots.

    Args:
        block: ``SECTOR`` bytes.
        at: where they were read; a header knows its own place.

    Raises:
        DamagedPartitionTable: it is damaged. Try its twin before you give up.
        BadPartitionTable: a firmware accepts it, but it is not one of ours.

    Source: UEFI Specification 2.10, section 5.3.2, table *GPT Header*.
    """
    where = f"the header in LBA {at}"
    if len(block) != SECTOR or not block.startswith(_SIGNATURE):
        raise DamagedPartitionTable(f"{where} has no signature of a partition table")
    fields = _HEADER.unpack_from(block)
    _, _, size, crc, _, own, twin, first, last, disk, array, _, _, array_crc = fields
    zeroed = bytearray(block[:size])
    zeroed[_CRC_AT] = bytes(4)
    if not _HEADER_BYTES <= size <= SECTOR or crc != zlib.crc32(zeroed):
        raise DamagedPartitionTable(f"{where} has a wrong checksum")
    if own != at:
        raise DamagedPartitionTable(f"{where} says that it stands in LBA {own}")
    header = Header(Lba(own), Lba(twin), Lba(first), Lba(last), Guid(disk), Lba(array), array_crc)
    if print_header(header)[:_HEADER_BYTES] != block[:_HEADER_BYTES]:
        raise BadPartitionTable(f"{where} has a size, a revision or a reserve that is not ours")
    if not first <= last < 1 << 63:
        raise BadPartitionTable(f"{where} has no usable sectors")
    return header


def print_array(partitions: tuple[Partition, ...]) -> bytes:
    """The entry array of some partitions, numbered from 1; the opposite of ``parse_array``."""
    if len(partitions) > ENTRY_COUNT:
        raise BadPartitionTable(f"{len(partitions)} partitions, at most {ENTRY_COUNT} are possible")
    entries = b"".join(
        _ENTRY.pack(
            part.type.value,
            part.guid.value,
            part.first,
            part.last,
            part.attributes,
            part.name.encode("utf-16-le"),
        )
        for part in partitions
    )
    return entries.ljust(ARRAY_BYTES, b"\0")


def parse_array(content: bytes) -> tuple[Partition, ...]:
    """Read an entry array.

    Raises:
        BadPartitionTable: it has gaps, or entries that we would not have written.

    Source: UEFI Specification 2.10, section 5.3.3, table *GPT Partition Entry*.
    """
    if len(content) != ARRAY_BYTES:
        raise BadPartitionTable(f"an entry array has {ARRAY_BYTES} bytes, not {len(content)}")
    entries = [content[at : at + ENTRY_BYTES] for at in range(0, ARRAY_BYTES, ENTRY_BYTES)]
    used = [entry for entry in entries if any(entry)]
    partitions = tuple(_parse_entry(entry) for entry in used)
    if print_array(partitions) != content:
        raise BadPartitionTable("an entry array has gaps or bytes that are not ours")
    return partitions


def _parse_entry(entry: bytes) -> Partition:
    type_guid, guid, first, last, attributes, raw = _ENTRY.unpack(entry)
    try:
        name = raw.decode("utf-16-le").rstrip("\0")
    except UnicodeDecodeError as error:
        raise BadPartitionTable(f"the name of a partition is no text: {raw.hex()}") from error
    return Partition(Guid(type_guid), Guid(guid), Lba(first), Lba(last), name, attributes)


def check_partitions(partitions: tuple[Partition, ...], *, first: Lba, last: Lba) -> None:
    """Check that partitions lie between two sectors and have nothing in common.

    Raises:
        BadPartitionTable: they do not.
    """
    ordered = sorted(partitions, key=lambda part: part.first)
    for part in ordered:
        if part.first < first or part.last > last:
            raise BadPartitionTable(
                f"partition {part.name!r} (LBA {part.first} to {part.last}) lies outside of the "
                f"usable sectors {first} to {last}",
                hint="has the disk become smaller?",
            )
    for one, other in itertools.pairwise(ordered):
        if one.last >= other.first:
            raise BadPartitionTable(f"partitions {one.name!r} and {other.name!r} overlap")
    if len({part.guid for part in partitions}) != len(partitions):
        raise BadPartitionTable("two partitions have the same GUID")


def print_protective_mbr(sectors: int) -> bytes:
    """LBA 0: one partition of type EE over the whole disk, for programs that know only the MBR.

    Source: UEFI Specification 2.10, section 5.2.3.
    """
    size = min(sectors - 1, 0xFFFF_FFFF)
    entry = _MBR_ENTRY.pack(0, b"\x00\x02\x00", 0xEE, b"\xff\xff\xff", PRIMARY_LBA, size)
    return (bytes(_MBR_ENTRIES_AT) + entry).ljust(510, b"\0") + b"\x55\xaa"
