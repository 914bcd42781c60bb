"""The layout of a new disk.

The tables of ``boot/tables.py`` say what a disk must look like; this module decides it for a disk
that is about to be made: slots first, then ``control`` if U-Boot needs it, then ``system``, then
``data``, each aligned to 1 MiB and a whole number of them. All GUIDs follow from the name of the
host, so that the same generation gives the same image. Devices of one host therefore share them,
and with the image itself; which disk is the one that booted is found out by
``build/data/disk.sh`` and ``device/trial/disks.py``.

Tested by ``tests/unit/image/test_layout.py`` and ``tests/compat/test_gpt.py``.
"""

from dataclasses import dataclass

from reconix.base.errors import ReconixError
from reconix.base.firmware import FirmwareKind
from reconix.boot.control import PARTITION as CONTROL
from reconix.boot.gpt import LINUX, SECTOR, Guid, Lba, Partition
from reconix.boot.tables import (
    FIRST_USABLE,
    IDLE_SLOT,
    MAX_RESERVED,
    MAX_SLOTS,
    MIN_SLOTS,
    BootMark,
    Slot,
    SlotTables,
    last_usable,
    slot_name,
)

MIB = 1 << 20
SYSTEM, DATA = "system", "data"
_MIB_SECTORS = MIB // SECTOR


class DiskTooSmall(ReconixError):
    """The partitions of a host do not fit on its disk."""

    exit_code = 35

    def __init__(self, *, size_bytes: int, needed_bytes: int) -> None:
        super().__init__(
            f"the disk has {size_bytes // MIB} MiB, its partitions need {needed_bytes // MIB} MiB",
            hint="make the disk larger, or slots, system or data smaller, in machine.toml",
        )
        self.size_bytes, self.needed_bytes = size_bytes, needed_bytes


class BadLayout(ReconixError):
    """A disk cannot be divided like this."""

    exit_code = 35


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the partitions of a host are; each is rounded up to whole MiB.

    Args:
        slots: how many slots there are.
        slot_bytes: the size of each.
        system_bytes: the size of ``system``.
        data_bytes: the size of ``data``; ``None`` takes what is left of the disk.
        firmware: which kind; U-Boot needs a partition ``control`` besides.
        reserved_bytes: left to loaders of the board before everything else, in whole MiB.
    """

    slots: int
    slot_bytes: int
    system_bytes: int
    data_bytes: int | None = None
    firmware: FirmwareKind = FirmwareKind.UEFI
    reserved_bytes: int = 0

    @property
    def control_bytes(self) -> int:
        """The size of ``control``: nothing if there is none."""
        return MIB if self.firmware is FirmwareKind.U_BOOT else 0

    def __post_init__(self) -> None:
        if not MIN_SLOTS <= self.slots <= MAX_SLOTS:
            raise BadLayout(f"{self.slots} slots: a disk has {MIN_SLOTS} to {MAX_SLOTS}")
        if min(self.slot_bytes, self.system_bytes, self.data_bytes or MIB) <= 0:
            raise BadLayout("a partition must not be empty")
        if self.reserved_bytes % MIB or not 0 <= self.reserved_bytes <= MAX_RESERVED:
            raise BadLayout(
                f"{self.reserved_bytes} bytes cannot be reserved: whole MiB, 64 at most"
            )

    @property
    def begin_mib(self) -> int:
        """Where the first partition begins: a MiB is for tables, whatever is reserved."""
        return FIRST_USABLE // _MIB_SECTORS + self.reserved_bytes // MIB


def needed_bytes(sizes: Sizes) -> int:
    """The size of the smallest disk with these partitions, in whole MiB."""
    content = sizes.slots * _mib(sizes.slot_bytes) + _mib(sizes.system_bytes)
    content += _mib(sizes.data_bytes or MIB) + _mib(sizes.control_bytes)
    end = total = sizes.begin_mib + content
    while last_usable(total * _MIB_SECTORS, sizes.slots) + 1 < end * _MIB_SECTORS:
        total += 1
    return total * MIB


def plan(host: str, *, size_bytes: int, sizes: Sizes) -> SlotTables:
    """Divide a disk.

    Raises:
        DiskTooSmall: it has no room for all partitions.
    """
    if size_bytes < needed_bytes(sizes):
        raise DiskTooSmall(size_bytes=size_bytes, needed_bytes=needed_bytes(sizes))
    sectors = size_bytes // SECTOR
    end = last_usable(sectors, sizes.slots) + 1
    slots: list[Partition] = []
    begin = sizes.begin_mib
    for number in range(1, sizes.slots + 1):
        slots.append(_partition(host, slot_name(Slot(number)), begin, _mib(sizes.slot_bytes)))
        begin += _mib(sizes.slot_bytes)
    parts = {CONTROL: _mib(sizes.control_bytes), SYSTEM: _mib(sizes.system_bytes)}
    others: list[Partition] = []
    for name, size in parts.items():
        others += [_partition(host, name, begin, size)] if size else []
        begin += size
    left = end // _MIB_SECTORS - begin
    data = _partition(host, DATA, begin, _mib(sizes.data_bytes) if sizes.data_bytes else left)
    return SlotTables(
        sectors,
        Guid.derive(f"reconix: disk of {host}"),
        tuple(part.of_type(IDLE_SLOT) for part in slots),
        (*others, data),
        BootMark.of(sizes.firmware),
    )


def guid(name: str, *, host: str) -> Guid:
    """The GUID of a partition; it is the same on all disks of a host."""
    return Guid.derive(f"reconix: partition {name} of {host}")


def _partition(host: str, name: str, begin_mib: int, size_mib: int) -> Partition:
    first, last = begin_mib * _MIB_SECTORS, (begin_mib + size_mib) * _MIB_SECTORS - 1
    return Partition(LINUX, guid(name, host=host), Lba(first), Lba(last), name)


def _mib(size_bytes: int) -> int:
    return -(-size_bytes // MIB)
