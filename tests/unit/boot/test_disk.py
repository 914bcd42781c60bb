import os
from pathlib import Path

import pytest

from reconix.boot.disk import DiskFile, UnfitDisk

SECTOR = 512


@pytest.fixture(params=["a file system with direct access", "a tmpfs"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path if request.param != "a tmpfs" else Path("/dev/shm")
    path = folder / f"reconix-test-disk-{os.getpid()}"
    path.write_bytes(bytes(range(256)) * 2 * 4096)
    request.addfinalizer(path.unlink)
    return path


def test_what_is_written_is_read_and_nothing_else_changes(disk: Path) -> None:
    before = disk.read_bytes()
    with DiskFile(disk) as opened:
        assert opened.size_bytes == len(before) == 2 << 20
        opened.write(3 * SECTOR, b"\xaa" * SECTOR)
        opened.flush()
        assert opened.read(2 * SECTOR, 3 * SECTOR) == (
            before[:SECTOR] + b"\xaa" * SECTOR + before[:SECTOR]
        )
    after = disk.read_bytes()
    assert after == before[: 3 * SECTOR] + b"\xaa" * SECTOR + before[4 * SECTOR :]


def test_more_than_a_buffer_is_read_and_written(disk: Path) -> None:
    content = os.urandom((1 << 20) + 5 * SECTOR)
    with DiskFile(disk) as opened:
        opened.write(7 * SECTOR, content)
        assert opened.read(7 * SECTOR, len(content)) == content


@pytest.mark.parametrize("place", [(1, SECTOR), (0, 1), (-SECTOR, SECTOR), (4096 * SECTOR, SECTOR)])
def test_only_whole_sectors_of_the_disk_are_touched(place: tuple[int, int], disk: Path) -> None:
    with DiskFile(disk) as opened:
        with pytest.raises(UnfitDisk):
            opened.read(*place)
        with pytest.raises(UnfitDisk):
            opened.write(place[0], bytes(place[1]))
