"""The room of the partitions is that of their file systems."""

import os
from dataclasses import replace
from pathlib import Path

from tests.device_model import Machine

from reconix.device.paths import Paths
from reconix.device.status.room import read_room


def test_what_is_told_is_what_the_file_system_says(machine: Machine) -> None:
    room, said = read_room(machine.paths), os.statvfs(machine.paths.system)
    assert room is not None and room.data is not None
    assert room.system.size_bytes == said.f_blocks * said.f_frsize
    assert room.system.inodes == said.f_files
    assert 0 < room.system.free_bytes <= room.system.size_bytes
    assert room.system.block_bytes == said.f_bsize


def test_data_that_are_not_mounted_have_no_room(machine: Machine) -> None:
    room = read_room(replace(machine.paths, shared=True))
    assert room is not None and room.data is None


def test_a_store_that_is_gone_has_none(tmp_path: Path) -> None:
    assert read_room(Paths(system=tmp_path / "none")) is None
