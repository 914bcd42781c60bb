"""The control sector: what U-Boot is asked for at the next boot, in one sector of the disk.

U-Boot has no variables that everybody can write: ``saveenv`` is broken on some boards, and on
others it is not there. What it can do everywhere is read and write a sector, and check an
environment block. So the first sector of the partition ``control`` is one, of 512 bytes::

    4 bytes   CRC-32 of the rest, little-endian
    508       reconix_version=1 NUL reconix_slot=slot-2 NUL reconix_system=web NUL NUL, then zeros

Slot and system are asked for together, by one write: a request for half of it cannot be on the
disk. Without ``reconix_slot`` it is the selected slot that boots, without ``reconix_system`` the
default system. A sector of zeros asks for nothing, nor does one that is damaged or has another
version. The script of the selected slot (``build/data/boot.cmd``) writes zeros, reads them back
and compares before it obeys, so a request is obeyed once at most.

Source: U-Boot documentation, *env command*, ``env export -c -s 0x200``; ``docs/spec/control.md``.
Tested by ``tests/unit/boot/test_control.py``; with U-Boot's own programs by
``tests/compat/test_u_boot.py``, and on U-Boot by ``tests/vm/test_u_boot.py``.
"""

import re
import struct
import zlib

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.boot.disk import SECTOR, Disk, NotKept
from reconix.boot.gpt import Partition
from reconix.boot.tables import MAX_SLOTS, Slot, slot_name

PARTITION = "control"
"""The partition whose first sector it is."""

VERSION = b"1"
NOTHING = bytes(SECTOR)
"""A sector that asks for nothing."""

_VERSION, _SLOT, _SYSTEM = b"reconix_version", b"reconix_slot", b"reconix_system"
_SYSTEM_NAME = re.compile(rb"[a-z0-9][a-z0-9-]{0,62}")
_SLOTS = {slot_name(Slot(number)).encode(): Slot(number) for number in range(1, MAX_SLOTS + 1)}


class BadRequest(ReconixError):
    """This cannot be asked for."""

    exit_code = 39


@dataclass(frozen=True, slots=True)
class Request:
    """What the next boot shall be; at least one of both.

    Attributes:
        slot: the slot, if it is not the selected one.
        system: the system, if it is not the default one.
    """

    slot: Slot | None
    system: str | None

    def __post_init__(self) -> None:
        if self.slot is None and self.system is None:
            raise BadRequest("a request must name a slot or a system")
        if self.system is not None and not _SYSTEM_NAME.fullmatch(self.system.encode()):
            raise BadRequest(f"{self.system!r} is no name of a system")


def print_request(request: Request | None) -> bytes:
    """The control sector that asks for this; the opposite of ``parse_request``."""
    if request is None:
        return NOTHING
    words = [_VERSION + b"=" + VERSION]
    if request.slot is not None:
        words.append(_SLOT + b"=" + slot_name(request.slot).encode())
    if request.system is not None:
        words.append(_SYSTEM + b"=" + request.system.encode())
    data = b"".join(word + b"\0" for word in words).ljust(SECTOR - 4, b"\0")
    return struct.pack("<I", zlib.crc32(data)) + data


def parse_request(sector: bytes) -> Request | None:
    """What a control sector asks for; nothing, if it is not to be obeyed.

    Args:
        sector: ``SECTOR`` bytes.
    """
    checksum, data = struct.unpack_from("<I", sector)[0], sector[4:]
    if len(sector) != SECTOR or zlib.crc32(data) != checksum:
        return None
    said = dict(word.split(b"=", 1) for word in data.split(b"\0\0")[0].split(b"\0") if b"=" in word)
    if said.get(_VERSION) != VERSION:
        return None
    slot, system = _SLOTS.get(said.get(_SLOT, b"")), said.get(_SYSTEM)
    known = system is not None and _SYSTEM_NAME.fullmatch(system)
    return Request(slot, system.decode() if system and known else None) if slot or known else None


def read_request(disk: Disk, control: Partition) -> Request | None:
    """What is asked for at the next boot, read from the medium."""
    return parse_request(disk.read(control.first * SECTOR, SECTOR))


def write_request(disk: Disk, control: Partition, request: Request | None) -> None:
    """Ask for something at the next boot, durably and in one write; nothing if it is there.

    Raises:
        NotKept: the medium does not keep it.
        DiskFailed: the medium reports an error.
    """
    at, content = control.first * SECTOR, print_request(request)
    if disk.read(at, SECTOR) == content:
        return
    disk.write(at, content)
    disk.flush()
    if disk.read(at, SECTOR) != content:
        raise NotKept("the control sector", offset=at)
