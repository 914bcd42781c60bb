"""How worn out the flash of the disk is, where its controller says so.

eMMC and UFS estimate how much of their life is used, in tenths, and how much of their reserve. The
kernel shows both in sysfs; other disks say it only to who asks them for their own pages, which the
agent does not. Estimates of a controller are no promise: 100 % used means that from now on the
maker promises nothing.

=========================================  =================================================
eMMC, in ``device`` of the disk            ``life_time``: ``0x01 0x02``, for two kinds of cells;
                                           ``pre_eol_info``: ``0x01``
UFS, in ``health_descriptor`` above it     ``life_time_estimation_a``, ``_b``; ``eol_info``
=========================================  =================================================

Source: JESD84-B51, *DEVICE_LIFE_TIME_EST_TYP_A*, *PRE_EOL_INFO*; JESD220, *Device Health
Descriptor*; Linux, drivers/mmc/core/mmc.c and Documentation/ABI/testing/sysfs-driver-ufs.
Tested by ``tests/unit/device/hardware/test_flash_wear.py``.
"""

import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.files import BadFile, read_bounded
from reconix.base.records import dataclass
from reconix.device.hardware.disk import disk_entry
from reconix.device.paths import Paths

_MAX_BYTES = 4096
_NUMBER = re.compile(rb"0x([0-9a-fA-F]{1,2})")
_MOST = 0x0B
"""More than what was promised is used."""
_MAX_DEPTH = 16


class Reserve(Enum):
    """What is left of the blocks that take the place of worn-out ones."""

    NORMAL = "normal"
    WARNING = "warning"  # 80 % of it is used
    URGENT = "urgent"  # 90 %


_RESERVES = {1: Reserve.NORMAL, 2: Reserve.WARNING, 3: Reserve.URGENT}


@dataclass(frozen=True, slots=True)
class FlashWear:
    """What the controller of a disk says.

    Attributes:
        used_percent: how much of its life is used at most, that of its most used cells; 110 if it
            is more than all; ``None`` if it does not say.
        reserve: what is left of its reserve; ``None`` likewise.
    """

    used_percent: int | None
    reserve: Reserve | None


def read_flash_wear(paths: Paths) -> FlashWear | None:
    """What the controller says of the disk with the system partition; ``None`` if nothing."""
    try:
        disk = disk_entry(paths)
    except (ReconixError, OSError):
        return None
    lives = [number for path in _life_times(disk) for number in _numbers(path)]
    reserves = [number for path in _reserves(disk) for number in _numbers(path)]
    used = max((number for number in lives if 1 <= number <= _MOST), default=None)
    reserve = _RESERVES.get(max(reserves, default=0))
    if used is None and reserve is None:
        return None
    return FlashWear(None if used is None else 10 * used, reserve)


def _life_times(disk: Path) -> Iterator[Path]:
    yield disk / "device/life_time"
    for health in _health_descriptors(disk):
        yield from (health / f"life_time_estimation_{kind}" for kind in "ab")


def _reserves(disk: Path) -> Iterator[Path]:
    yield disk / "device/pre_eol_info"
    yield from (health / "eol_info" for health in _health_descriptors(disk))


def _health_descriptors(disk: Path) -> Iterator[Path]:
    """Of the controllers above a disk."""
    return (above / "health_descriptor" for above in list(disk.parents)[:_MAX_DEPTH])


def _numbers(path: Path) -> list[int]:
    """The numbers in a file of sysfs; none if it cannot be read, or has something else."""
    try:
        words = read_bounded(path, _MAX_BYTES).split()
    except (BadFile, OSError):
        return []
    found = [_NUMBER.fullmatch(word) for word in words]
    return [int(each[1], 16) for each in found if each]
