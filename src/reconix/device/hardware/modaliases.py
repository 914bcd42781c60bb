"""What the devices of this machine call themselves, so that the modules for them can be chosen.

Each device on a bus that can be searched has a name made of what it is, in a file ``modalias``; a
module has patterns of such names. The list is what ``minify.devices_files`` takes: it names kinds
of devices, no single one, and is equal on equal boards.

Source: Linux, ``Documentation/ABI/testing/sysfs-bus-*``, file ``modalias``; modules.alias of kmod.
Tested by ``tests/unit/device/hardware/test_modaliases.py``.
"""

import os
from contextlib import suppress
from pathlib import Path

from reconix.base.files import read_bounded

_MAX_BYTES = 4096  # a page: no file of sysfs has more


def read_modaliases(sysfs: Path) -> list[str]:
    """The names of all devices that have one, sorted, each once.

    Args:
        sysfs: where the kernel shows devices.
    """
    found = set()
    for folder, _, names in os.walk(sysfs / "devices"):
        if "modalias" in names:
            with suppress(OSError):  # the device has been taken out meanwhile
                found.add(read_bounded(Path(folder) / "modalias", _MAX_BYTES).decode().strip())
    return sorted(found - {""})
