"""The disk is found, and a partition is no larger than it is."""

import os
from pathlib import Path

import pytest
from tests.device_model import Machine

from reconix.boot.disk import DiskFile
from reconix.boot.tables import Slot
from reconix.device.hardware.disk import NoDisk, PartitionView, find_disk
from reconix.device.paths import Paths


def test_the_disk_is_the_one_that_holds_the_system_partition(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    partition = tmp_path / "devices/virtio0/block/vda/vda3"
    partition.mkdir(parents=True)
    (partition / "partition").write_text("3\n")
    entry = tmp_path / f"dev/block/{os.major(device)}:{os.minor(device)}"
    entry.parent.mkdir(parents=True)
    entry.symlink_to(partition)
    paths = Paths(system=tmp_path, sysfs=tmp_path, dev=Path("/dev"))
    assert find_disk(paths) == Path("/dev/vda")


def test_a_system_that_is_on_no_partition_has_no_disk(tmp_path: Path) -> None:
    with pytest.raises(NoDisk):
        find_disk(Paths(system=tmp_path, sysfs=tmp_path))


def test_nothing_beyond_a_partition_can_be_reached(machine: Machine) -> None:
    with DiskFile(machine.place / "disk") as disk:
        slot = PartitionView(disk, machine.tables.slot(Slot(1)))
        for offset in (-512, slot.size_bytes):
            with pytest.raises(ValueError, match="are not in slot-1"):
                slot.read(offset, 512)
        with pytest.raises(ValueError, match="are not in slot-1"):
            slot.write(slot.size_bytes - 512, bytes(1024))
