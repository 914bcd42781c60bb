"""Disks: reading and writing sectors so that nothing more than these is written.

A buffered write of one sector makes the kernel write a whole page, that is, the sectors beside it
too; a cut then may leave any mixture of them. So writes go around the page cache (``O_DIRECT``,
from an aligned buffer), and so do reads: what is compared after a write comes from the medium.

A file on a file system that cannot do that, say a disk image on a tmpfs, is written through the
cache; it is never the medium of a device that boots from it. A block device that cannot is refused.

Tested by ``tests/unit/boot/test_disk.py`` and, with recorded writes, ``tests/crash/test_gpt_*.py``.
"""

import contextlib
import errno
import fcntl
import mmap
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from reconix.base.errors import ReconixError

SECTOR = 512
_BUFFER_BYTES = 1 << 20
_BLKSSZGET = 0x1268


class UnfitDisk(ReconixError):
    """This file or device cannot be written sector by sector."""

    exit_code = 33


class DiskFailed(ReconixError):
    """The kernel reports that sectors could not be read or written."""

    exit_code = 33

    def __init__(self, path: Path, *, what: str, why: str) -> None:
        super().__init__(
            f"{path}: {what} failed: {why}",
            hint="the medium is failing or was removed; the running system is not affected",
        )


class NotKept(ReconixError):
    """What was read back is not what was written."""

    exit_code = 33

    def __init__(self, path: Path | str, *, offset: int) -> None:
        super().__init__(
            f"{path} did not keep what was written at byte {offset}",
            hint="the medium is failing; the running system is not affected",
        )


class Disk(Protocol):
    """A sequence of sectors; offsets and sizes are multiples of ``SECTOR``."""

    @property
    def size_bytes(self) -> int:
        """How large it is."""

    def read(self, offset: int, size: int) -> bytes:
        """Read from the medium; the end of the disk is an error."""

    def write(self, offset: int, content: bytes) -> None:
        """Write exactly these sectors; durable only after ``flush``."""

    def flush(self) -> None:
        """Return when everything written is durable."""


class DiskFile:
    """A block device or an image file, opened for writing; a context manager.

    Raises:
        UnfitDisk: its sectors are not 512 bytes long, or something uses it.
        DiskFailed: from all that reads or writes.
    """

    def __init__(self, path: Path, *, exclusive: bool = False) -> None:
        self.path = path
        self._descriptor = _open(path, os.O_EXCL if exclusive and path.is_block_device() else 0)
        self._is_device = stat.S_ISBLK(os.fstat(self._descriptor).st_mode)
        self.size_bytes = os.lseek(self._descriptor, 0, os.SEEK_END)
        self._direct = self._open_direct()
        self._buffer = mmap.mmap(-1, _BUFFER_BYTES)  # a page of its own, hence aligned
        if self._is_device:
            self._check_sectors()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self._descriptor)
        if self._direct is not None:
            os.close(self._direct)
        self._buffer.close()

    def read(self, offset: int, size: int) -> bytes:
        """Read from the medium, not from the cache where that can be had."""
        self._check_bounds(offset, size)
        parts = [
            self._read(at, min(_BUFFER_BYTES, offset + size - at))
            for at in range(offset, offset + size, _BUFFER_BYTES)
        ]
        return b"".join(parts)

    def write(self, offset: int, content: bytes) -> None:
        """Write exactly these sectors; durable only after ``flush``."""
        self._check_bounds(offset, len(content))
        for at in range(0, len(content), _BUFFER_BYTES):
            self._write(offset + at, content[at : at + _BUFFER_BYTES])

    def flush(self) -> None:
        """Return when everything written is durable."""
        with self._translated("flushing"):
            os.fsync(self._descriptor)

    def _read(self, offset: int, size: int) -> bytes:
        with self._translated(f"reading {size} bytes at {offset}"):
            if self._direct is None:
                os.posix_fadvise(self._descriptor, offset, size, os.POSIX_FADV_DONTNEED)
                content = os.pread(self._descriptor, size, offset)
            else:
                with memoryview(self._buffer)[:size] as part:
                    content = bytes(part[: os.preadv(self._direct, [part], offset)])
            if len(content) != size:
                raise OSError(errno.EIO, f"only {len(content)} came")
        return content

    def _write(self, offset: int, content: bytes) -> None:
        with self._translated(f"writing {len(content)} bytes at {offset}"):
            if self._direct is None:
                written = os.pwrite(self._descriptor, content, offset)
            else:
                with memoryview(self._buffer)[: len(content)] as part:
                    part[:] = content
                    written = os.pwritev(self._direct, [part], offset)
            if written != len(content):
                raise OSError(errno.EIO, f"only {written} were taken")

    @contextlib.contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = error.strerror or str(error)
            raise DiskFailed(self.path, what=what, why=why) from error

    def _open_direct(self) -> int | None:
        """A descriptor that goes around the page cache, if the file system can do sectors."""
        try:
            descriptor = _open(self.path, os.O_DIRECT)
        except OSError as error:
            if error.errno != errno.EINVAL or self._is_device:
                raise
            return None
        if self._is_device or self.size_bytes < SECTOR or _reads_a_sector(descriptor):
            return descriptor
        os.close(descriptor)
        return None

    def _check_sectors(self) -> None:
        raw = fcntl.ioctl(self._descriptor, _BLKSSZGET, bytes(4))
        (size,) = struct.unpack("=I", raw)
        if size != SECTOR:
            self.close()
            raise UnfitDisk(f"{self.path} has sectors of {size} bytes, we need {SECTOR}")

    def _check_bounds(self, offset: int, size: int) -> None:
        if offset % SECTOR or size % SECTOR or not 0 <= offset <= self.size_bytes - size:
            raise UnfitDisk(
                f"{self.path}: {size} bytes at {offset} are no sectors of its {self.size_bytes}"
            )


def _open(path: Path, flags: int) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC | flags)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        raise UnfitDisk(f"{path} is in use", hint=f"unmount {path} and try again") from error


def _reads_a_sector(descriptor: int) -> bool:
    """Whether direct reads may be as short as a sector; some file systems want 4 KiB."""
    with mmap.mmap(-1, mmap.PAGESIZE) as buffer, memoryview(buffer)[:SECTOR] as part:
        try:
            return os.preadv(descriptor, [part], SECTOR) >= 0
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return False
