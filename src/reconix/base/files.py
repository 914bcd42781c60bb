"""Writing files so that they survive a power cut.

A file that was written is not yet on the disk, and a name that was given is not yet in the folder.
``fsync`` of the file makes the content durable, ``fsync`` of the folder makes the name durable, and
a rename within one folder is the only change that happens whole. So there is one way to write:
content under a temporary name, ``fsync``, rename, ``fsync`` of the folder.

Each ``fsync`` makes the disk empty its cache, which takes a cheap one milliseconds. For a tree with
thousands of folders there is ``syncfs``: all of a file system at once.

Tested by ``tests/unit/base/test_files.py``.
"""

import contextlib
import ctypes
import errno
import functools
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass

COPY_BYTES = 1 << 20
"""How much is read from or written to a file at once."""

_PLACE = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
"""To open a folder for what is in it, not to read it."""

_REMEMBERED = 10_000
"""How many full folders of one folder are remembered while a tree is removed."""


class BadFile(ReconixError):
    """What stands under a name is nothing that could be read in its place."""

    exit_code = 40


class TooLarge(BadFile):
    """A file is larger than anything we would accept in its place."""

    def __init__(self, path: Path, *, limit_bytes: int) -> None:
        super().__init__(f"{path} is larger than {limit_bytes} bytes", hint="is it the right file?")


class NotRegular(BadFile):
    """Something is not a regular file: a folder, a pipe, a device, or a link where none may be."""

    def __init__(self, path: Path, mode: int) -> None:
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        super().__init__(f"{path} is {kind}, not a file", hint="is it the right file?")


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a link",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: Path, *, follow_links: bool = True, buffering: int = -1) -> BinaryIO:
    """Open a file to read it, and only a file.

    Whoever may write to a folder may put anything there under the name that we look for. A pipe
    would be waited for, for ever; a device may begin to do something when it is opened, so it is
    looked at before, and once more after, in case it has been exchanged.

    Args:
        path: where it is.
        follow_links: whether a link is as good as the file it leads to. It is not where somebody
            else may write, because then it can lead to what only we may read.
        buffering: as for ``open``.

    Raises:
        BadFile: something else is there, or a file cannot have this name.
        OSError: it cannot be opened.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        _expect_regular(path, path.stat(follow_symlinks=follow_links))
        descriptor = os.open(path, flags if follow_links else flags | os.O_NOFOLLOW)
    except ValueError as error:  # a zero byte, or half a character
        raise BadFile(f"{str(path)!r} is not a valid file name") from error
    try:
        _expect_regular(path, os.fstat(descriptor))
    except BadFile:
        os.close(descriptor)
        raise
    return open(descriptor, "rb", buffering=buffering)  # noqa: PTH123 - a descriptor, not a path


def _expect_regular(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotRegular(path, found.st_mode)


def read_bounded(path: Path, limit_bytes: int, *, follow_links: bool = True) -> bytes:
    """Read a whole file that must not be larger than ``limit_bytes``.

    Raises:
        BadFile: there is more, of which nothing is returned, or it is not a file
        (``open_regular``). OSError: it cannot be read.
    """
    with open_regular(path, follow_links=follow_links) as file:
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise TooLarge(path, limit_bytes=limit_bytes)
    return content


def forget_cached(path: Path) -> None:
    """Let the next reader get what the disk has of a file, not what is remembered of it.

    What a program has mapped into its memory stays; so does what is not durable yet.
    """
    with contextlib.suppress(OSError):  # whoever reads it is told what is wrong
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def read_text(path: Path, limit_bytes: int) -> str:
    """Read a whole file of UTF-8.

    Raises:
        BadFile: it is not text, or as ``read_bounded`` says.
        OSError: it cannot be read.
    """
    try:
        return read_bounded(path, limit_bytes).decode()
    except UnicodeDecodeError as error:
        raise BadFile(f"{path} is not text: byte {error.start} is not UTF-8") from error


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


def open_lock(path: Path) -> int:
    """Open a file that exists only to be locked; make it if there is none.

    Raises:
        BadFile: something else is there.
        OSError: it cannot be opened.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        _expect_regular(path, os.fstat(descriptor))
    except BadFile:
        os.close(descriptor)
        raise
    return descriptor


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
    for folder, _, names in os.walk(root, topdown=False, onerror=_raise):
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        sync_folder(Path(folder))


