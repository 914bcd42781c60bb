"""The locks by which processes that share a Nix store stay out of each other's way.

========================  =====================================================================
``<path>.lock``           exclusive while a store path is being made
``gc.lock``               exclusive while rubbish is collected; shared while something is added
``temproots/<pid>``       exclusive while the process lives that uses the paths listed in it
``db/big-lock``           shared while the database is open (``nix/database.py``)
========================  =====================================================================

All are ``flock`` locks, so they vanish with the process that holds them. A lock file of a path is
removed by who leaves it; one byte is written to it before, so that whoever has waited for the
removed file notices and opens a new one.

Source: ``libstore/pathlocks.cc`` and ``libstore/gc.cc`` of Nix 2.8.
Tested by ``tests/compat/test_nix_store.py``, with a real ``nix-store --gc`` on the other side.
"""

import contextlib
import fcntl
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from reconix.base.files import open_lock, read_bounded
from reconix.store.paths import StorePath

_NUMBERS = itertools.count()
_MAX_ROOTS_BYTES = 1 << 26


@contextlib.contextmanager
def path_locked(path: Path) -> Iterator[None]:
    """Be the only one who makes this store path; wait if somebody else does."""
    name = path.with_name(f"{path.name}.lock")
    lock = _lock_living_file(name)
    try:
        yield
    finally:
        name.unlink(missing_ok=True)
        os.write(lock, b"d")
        os.close(lock)


@contextlib.contextmanager
def path_locked_if_free(path: Path) -> Iterator[bool]:
    """``path_locked`` without waiting; tell whether we have the lock.

    The lock file must exist: this is for places that somebody else may have left.
    """
    name = path.with_name(f"{path.name}.lock")
    try:
        lock = os.open(name, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        free = _try_lock(lock)
        yield free
        if free:
            name.unlink(missing_ok=True)
            os.write(lock, b"d")
    finally:
        os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(lock).st_size == 0


def _lock_living_file(name: Path) -> int:
    while True:
        lock = open_lock(name)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_size == 0:
            return lock
        os.close(lock)


@contextlib.contextmanager
def collecting_locked(state: Path, *, exclusive: bool) -> Iterator[None]:
    """Keep collectors out while something is added, or everybody else out while we collect.

    Args:
        state: the folder ``<root>/nix/var/nix``.
        exclusive: whether we are the collector.
    """
    lock = open_lock(state / "gc.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield
    finally:
        os.close(lock)


class TemporaryRoots:
    """The paths that this process uses; no collector removes them until it is closed or dies."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._folder = state / "temproots"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = -1
        self._name = self._folder / f"{os.getpid()}-{next(_NUMBERS)}"
        self._kept: set[StorePath] = set()

    def keep(self, paths: Iterable[StorePath]) -> None:
        """Protect paths from now on; if rubbish is being collected, wait for the end of it."""
        fresh = sorted(set(paths) - self._kept)
        if not fresh:
            return
        with collecting_locked(self._state, exclusive=False):
            if self._file < 0:
                self._file = _lock_living_file(self._name)
            os.write(self._file, b"".join(f"{path}\0".encode() for path in fresh))
        self._kept.update(fresh)

    def close(self) -> None:
        """Stop protecting."""
        if self._file >= 0:
            self._name.unlink(missing_ok=True)
            os.close(self._file)
            self._file = -1


def temporary_roots(state: Path) -> set[str]:
    """The paths that living processes protect; what dead ones left is removed.

    Call it while ``collecting_locked(..., exclusive=True)``.
    """
    found: set[str] = set()
    folder = state / "temproots"
    for name in sorted(folder.iterdir()) if folder.is_dir() else []:
        found.update(_living_roots(name))
    return found


def _living_roots(name: Path) -> set[str]:
    try:
        file = os.open(name, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return set()
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return set(read_bounded(name, _MAX_ROOTS_BYTES).decode(errors="replace").split("\0")) - {""}
    else:
        name.unlink(missing_ok=True)
        os.write(file, b"d")
        return set()
    finally:
        os.close(file)
