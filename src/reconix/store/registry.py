"""What is installed on a device: one manifest for each generation, no database.

::

    <system>/nix/store/<hash>-<name>                     objects
    <system>/nix/store/.links/                           one name for each content
    <system>/reconix/generations/<hash>-<name>.manifest  an installed generation
    <system>/reconix/staging/                            objects that are being received

An object is valid when an installed manifest names it. It gets its final name only when it is
whole, durable and verified (``place``), and it loses it before the first byte of it is removed
(``collect.py``). So whatever carries a final name is whole, also after a power cut; what was
received for a generation that is not registered yet need not be received again.

Tested by ``tests/unit/store/test_registry.py`` and, step by step,
``tests/crash/test_store_crash.py``.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from reconix.base.files import read_bounded, remove_tree, sync_folder, write_durably
from reconix.store.links import fill_pool
from reconix.store.manifest import (
    MAX_MANIFEST_BYTES,
    Manifest,
    StoreObject,
    parse_manifest,
    print_manifest,
)
from reconix.store.paths import StorePath
from reconix.store.verify import ObjectMissing

_SUFFIX = ".manifest"


class Registry:
    """The store and the installed generations below the root of a system partition."""

    def __init__(self, system_root: Path) -> None:
        self.system_root = system_root
        self.store_dir = system_root / "nix/store"
        self.staging_dir = system_root / "reconix/staging"
        self._generations = system_root / "reconix/generations"

    def path(self, path: StorePath) -> Path:
        """Where an object lies, or would."""
        return self.store_dir / path.basename

    def manifests(self) -> tuple[Manifest, ...]:
        """The installed generations, sorted by the path of their roots.

        Raises:
            BadManifest: a file was damaged.
        """
        names = sorted(self._generations.glob(f"*{_SUFFIX}"))
        return tuple(_read_manifest(name) for name in names if not name.name.startswith("."))

    def get(self, root: StorePath) -> Manifest | None:
        """The manifest of one generation, if it is installed."""
        name = self._name(root)
        return _read_manifest(name) if name.exists() else None

    def objects(self) -> tuple[StoreObject, ...]:
        """All valid objects, each once, sorted."""
        return tuple(sorted({item for one in self.manifests() for item in one.objects}))

    def add(self, manifest: Manifest) -> None:
        """Install a generation whose objects are all in place; repeating it changes nothing.

        Raises:
            ObjectMissing: an object is not there.
        """
        for item in manifest.objects:
            if not os.path.lexists(self.path(item.path)):
                raise ObjectMissing(item.path)
        content = print_manifest(manifest)
        name = self._name(manifest.root)
        if not (name.exists() and name.read_bytes() == content):
            self._generations.mkdir(parents=True, exist_ok=True)
            write_durably(name, content)

    def remove(self, root: StorePath) -> None:
        """Uninstall a generation; its objects stay until they are collected."""
        name = self._name(root)
        if name.exists():
            name.unlink()
            sync_folder(self._generations)

    def clear_staging(self, keep: Iterable[StorePath] = ()) -> None:
        """Remove what is being received, but for some objects that are complete."""
        kept = {path.basename for path in keep}
        entries = sorted(self.staging_dir.iterdir()) if self.staging_dir.is_dir() else []
        for entry in entries:
            if entry.name not in kept:
                remove_tree(entry)

    def staged(self, path: StorePath) -> Path:
        """Where an object waits for its final name when it is whole, durable and verified."""
        return self.staging_dir / path.basename

    def place(self, paths: Sequence[StorePath]) -> None:
        """Give objects their final names, durably; those that are not staged have them already.

        Whoever stages an object has made it durable and verified what the disk gives back. Nothing
        else has its final name. Afterwards ``.links`` tells which file of it was damaged; what a
        cut prevents there is made up for when it is repeated.
        """
        waiting = [path for path in paths if os.path.lexists(self.staged(path))]
        if waiting:
            self.store_dir.mkdir(parents=True, exist_ok=True)
            for path in waiting:
                _move(self.staged(path), self.path(path))
            sync_folder(self.store_dir)
            sync_folder(self.staging_dir)
        if paths:
            fill_pool(self.store_dir, map(self.path, paths), {})

    def _name(self, root: StorePath) -> Path:
        return self._generations / f"{root.basename}{_SUFFIX}"


def _read_manifest(name: Path) -> Manifest:
    return parse_manifest(read_bounded(name, MAX_MANIFEST_BYTES), source=str(name))


def _move(staged: Path, final: Path) -> None:
    """Rename; only root may move a folder to another one while it is not writable."""
    try:
        staged.rename(final)
    except PermissionError:
        staged.chmod(0o755)
        staged.rename(final)
        final.chmod(0o555)
