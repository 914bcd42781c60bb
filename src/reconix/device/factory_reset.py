"""Factory reset: the data of systems is erased at the next boot.

The data of a running system cannot be taken away under its programs. So the agent only leaves an
order, one durable file, and restarts. The initrd carries it out before it binds anything:

    .reset.all, .reset.systems.<name>   an empty file: its name says what goes
    .discarded.<number>                 what the initrd has set aside

A disk that is full is a reason for a reset, so none of this takes room: an order is a name, of
another file where there is no inode left, and to set aside is to rename. Deleting may take long and
is left to a unit that runs when the system is up. A cut at any moment leaves the order there, and
it is carried out again, or leaves something to delete, which is deleted later. An order that cannot
be carried out stays, and is told as a fault (``device/state/faults.py``). The system partition is
not touched: a reset changes neither what boots nor whether it boots.

Tested by ``tests/unit/device/test_factory_reset.py``, ``tests/crash/test_fault_reset.py`` and, on a
full disk, ``tests/crash/test_reset_of_a_full_disk.py``.
"""

import errno
import os
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.files import remove_tree, sync_folder
from reconix.device.device import Device
from reconix.device.state import events
from reconix.device.state.data import data_of

ORDER, DISCARDED, ALL = ".reset", ".discarded", "all"
_MACHINE_ID = "machine-id"


class NoRoomForOrder(ReconixError):
    """There is neither an inode nor a file that could carry the name of an order."""

    exit_code = 79


def order_reset(device: Device, *, system: str | None) -> None:
    """Have the next boot erase the data of one system, or all data.

    Must be called under ``exclusive_rw``. Orders add up until the next boot.

    Raises:
        UnknownSystem: the committed generation has no such system.
        OnTrial: the next boot is a trial, or this one is.
        NoData: the partition is not mounted.
        NoRoomForOrder: nothing is ordered.
    """
    state = device.recall()
    state.expect_no_trial()
    wanted = ALL
    if system is not None:
        wanted = f"systems.{device.generation(state.committed.generation).system(system).name}"
    leave_order(data_of(device.paths), wanted)
    events.append(device.paths.log, "reset-ordered", text=wanted)


def leave_order(data: Path, what: str) -> None:
    """Leave an order on the partition, durably; a second time changes nothing.

    Raises:
        NoRoomForOrder: nothing is ordered.
    """
    order = data / f"{ORDER}.{what}"
    if not os.path.lexists(order):
        try:
            os.close(os.open(order, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            _name_known_file(data / _MACHINE_ID, order)
    sync_folder(data)


def _name_known_file(known: Path, order: Path) -> None:
    """Another name takes no inode, and nobody reads the content of an order."""
    try:
        order.hardlink_to(known)
    except OSError as error:
        raise NoRoomForOrder(
            f"no room to record the factory reset on {order.parent}",
            hint="remove a file there, then repeat this",
        ) from error


def discard(device: Device) -> int:
    """Delete what was set aside.

    It may take long, so nobody is kept from working meanwhile.

    Returns:
        How much it was: files and folders that were kept.
    """
    data = data_of(device.paths)
    found = sorted(data.glob(f"{DISCARDED}*"))
    for path in found:
        remove_tree(path)
    if found:
        sync_folder(data)
    return len(found)
