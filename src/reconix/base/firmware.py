"""Kinds of firmware: what starts a device, as configurations and ``update.json`` say it.

It decides how a disk says which slot boots (``boot/tables.py``), which files a slot holds
(``boot/loaders``) and how the next boot is asked for (``boot/oneshots``). It is always written
down, and never found out from what a running kernel shows.
"""

import enum


class FirmwareKind(enum.Enum):
    """What starts the kernel."""

    UEFI = "uefi"
    U_BOOT = "u-boot"
