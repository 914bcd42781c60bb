"""What U-Boot boots from a disk, with our script: a reader that knows nothing of ours.

As ``prove/uefi.py`` it is written from what the foreign program does, and shares no code with what
wrote the disk. A partition is looked at for a script if it is an EFI system partition or has the
attribute "legacy BIOS bootable"; the first of them boots. The script imports an environment block,
which must have its checksum; what is asked for then is named by two of its variables.

Source: U-Boot, ``disk/part_efi.c`` (``part_get_info_efi``, *bootable*), ``env/common.c``
(``env_import``: CRC-32 over all but the first four bytes); ``docs/spec/control.md``.
Tested by ``tests/unit/prove/test_u_boot.py``.
"""

import struct
import zlib
from dataclasses import dataclass

from reconix.prove.uefi import SECTOR, Found, Read, is_efi_system

CONTROL = "control"
_BOOTABLE = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the script would obey: the name of a partition, and a system; either may be empty."""

    slot: str
    system: str


def is_bootable(entry: bytes) -> bool:
    """Whether U-Boot looks for a script on the partition of an entry."""
    (attributes,) = struct.unpack_from("<Q", entry, 48)
    return is_efi_system(entry) or bool(attributes & _BOOTABLE)


def control_of(table: tuple[Found, ...]) -> Found | None:
    """The partition with the control sector; none: the disk is not for U-Boot."""
    return next((each for each in table if each.name == CONTROL), None)


def wanted(read: Read, control: Found) -> Wanted | None:
    """What the script would obey now, if anything."""
    block = read(control.offset, SECTOR)
    (checksum,) = struct.unpack_from("<I", block)
    if zlib.crc32(block[4:]) != checksum:
        return None
    words = block[4 : block.index(b"\0\0", 4)].decode("ascii", "replace").split("\0")
    said = dict(word.partition("=")[::2] for word in words)
    if said.get("reconix_version") != "1":
        return None
    return Wanted(said.get("reconix_slot", ""), said.get("reconix_system", ""))