def _raise(error: OSError) -> None:
    """Without this, ``os.walk`` leaves out in silence what it cannot read."""
    raise error


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

    Raises:
        BadFile: something else is there.
    """
    descriptor = open_lock(path)
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
    """Remove a file or a whole tree, read-only folders included; a missing one is fine.

    Whatever can be made can be removed: a path may be longer than any call takes, folders may be
    nested deeper than a stack or a table of descriptors goes. No link is followed, and no folder is
    taken for another one that somebody moved meanwhile.

    Raises:
        OSError: something is in use, as a mount, or is not ours; the rest of it stays.
    """
    try:
        above = os.open(root.parent, _PLACE)
    except FileNotFoundError:
        return
    try:
        if not _remove_at_once(above, root.name):
            _Removal(above, root.name).run()
    finally:
        os.close(above)


def _remove_at_once(folder: int, name: str) -> bool:
    """Remove an entry; False if it is a folder that is not empty."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except IsADirectoryError:
        return _remove_if_empty(folder, name)
    return True


def _remove_if_empty(folder: int, name: str) -> bool:
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


@dataclass(slots=True)
class _Level:
    """A folder on the way down, and what is to be removed in it.

    Attributes:
        name: in the folder above.
        identity: device and inode.
        full: names of folders in it that are not empty.
        is_all: whether these are all of them.
    """

    name: str
    identity: tuple[int, int]
    full: list[str]
    is_all: bool = True


class _Removal:
    """The way through a tree: only the folder that we are in is open.

    Args:
        above: the folder that the tree is in.
        name: of the tree, a folder.
    """

    def __init__(self, above: int, name: str) -> None:
        self._here = os.dup(above)
        self._levels = [_Level("", _identity(os.fstat(above)), [name])]

    def run(self) -> None:
        try:
            while len(self._levels) > 1 or self._levels[0].full:
                if self._levels[-1].full:
                    self._go_down(self._levels[-1].full.pop())
                else:
                    self._go_up()
        finally:
            os.close(self._here)

    def _go_down(self, name: str) -> None:
        self._go(_open_folder(name, self._here))
        status = os.fstat(self._here)
        if status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.fchmod(self._here, stat.S_IRWXU)
        full = _clear(self._here)
        is_all = len(full) < _REMEMBERED
        self._levels.append(_Level(name, _identity(status), full, is_all))

    def _go_up(self) -> None:
        done = self._levels.pop()
        self._go(os.open("..", _PLACE, dir_fd=self._here))
        if _identity(os.fstat(self._here)) != self._levels[-1].identity:
            raise OSError(errno.ESTALE, "it was moved while it was removed", done.name)
        if _remove_if_empty(self._here, done.name):
            return
        if done.is_all:
            raise OSError(errno.ENOTEMPTY, "somebody puts something into it", done.name)
        self._levels[-1].full.append(done.name)

    def _go(self, folder: int) -> None:
        os.close(self._here)
        self._here = folder


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _open_folder(name: str, above: int) -> int:
    """Open a folder to read it, also if it is ours and closed to us."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=above)
    except PermissionError:
        os.chmod(name, stat.S_IRWXU, dir_fd=above)
        return os.open(name, flags, dir_fd=above)


def _clear(folder: int) -> list[str]:
    """Remove what can be removed at once, and give the folders that are left, or many of them."""
    with os.scandir(folder) as entries:
        full = (entry.name for entry in entries if not _remove_at_once(folder, entry.name))
        return list(itertools.islice(full, _REMEMBERED))
