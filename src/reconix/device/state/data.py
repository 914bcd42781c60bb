"""The data partition: a device starts without it, so whoever needs it asks whether it is there.

Tested by ``tests/unit/device/test_factory_reset.py`` and
``tests/unit/device/state/test_secrets.py``.
"""

from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.device.paths import Paths


class NoData(ReconixError):
    """The data partition is not there."""

    exit_code = 79


def data_of(paths: Paths) -> Path:
    """The root of the data partition.

    Raises:
        NoData: it is not mounted; what is written there would be gone at the next start.
    """
    if paths.shared and not paths.data.is_mount():
        raise NoData("the data partition is not mounted", hint="the kernel's log says why: dmesg")
    return paths.data
