"""What a controller says of its flash is read, and whatever else stands there is not believed."""

import os
from pathlib import Path

import pytest

from reconix.device.hardware.flash_wear import FlashWear, Reserve, read_flash_wear
from reconix.device.paths import Paths


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """The folder of sysfs for the disk with the system partition."""
    disk = tmp_path / "devices/host0/block/mmcblk0"
    (disk / "mmcblk0p3").mkdir(parents=True)
    (disk / "mmcblk0p3/partition").write_text("3\n")
    (disk / "device").mkdir()
    number = tmp_path.stat().st_dev
    entry = tmp_path / f"dev/block/{os.major(number)}:{os.minor(number)}"
    entry.parent.mkdir(parents=True)
    entry.symlink_to(disk / "mmcblk0p3")
    return disk


def wear(disk: Path) -> FlashWear | None:
    root = disk.parents[3]
    return read_flash_wear(Paths(system=root, sysfs=root))


def test_an_emmc_tells_of_its_most_used_cells_and_of_its_reserve(disk: Path) -> None:
    (disk / "device/life_time").write_text("0x02 0x05\n")
    (disk / "device/pre_eol_info").write_text("0x02\n")
    assert wear(disk) == FlashWear(50, Reserve.WARNING)


def test_a_life_that_is_over_is_more_than_all(disk: Path) -> None:
    (disk / "device/life_time").write_text("0x0b 0x01\n")
    assert wear(disk) == FlashWear(110, None)


def test_ufs_tells_it_in_a_descriptor_of_its_controller(disk: Path) -> None:
    health = disk.parents[1] / "health_descriptor"
    health.mkdir()
    (health / "life_time_estimation_a").write_text("0x03\n")
    (health / "life_time_estimation_b").write_text("0x01\n")
    (health / "eol_info").write_text("0x01\n")
    assert wear(disk) == FlashWear(30, Reserve.NORMAL)


@pytest.mark.parametrize(
    "said", [b"", b"0x00 0x00\n", b"0x0c\n", b"0xff 0x10\n", b"12\n", b"\xff\x00", b"0x01" * 2000]
)
def test_nothing_is_made_of_what_no_controller_says(said: bytes, disk: Path) -> None:
    (disk / "device/life_time").write_bytes(said)
    (disk / "device/pre_eol_info").write_bytes(said)
    assert wear(disk) is None


def test_a_pipe_in_place_of_a_file_is_not_waited_for(disk: Path) -> None:
    os.mkfifo(disk / "device/life_time")
    assert wear(disk) is None


def test_a_disk_that_is_not_found_has_no_wear(tmp_path: Path) -> None:
    assert read_flash_wear(Paths(system=tmp_path, sysfs=tmp_path)) is None
    assert read_flash_wear(Paths(system=tmp_path / "none", sysfs=tmp_path)) is None
