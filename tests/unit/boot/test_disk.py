import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconix.base.process import CommandFailed, run
from reconix.boot.disk import DiskFailed, DiskFile, UnfitDisk

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


def test_r2_an_error_of_the_kernel_names_the_place(disk: Path) -> None:
    with DiskFile(disk) as opened:
        disk.write_bytes(b"")
        with pytest.raises(DiskFailed, match="reading 512 bytes at 1024 failed") as caught:
            opened.read(1024, SECTOR)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.EIO


@pytest.fixture
def device(tmp_path: Path, need: Callable[..., None]) -> Iterator[Path]:
    """A real block device."""
    need("losetup")
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    try:
        name = run("losetup", "--find", "--show", image).decode().strip()
    except CommandFailed as error:
        pytest.skip(f"no loop devices here: {error}")
    yield Path(name)
    run("losetup", "--detach", name)


def sectors_written(device: Path) -> int:
    """Field 7 of the kernel's statistics of a block device."""
    return int(Path("/sys/class/block", device.name, "stat").read_text().split()[6])


def test_p3_one_sector_is_written_as_one_sector(device: Path) -> None:
    with DiskFile(device) as opened:
        before = sectors_written(device)
        opened.write(SECTOR, b"\xaa" * SECTOR)
        opened.flush()
        assert sectors_written(device) - before == 1
        assert opened.read(SECTOR, SECTOR) == b"\xaa" * SECTOR


def test_a_device_in_use_is_refused(device: Path) -> None:
    with DiskFile(device, exclusive=True), pytest.raises(UnfitDisk, match="is in use"):
        DiskFile(device, exclusive=True)
