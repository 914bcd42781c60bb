"""Data takes the rest of the disk once, in no trial, and only if it is the last partition."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.device_model import Machine
from tests.loop_disks import as_root, looped

from reconix.base.process import run
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR
from reconix.boot.tables import read_selection
from reconix.device.device import Device
from reconix.device.growth import grow
from reconix.device.state.data import NoData
from reconix.device.state.events import read_events
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.apply import apply
from reconix.image.ext4 import BY_SIZE, make_ext4

MIB = 1 << 20


def enlarge(machine: Machine, mib: int) -> None:
    with (machine.place / "disk").open("r+b") as file:
        file.truncate(file.seek(0, 2) + mib * MIB)


def data_mib(machine: Machine) -> int:
    with DiskFile(machine.place / "disk") as disk:
        found = read_selection(disk)
        assert found.faults == ()
        assert found.tables.sectors * SECTOR == disk.size_bytes
        return found.tables.named("data").size_bytes // MIB


def test_data_takes_the_rest_of_a_larger_disk_and_that_is_told(machine: Machine) -> None:
    machine.boot()
    before = data_mib(machine)
    enlarge(machine, 40)
    grow(machine.device)
    after = data_mib(machine)
    assert before + 40 <= after < before + 50, "what was left of the image, too"
    (event,) = [each for each in read_events(machine.paths.log) if each.name == "grown"]
    assert event.text == f"data: {after}.0 MiB"
    assert machine.boot().booted.system == "default"


def test_r4_a_second_time_nothing_is_written(machine: Machine) -> None:
    machine.boot()
    enlarge(machine, 8)
    grow(machine.device)
    disk, log = machine.place / "disk", machine.paths.log
    before = disk.stat().st_mtime_ns, log.stat().st_mtime_ns
    grow(machine.device)
    assert (disk.stat().st_mtime_ns, log.stat().st_mtime_ns) == before


def test_a_trial_may_need_the_table_as_it_is(machine: Machine) -> None:
    machine.boot()
    before = data_mib(machine)
    machine.generation("two")
    machine.install("two")
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations["two"])
    enlarge(machine, 8)
    assert "not while a trial" in grow(machine.device)
    machine.boot()
    assert "not while a trial" in grow(machine.device)
    with DiskFile(machine.place / "disk") as disk:
        assert read_selection(disk).tables.named("data").size_bytes == before * MIB


def test_a_device_without_data_grows_nothing(machine: Machine) -> None:
    machine.boot()
    unmounted = Device(replace(machine.paths, shared=True), machine.device.firmware)
    with pytest.raises(NoData):
        grow(unmounted)


@as_root
def test_a_file_system_that_a_cut_could_make_inaccessible_stays_as_it_is(
    machine: Machine, tmp_path: Path, need: Need
) -> None:
    need("losetup", "mkfs.ext4")
    machine.boot()
    enlarge(machine, 8)
    before = (machine.place / "disk").read_bytes()
    part, data = tmp_path / "part", tmp_path / "mounted"
    make_ext4(part, None, label="data", size_bytes=16 * MIB, form=BY_SIZE)
    data.mkdir()
    with looped(part) as disk:
        run("mount", disk, data)
        try:
            paths = replace(machine.paths, data=data)
            assert "small blocks" in grow(Device(paths, machine.device.firmware))
        finally:
            run("umount", data)
    assert (machine.place / "disk").read_bytes() == before
