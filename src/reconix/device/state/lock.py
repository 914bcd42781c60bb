"""The lock of a device: one command at a time changes it, and only that one can write.

The system partition is mounted read-only for everybody. A command that changes it takes a
lock that only root can open, so that a second one fails at once and no program of a system can keep
all of them waiting; then a mount namespace of its own, in which the partition is mounted
read-write. Other mounts of it stay read-only, because a mount has a flag of its own besides that of
the file system. At the end the file system is read-only again; after a crash, it is as soon as the
next command has ended or the device has restarted.

Reading takes no lock: whatever is on the partition under its final name is whole.

Source: mount(2), *Remounting an existing mount*; mount_namespaces(7).
Tested by ``tests/unit/device/state/test_lock.py``, on a real ext4 where the tests may mount.
"""

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from reconix.base import progress
from reconix.base.clock import REAL, Clock
from reconix.base.errors import ReconixError
from reconix.base.files import lock_file
from reconix.device.paths import Paths
from reconix.store.layout import expect_layout

_SECRETS_SECONDS = 10.0


class Busy(ReconixError):
    """Another command holds the lock of this device."""

    exit_code = 72

    def __init__(self) -> None:
        super().__init__(
            "another update or command is running on this device",
            hint="wait until it has ended, see `reconix-device status`; then try again",
        )


class NoPrivilege(ReconixError):
    """Only root can change a device."""

    exit_code = 2


@contextlib.contextmanager
def exclusive_rw(paths: Paths, *, wait_seconds: float = 0, clock: Clock = REAL) -> Iterator[None]:
    """Hold the lock of the device for the block, with the system partition writable.

    Args:
        paths: of the device.
        wait_seconds: how long to wait for another command to end.
        clock: to wait by.

    Raises:
        Busy: another command holds it.
        NoPrivilege: we may not mount.
        OtherLayout: what this agent would write there, nobody would read.
    """
    expect_layout(paths.system)
    with _locked(paths.lock, wait_seconds, clock), _writable(paths):
        yield


@contextlib.contextmanager
def exclusive(paths: Paths, *, wait_seconds: float = 0) -> Iterator[None]:
    """Hold the lock of the device for the block; the system partition stays read-only.

    Raises:
        Busy: another command holds it.
    """
    with _locked(paths.lock, wait_seconds, REAL):
        yield


@contextlib.contextmanager
def exclusive_secrets(paths: Paths) -> Iterator[None]:
    """Hold the lock of the secrets for the block: an update that takes hours must not hold it.

    Raises:
        Busy: another command has held it for too long.
    """
    with _locked(paths.secrets_lock, _SECRETS_SECONDS, REAL):
        yield


def being_changed(paths: Paths) -> bool:
    """Whether a command holds the lock right now; found out without taking it.

    Source: proc_locks(5): ``1: FLOCK ADVISORY WRITE <pid> <major>:<minor>:<inode> 0 EOF``.
    """
    try:
        lock = paths.lock.stat()
        lines = (paths.proc / "locks").read_text().splitlines()
    except OSError:
        return False
    held = f"{os.major(lock.st_dev):02x}:{os.minor(lock.st_dev):02x}:{lock.st_ino}"
    words = [line.split() for line in lines]
    return any(line[1:2] == ["FLOCK"] and line[5] == held for line in words)


@contextlib.contextmanager
def _locked(lock: Path, wait_seconds: float, clock: Clock) -> Iterator[None]:
    with contextlib.ExitStack() as opened:
        try:
            descriptor = opened.enter_context(lock_file(lock))
        except PermissionError as error:
            raise NoPrivilege(f"{lock} cannot be opened", hint="run it as root") from error
        _take(descriptor, clock.now() + wait_seconds, clock)
        yield


def _take(descriptor: int, deadline: float, clock: Clock) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if clock.now() >= deadline:
                raise Busy from error
            clock.pause(0.2)
        else:
            return


@contextlib.contextmanager
def _writable(paths: Paths) -> Iterator[None]:
    if not paths.shared:
        yield
        return
    from reconix.base.process import run  # late: slow to import, and most starts change nothing

    _leave_mount_namespace()
    run("mount", "--make-rprivate", "/")
    run("mount", "-o", "remount,rw", paths.system)
    try:
        yield
    finally:
        _make_readonly(paths)


def _make_readonly(paths: Paths) -> None:
    from reconix.base.process import CommandFailed, run

    try:
        run("mount", "-o", "remount,ro", paths.system)
    except CommandFailed as error:
        progress.note(f"the system partition stays writable until the next restart: {error}")


def _leave_mount_namespace() -> None:
    """Continue in a mount namespace of our own, which no other process sees."""
    if sys.version_info < (3, 12):
        raise NoPrivilege(f"the agent needs Python 3.12, this is {sys.version.split()[0]}")
    try:
        os.unshare(os.CLONE_NEWNS)
    except PermissionError as error:
        raise NoPrivilege(f"cannot make a mount namespace: {error}", hint="run it as root") from (
            error
        )
