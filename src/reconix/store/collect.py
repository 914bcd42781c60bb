"""Removing what no installed generation needs.

An object loses its name in one step: it is renamed to ``.remove-<basename>``, and only then its
files go. So an interrupted removal leaves nothing that looks like an object, and the next one
continues. Last, the names in ``.links`` that nothing else shares any more are removed.

Tested by ``tests/unit/store/test_registry.py`` and, step by step,
``tests/crash/test_store_crash.py``.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reconix.base.files import remove_tree, rename_durably, sync_folder
from reconix.store.links import LINKS
from reconix.store.manifest import Manifest

_REMOVING = ".remove-"


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed."""

    names: tuple[str, ...] = ()  # in the store folder, sorted
    size_bytes: int = 0


def unreferenced(store_dir: Path, manifests: Iterable[Manifest]) -> list[Path]:
    """Everything in a store that no manifest names, sorted."""
    kept = {path.basename for manifest in manifests for path in manifest.paths()} | {LINKS}
    if not store_dir.is_dir():
        return []
    return sorted(entry for entry in store_dir.iterdir() if entry.name not in kept)


def collect(store_dir: Path, manifests: Iterable[Manifest]) -> Collected:
    """Remove what no manifest names; a cut at any point is continued by the next call.

    Args:
        store_dir: the folder of the objects.
        manifests: of *all* generations that must stay: the running one and the one before it too.
    """
    removed = []
    for path in unreferenced(store_dir, manifests):
        withdraw(path)
        removed.append(path.name)
    freed = remove_lonely_links(store_dir)
    if removed:
        sync_folder(store_dir)
    return Collected(tuple(removed), freed)


def withdraw(path: Path) -> None:
    """Take an object away: first its name, durably, then its content; a missing one is fine."""
    if not os.path.lexists(path):
        return
    if not path.name.startswith(_REMOVING):
        doomed = path.with_name(f"{_REMOVING}{path.name}")
        remove_tree(doomed)
        rename_durably(path, doomed)
        path = doomed
    remove_tree(path)


def remove_lonely_links(store_dir: Path) -> int:
    """Remove the names in ``.links`` whose content nobody shares, and give the bytes freed."""
    folder = store_dir / LINKS
    freed = 0
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        status = entry.lstat()
        if status.st_nlink == 1:
            entry.unlink()
            freed += status.st_size
    return freed
