"""Writing files so that they survive a power cut.

A file that was written is not yet on the disk, and a name that was given is not yet in the folder.
``fsync`` of the file makes the content durable, ``fsync`` of the folder makes the name durable, and
a rename within one folder is the only change that happens whole. So there is one way to write:
content under a temporary name, ``fsync``, rename, ``fsync`` of the folder.

Each ``fsync`` makes the disk empty its cache, which takes a cheap one milliseconds. For a tree with
thousands of folders there is ``syncfs``: all of a file system at once.

Proven by ``tests/unit/base/test_files.py``.
"""

import contextlib
import ctypes
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from reconix.base.errors import ReconixError

COPY_BYTES = 1 << 20
"""How much is read from or written to a file at once."""


class TooLarge(ReconixError):
    """A file is larger than anything we would accept in its place."""

    exit_code = 40

    def __init__(self, path: Path, *, limit_bytes: int) -> None:
        super().__init__(f"{path} is larger than {limit_bytes} bytes", hint="is it the right file?")


def read_bounded(path: Path, limit_bytes: int) -> bytes:
    """Read a whole file that must not be larger than ``limit_bytes``.

    Raises:
        TooLarge: there is more; nothing of it is returned.
    """
    with path.open("rb") as file:
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise TooLarge(path, limit_bytes=limit_bytes)
    return content


def chunks(file: BinaryIO, size_bytes: int | None = None) -> Iterator[bytes]:
    """Give the rest of a file, or at most ``size_bytes`` of it, piece by piece."""
    left = size_bytes
    while left is None or left > 0:
        chunk = file.read(COPY_BYTES if left is None else min(COPY_BYTES, left))
        if not chunk:
            return
        if left is not None:
            left -= len(chunk)
        yield chunk


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(descriptor: int) -> None:
    """Make durable all that was changed in the file system of an open file or folder.

    Raises:
        OSError: something could not be written since it was opened (since Linux 5.8; before that
            only who reads again will know).

    Source: syncfs(2).
    """
    if _libc().syncfs(descriptor):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def sync_file(file: BinaryIO) -> None:
    """Make durable what was written to an open file."""
    file.flush()
    os.fsync(file.fileno())


def sync_tree(root: Path) -> None:
    """Make a whole tree durable: every regular file and every folder, children first."""
    for folder, _, names in os.walk(root, topdown=False):
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        sync_folder(Path(folder))


def rename_durably(old: Path, new: Path) -> None:
    """Give ``old`` the name ``new``; afterwards the new name survives a cut.

    The content must be durable already, see ``sync_tree``.
    """
    old.rename(new)
    sync_folder(new.parent)
    if old.parent != new.parent:
        sync_folder(old.parent)


@contextlib.contextmanager
def lock_file(path: Path) -> Iterator[int]:
    """Open a file that is there to be locked, and give its descriptor; it is made if it is missing.

    Who can open a file can lock it and keep everybody waiting: so only its owner can open it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Write a new content for ``path`` that appears whole and durable, or not at all.

    The temporary name is ``.<name>.new``: one writer at a time, and what a cut leaves behind is
    overwritten by the next attempt.
    """
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        rename_durably(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_durably(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace the content of a file as one step that a power cut cannot split."""
    with replacing(path, mode=mode) as file:
        file.write(content)


def remove_tree(root: Path) -> None:
    """Remove a file or a whole tree, read-only folders included; a missing one is fine."""
    if root.is_symlink() or not root.is_dir():
        root.unlink(missing_ok=True)
        return
    for folder, folders, names in os.walk(root, topdown=False):
        Path(folder).chmod(0o700)
        for name in names:
            Path(folder, name).unlink()
        for name in folders:
            _remove_folder_or_link(Path(folder, name))
    root.rmdir()


def _remove_folder_or_link(path: Path) -> None:
    remove: Callable[[], None] = path.unlink if path.is_symlink() else path.rmdir
    remove()
