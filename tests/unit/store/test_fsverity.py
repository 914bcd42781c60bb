"""Where there is no fs-verity, nothing is asked for and nothing is claimed."""

import errno
import os
import struct
from pathlib import Path

import pytest

from reconix.store import fsverity
from reconix.store.images.verity import (
    BLOCK_BYTES,
    VerityHash,
    digest,
    kept_bytes,
    most_kept_bytes,
)

CONTENT = b"content" * 1000


class Kernel:
    """Answers as Linux does where files can have hashes: it has no other memory than these."""

    def __init__(self) -> None:
        self.measured = dict[int, bytes]()

    def ioctl(self, descriptor: int, request: int, argument: bytes) -> bytes:
        inode = os.fstat(descriptor).st_ino
        if request == 0x40806685:
            assert argument == struct.pack("<IIII112x", 1, 1, 4096, 0)
            if inode in self.measured:
                raise OSError(errno.EEXIST, "exists")
            self.measured[inode] = digest(os.pread(descriptor, 1 << 20, 0))
            return argument
        assert request == 0xC0046686
        if inode not in self.measured:
            raise OSError(errno.ENODATA, "no data")
        return struct.pack("<HH64s", 1, 32, self.measured[inode])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


def test_a_file_system_without_it_is_told_apart_and_its_files_stay_as_they_are(path: Path) -> None:
    """The kernel of this machine has none, or this file system has not."""
    with path.open("rb") as file:
        assert not fsverity.enable(file.fileno())
        assert fsverity.measure(file.fileno()) is None
    assert fsverity.measure_file(path) is None
    assert not fsverity.is_supported(path.parent)
    path.write_bytes(b"it can be written")


def test_a_missing_file_is_not_one_without_hashes(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fsverity.measure_file(tmp_path / "file")
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic links"):
        fsverity.measure_file(tmp_path / "link")


def test_what_the_kernel_says_is_understood(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcntl.ioctl", Kernel().ioctl)
    assert fsverity.is_supported(path.parent)
    assert fsverity.measure_file(path) is None
    with path.open("rb") as file:
        assert fsverity.enable(file.fileno())
        assert fsverity.enable(file.fileno()), "once more changes nothing"
        assert fsverity.measure(file.fileno()) == digest(CONTENT)


@pytest.mark.parametrize("number", [errno.EIO, errno.ETXTBSY, errno.ENOSPC])
def test_another_error_is_one(path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(number, "no")

    monkeypatch.setattr("fcntl.ioctl", fail)
    with path.open("rb") as file:
        with pytest.raises(OSError, match="no"):
            fsverity.enable(file.fileno())
        with pytest.raises(OSError, match="no"):
            fsverity.measure(file.fileno())
    assert not fsverity.is_supported(path.parent)


@pytest.mark.parametrize(
    "sizes", [(65,), (4096, 4097), (1, 600_000, 70_000_000), (524_289,) * 3, (100,) * 40]
)
def test_there_is_room_for_all_that_is_kept_behind_files(sizes: tuple[int, ...]) -> None:
    kept = sum(kept_bytes(size) for size in sizes)
    most = most_kept_bytes(len(sizes), sum(sizes))
    assert kept <= most <= 2 * kept + (len(sizes) + 2) * BLOCK_BYTES
    assert kept_bytes(600_000) == len(VerityHash(bytes(600_000)).tree()) + BLOCK_BYTES
