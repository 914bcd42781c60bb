"""Collecting garbage in the store of the build host, beside builds and real Nix processes.

While ``gc.lock`` is held nobody adds a path of ours, and no Nix process begins to use one: it would
have to tell the collector through a socket. We do not listen; our socket is there only so that Nix
finds nobody at the other end, which tells it to wait and try again.

A path is first forgotten, in one durable transaction for all, and only then removed. So a cut
leaves trees that are not valid, and the next collection, or whoever adds them again, removes
them.

Source: ``libstore/gc.cc`` of Nix 2.8.
Tested by ``tests/unit/nix/test_collect.py``, ``tests/compat/test_nix_store.py`` and
``tests/crash/test_store_crash.py``.
"""

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reconix.base.files import remove_tree, sync_folder
from reconix.nix import roots
from reconix.nix.chroot import ChrootStore
from reconix.nix.locks import collecting_locked, temporary_roots
from reconix.store.links import LINKS, remove_lonely_links
from reconix.store.paths import StorePath


@dataclass(frozen=True, slots=True)
class Collected:
    """What was, or would be, removed."""

    paths: tuple[StorePath, ...]
    leftovers: tuple[str, ...]  # names in the store folder that were never valid
    size_bytes: int  # given back to the file system; 0 if nothing was removed


def collect(store: ChrootStore, *, dry: bool = False) -> Collected:
    """Remove what no root needs.

    Args:
        store: where.
        dry: only tell what would be removed.
    """
    with collecting_locked(store.state_dir, exclusive=True):
        _refuse_nix(store.state_dir)
        in_use = temporary_roots(store.state_dir)
        valid = store.database.valid_paths()  # first: what Nix registers meanwhile is not in it
        dead = tuple(sorted(valid - _living(store, _all_roots(store, in_use))))
        leftovers = tuple(_leftovers(store, in_use))
        if dry:
            return Collected(dead, leftovers, 0)
        before = _free_bytes(store.store_dir)
        store.database.forget(dead)
        for name in [*(path.basename for path in dead), *leftovers]:
            remove_tree(store.store_dir / name)
        remove_lonely_links(store.store_dir)
        sync_folder(store.store_dir)
        return Collected(dead, leftovers, max(0, _free_bytes(store.store_dir) - before))


def _all_roots(store: ChrootStore, in_use: Iterable[str]) -> set[StorePath]:
    found = roots.lasting_roots(store.state_dir, store.store_dir)
    found |= roots.running_roots(store.store_dir)
    found |= {StorePath.parse(text) for text in in_use}
    return found


def _living(store: ChrootStore, tops: set[StorePath]) -> set[StorePath]:
    """What the roots need, and the roots themselves, also those that are still being made."""
    return tops | set(store.closure(*(path for path in tops if store.is_valid(path))))


def _leftovers(store: ChrootStore, in_use: Iterable[str]) -> list[str]:
    """What lies in the store folder, is not valid, and nobody is making right now.

    Whoever makes a path has announced it as a temporary root. What it uses meanwhile (its lock, a
    folder to build in) has other names, but the same hash.
    """
    known = {path.basename for path in store.database.valid_paths()} | {LINKS}
    hashes = {StorePath.parse(text).hash for text in in_use}
    return sorted(
        entry.name
        for entry in store.store_dir.iterdir()
        if entry.name not in known and entry.name[:32] not in hashes
    )


def _free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bfree * status.f_frsize


def _refuse_nix(state: Path) -> None:
    """Leave a socket that nobody listens to: Nix then retries until the lock is free."""
    folder = state / "gc-socket"
    folder.mkdir(mode=0o755, exist_ok=True)
    (folder / "socket").unlink(missing_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nobody:
            nobody.bind(f"/proc/self/fd/{descriptor}/socket")  # the real path may be too long
    finally:
        os.close(descriptor)
