"""New contents on their way into the pool.

A content gets its name in the pool only when it is whole and durable and the disk gives back what
was written. To make each file durable by itself takes a disk long, so they wait for each other::

    made in memory (up to 1 MiB) or in a file
      -> 64 bytes or less: it stands in the image
      -> in the pool already: nothing is written
      -> staging/<n>, until the batch is full (64 files or 32 MiB)
           -> hashed by the kernel -> durable -> dropped from the page cache
           -> read back, compared -> pool/ab/cdef…

The kernel hashes where the file system can have that (``store/fsverity.py``), before there is a
name: so whatever has one is compared whenever it is read, also after a cut.

The names are durable with the next batch, the last ones before any image is made. So what a cut
leaves in the pool is whole, and the same stream finds it there.

Tested by ``tests/unit/transfer/receiving/test_contents.py`` and
``tests/crash/test_receive_cut.py``.
"""

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from reconix.base.errors import ReconixError
from reconix.base.files import remove_tree, sync_file_system, sync_folder
from reconix.base.records import dataclass, field
from reconix.store import fsverity
from reconix.store.images.nodes import MAX_INLINE_BYTES, ImageFile
from reconix.store.images.verity import VerityHash
from reconix.store.pool import FILE_MODE, FOLDER_MODE, Pool

HELD_BYTES = 1 << 20
"""A content up to this size is held in memory until it is complete."""
BATCH_FILES = 64
BATCH_BYTES = 32 << 20
_COPY_BYTES = 1 << 16
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


class WrittenDifferently(ReconixError):
    """The disk gives back other bytes than were written."""

    exit_code = 58

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the disk gives back other bytes than were written for {what}",
            hint="nothing was installed; check the device's disk",
        )


class _Waiting(NamedTuple):
    """A content that has no name in the pool yet."""

    size_bytes: int
    path: Path
    descriptor: int


@dataclass(slots=True)
class Contents:
    """What a stream adds to a pool.

    Args:
        pool: gets it.
        staging_dir: on the same file system; what has no name yet is there.
        damaged: contents that are there and not what their names say; they are made again.
    """

    pool: Pool
    staging_dir: Path
    damaged: Collection[bytes] = ()
    added: list[bytes] = field(default_factory=list)
    _folders: list[Path] = field(default_factory=list)  # that were made
    _waiting: dict[bytes, _Waiting] = field(default_factory=dict)
    _waiting_bytes: int = 0
    _number: int = 0
    _has_named: bool = False

    def begin(self, size_bytes: int) -> "NewContent":
        """Begin a content of that size."""
        return NewContent(self, size_bytes)

    def has(self, digest: bytes, size_bytes: int) -> bool:
        """Whether a content is there, with a name or on its way to it."""
        is_there = digest not in self.damaged and self.pool.has(digest, size_bytes)
        return is_there or digest in self._waiting

    def open(self, file: ImageFile) -> int:
        """Open the content of a file to read it.

        Raises:
            FileNotFoundError: it is not there.
        """
        if file.is_inline:
            return _in_memory(file.content)
        waiting = self._waiting.get(file.content)
        path = self.pool.path(file.content) if waiting is None else waiting.path
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)

    def create(self) -> tuple[Path, int]:
        """A new file in staging."""
        self.staging_dir.mkdir(parents=True, exist_ok=True)
        self._number += 1
        path = self.staging_dir / f"{self._number}"
        return path, os.open(path, _NEW_FILE, FILE_MODE)

    def add(self, digest: bytes, size_bytes: int, path: Path, descriptor: int) -> None:
        """Take over a file with a content that is complete, and is not to be written any more."""
        os.close(descriptor)
        reading = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        self._waiting[digest] = _Waiting(size_bytes, path, reading)
        self._waiting_bytes += size_bytes
        if len(self._waiting) >= BATCH_FILES or self._waiting_bytes >= BATCH_BYTES:
            self.flush()

    def finish(self) -> None:
        """Give all contents their names, durably."""
        self.flush()
        if self._has_named:
            with _opened(self.pool.folder) as folder:
                sync_file_system(folder)

    def flush(self) -> None:
        """Make durable what waits, and give it its names.

        Raises:
            WrittenDifferently: the disk did not keep it.
        """
        if not self._waiting:
            return
        for waiting in self._waiting.values():
            fsverity.enable(waiting.descriptor)
        sync_file_system(next(iter(self._waiting.values())).descriptor)
        for digest, waiting in self._waiting.items():
            _expect_kept(digest, waiting)
        for digest, waiting in self._waiting.items():
            self._name(digest, waiting)
        self.close()

    def close(self) -> None:
        """Let go of what has no name yet; needed in any case."""
        for waiting in self._waiting.values():
            os.close(waiting.descriptor)
        self._waiting.clear()
        self._waiting_bytes = 0

    def take_back(self) -> None:
        """Remove again what was added; what stays now goes when the device collects."""
        for digest in self.added:
            self.pool.place(digest).unlink(missing_ok=True)
        for folder in reversed(self._folders):
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()
        if self.added and self.pool.folder.is_dir():
            sync_folder(self.pool.folder)
        self.added.clear()

    def _name(self, digest: bytes, waiting: _Waiting) -> None:
        path = self.pool.place(digest)
        for folder in (self.pool.folder, path.parent):
            if not folder.is_dir():
                folder.mkdir(FOLDER_MODE)
                self._folders.append(folder)
        if not os.path.lexists(path):  # what is there has another size: it lacked before, too
            self.added.append(digest)
        elif path.is_dir():
            remove_tree(path)
        waiting.path.rename(path)
        self._has_named = True


