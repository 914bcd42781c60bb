"""The firmware of this device, as the system that runs says it in ``update.json``.

It is never found out from what the kernel shows: a U-Boot may offer a part of UEFI, and a device
without ``/sys/firmware`` may have either. A system that says nothing has UEFI.

Tested by ``tests/unit/device/test_firmware.py``.
"""

import os
from functools import partial

from reconix.base import progress
from reconix.base.architecture import Architecture
from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded
from reconix.base.firmware import FirmwareKind
from reconix.boot.loaders.systemd_boot import Program
from reconix.boot.oneshots.oneshot import Firmware
from reconix.boot.oneshots.u_boot import UBoot
from reconix.boot.oneshots.uefi import Uefi
from reconix.boot.oneshots.variables import Variables
from reconix.device.hardware.disk import open_disk
from reconix.device.paths import Paths
from reconix.device.settings.policy import MAX_BYTES, NAME, parse_policy

_PROGRAMS = {each.machine: Program[each.name] for each in Architecture}


def firmware_of(paths: Paths) -> Firmware:
    """What this device can be told about its next boot."""
    match kind_of(paths):
        case FirmwareKind.U_BOOT:
            return UBoot(partial(open_disk, paths), paths.proc / "cmdline")
        case FirmwareKind.UEFI:
            program = _PROGRAMS.get(os.uname().machine, Program.AMD64)
            return Uefi(Variables(paths.efivars), program.value)


def kind_of(paths: Paths) -> FirmwareKind:
    """The kind that the system says which runs."""
    path = paths.running / NAME
    try:
        return parse_policy(read_bounded(path, MAX_BYTES), source=str(path)).firmware
    except FileNotFoundError:
        return FirmwareKind.UEFI
    except (OSError, ReconixError) as error:
        progress.note(f"taken for UEFI, because it cannot be read: {error}")
        return FirmwareKind.UEFI
