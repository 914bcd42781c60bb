"""The data partition takes what is left of the disk, when a device is first started.

An image is made before anybody knows how large the disk will be. With ``disk.data_size = "rest"``
it has a small partition ``data`` at its end, and the device lets it grow:

    1. the backup of the table moves to the end of the disk (``boot/tables.py``, ``repair``)
    2. the last entry of all arrays reaches to the end (``grow_last``)
    3. the kernel is told
    4. the file system grows

Each step begins with what the one before has left, whenever that was, so a cut at any moment, or a
disk that was copied to a larger one, needs nothing else. Where there is nothing to do, nothing is
written. Nothing is done while a trial may still end with an older table, nor to a file system that
a cut could make inaccessible.

Tested by ``tests/unit/device/test_growth.py``; cut at each write by
``tests/crash/test_gpt_growth.py``; mounted after a cut by ``tests/crash/test_growth_cut.py``.
"""

from reconix.base.sizes import human
from reconix.boot.gpt import SECTOR
from reconix.boot.tables import grow_last, read_selection
from reconix.boot.trial import OnTrial
from reconix.device.device import Device
from reconix.device.hardware.data_partition import DataPartition, can_be_cut, grow_file_system
from reconix.device.hardware.disk import open_disk
from reconix.device.state import events
from reconix.device.state.data import data_of
from reconix.device.state.lock import exclusive_rw

DATA = "data"
_WAIT_SECONDS = 60.0


def grow(device: Device) -> str:
    """Let data take what is left of the disk.

    Returns:
        What was done.

    Raises:
        NoData: it is not mounted.
        Busy: another command goes on for too long.
        DataNotGrown: the kernel refuses.
        ReconixError: the table cannot be changed.
    """
    if not can_be_cut(data_of(device.paths)):
        return "nothing grows: data has small blocks, and a power cut could make it inaccessible"
    with open_disk(device.paths) as disk:
        tables = read_selection(disk).tables
    if tables.others[-1].name != DATA:
        return "nothing grows: data is not the last partition"
    if tables.grown() != tables or tables.sectors * SECTOR != disk.size_bytes:
        try:
            _grow_partition(device)
        except OnTrial:
            return "not while a trial is under way: data grows at the start after it"
    return _grow_file_system(device)


def _grow_partition(device: Device) -> None:
    with exclusive_rw(device.paths, wait_seconds=_WAIT_SECONDS):
        device.recall().expect_no_trial()
        with open_disk(device.paths) as disk:
            part = grow_last(disk)
        events.append(device.paths.log, "grown", text=f"data: {human(part.size_bytes)}")


def _grow_file_system(device: Device) -> str:
    with open_disk(device.paths) as disk:
        part = read_selection(disk).tables.others[-1]
        kernel = DataPartition.of(device.paths)
        if kernel is None or (kernel.disk, kernel.first) != (disk.path, part.first):
            return "the kernel has data elsewhere: its file system stays as it is"
    if kernel.sectors < part.sectors:
        kernel.extend(part.sectors)
    if kernel.file_system_bytes() < part.size_bytes:
        grow_file_system(device.paths.data, part.size_bytes)
    return f"data has {human(part.size_bytes)}"