@dataclass(slots=True)
class NewContent:
    """A content that is made."""

    contents: Contents
    size_bytes: int
    _held: bytearray = field(default_factory=bytearray)  # what was not written yet
    _hash: VerityHash = field(default_factory=VerityHash)
    _path: Path | None = None
    _descriptor: int = -1

    def write(self, data: bytes | bytearray) -> None:
        """Take the next bytes."""
        self._held += data
        if self.size_bytes > HELD_BYTES and len(self._held) >= _COPY_BYTES:
            self._put()

    def finish(self) -> bytes:
        """The digest of it, by which it can be found from now on; if it is small, itself."""
        if self.size_bytes <= MAX_INLINE_BYTES:
            return bytes(self._held)
        digest = self._digest()
        if self.contents.has(digest, self.size_bytes):
            self.discard()
        else:
            self._hand_over(digest)
        return digest

    def finish_as(self, digest: bytes) -> bool:
        """Take it into the pool if it has this digest; whether it has."""
        if self._digest() != digest:
            return False
        self._hand_over(digest)
        return True

    def _digest(self) -> bytes:
        if self._path is None:
            self._hash.update(bytes(self._held))
        else:
            self._put()
        return self._hash.digest()

    def _hand_over(self, digest: bytes) -> None:
        path = self._put()
        descriptor, self._descriptor = self._descriptor, -1
        self.contents.add(digest, self.size_bytes, path, descriptor)

    def discard(self) -> None:
        """Forget it; needed if it was not finished."""
        descriptor, self._descriptor = self._descriptor, -1
        if self._path is not None and descriptor >= 0:
            os.close(descriptor)
            self._path.unlink()

    def _put(self) -> Path:
        """Write what is held."""
        if self._path is None:
            self._path, self._descriptor = self.contents.create()
        if self.size_bytes > HELD_BYTES:
            self._hash.update(bytes(self._held))
        _write_all(self._descriptor, self._held)
        self._held.clear()
        return self._path


def _expect_kept(digest: bytes, waiting: _Waiting) -> None:
    """Compare what the disk gives back with what was written to it; the kernel knows it, too."""
    found = VerityHash()
    for data in reread(waiting.descriptor):
        found.update(data)
    if found.digest() != digest or fsverity.measure(waiting.descriptor) not in (None, digest):
        raise WrittenDifferently(f"the content {digest.hex()}")


def reread(descriptor: int) -> Iterator[bytes]:
    """What the disk has of an open file, not what is cached of it."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return pieces(descriptor)


def pieces(descriptor: int) -> Iterator[bytes]:
    """The content of an open file, from its beginning."""
    at = 0
    while data := os.pread(descriptor, _COPY_BYTES, at):
        yield data
        at += len(data)


def _in_memory(content: bytes) -> int:
    descriptor = os.memfd_create("content", os.MFD_CLOEXEC)
    os.write(descriptor, content)
    return descriptor


def _write_all(descriptor: int, data: bytearray) -> None:
    with memoryview(data) as view:
        written = 0
        while written < len(data):
            written += os.write(descriptor, view[written:])


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
