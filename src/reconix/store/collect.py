"""Removing what no installed generation needs.

A manifest goes first, durably; then what no other one leads to: images, durably, then contents that
no image names. So a cut leaves more than is needed, never less: an image that is there has its
contents. The next call goes on.

A pack goes when no installed image names a content that rests only there: nothing can be taken out
of it. Its file goes at once; its blocks are free when the device has been started again, because it
is mounted. One that is not mounted stays.

An image that is damaged or missing does not say which contents it needs. Then no content is
removed; so each is compared with its digest first.

Tested by ``tests/unit/store/test_collect.py``, ``tests/unit/store/test_packs.py``, and step by step
by ``tests/crash/test_store_crash.py``.
"""

from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from reconix.base import progress
from reconix.base.files import remove_tree, sync_folder
from reconix.base.records import dataclass
from reconix.store.images.image import BadImage
from reconix.store.intact import check_image
from reconix.store.manifest import Manifest
from reconix.store.registry import ImageMissing, Registry


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed."""

    images: int = 0
    contents: int = 0
    size_bytes: int = 0
    packs: int = 0

    @property
    def count(self) -> int:
        """How many files."""
        return self.images + self.contents + self.packs


def collect(registry: Registry, also: Iterable[Manifest] = ()) -> Collected:
    """Remove what no manifest leads to; a cut at any point is continued by the next call.

    Args:
        registry: its installed generations stay, all of them.
        also: manifests that count as installed; what of them is there stays.
    """
    manifests = (*registry.manifests(), *also)
    images = _remove(unneeded_images(registry, manifests))
    if images.count:
        sync_folder(registry.images_dir)
    needed = needed_contents(registry, manifests)
    contents = _remove(unneeded_contents(registry, needed))
    registry.pool.remove_empty_folders()
    packs = _remove(unneeded_packs(registry, needed))
    if packs.count:
        sync_folder(registry.packs_dir)
    size_bytes = images.size_bytes + contents.size_bytes + packs.size_bytes
    return Collected(images.count, contents.count, size_bytes, packs.count)


def unneeded_images(registry: Registry, manifests: Iterable[Manifest]) -> list[Path]:
    """Everything among the images that no manifest names, sorted."""
    kept = {entry.sha256.hex() for manifest in manifests for entry in manifest.images}
    folder = registry.images_dir
    found = folder.iterdir() if folder.is_dir() else iter(())
    return sorted(path for path in found if path.name not in kept)


def unneeded_contents(registry: Registry, needed: Container[bytes] | None) -> Iterator[Path]:
    """Everything in the pool that is not needed, sorted; nothing if that is not known."""
    if needed is None:
        return
    pool = registry.pool
    yield from (pool.place(digest) for digest in pool.digests() if digest not in needed)
    yield from pool.strangers()


def unneeded_packs(registry: Registry, needed: Iterable[bytes] | None) -> list[Path]:
    """The packs in which no content rests that is needed and rests nowhere else, sorted."""
    pool = registry.pool
    mounted = [pack for pack in pool.packs if pack.is_mounted()]
    if needed is None or not mounted:
        return []
    resting = {pool.path(digest).parent.parent for digest in needed}
    return [pack.file for pack in mounted if pack.folder not in resting]


def needed_contents(registry: Registry, manifests: Iterable[Manifest]) -> set[bytes] | None:
    """The contents that images name; ``None`` if one of the images cannot say it."""
    entries = {entry.sha256: entry for manifest in manifests for entry in manifest.images}
    installed = {entry.sha256 for manifest in registry.manifests() for entry in manifest.images}
    needed: set[bytes] = set()
    for entry in entries.values():
        try:
            needed.update(check_image(registry, entry))
        except (ImageMissing, BadImage) as error:
            if isinstance(error, ImageMissing) and entry.sha256 not in installed:
                continue  # of a generation that is on its way
            progress.note(f"nothing is removed from the pool: {error}")
            return None
    return needed


def _remove(paths: Iterable[Path]) -> Collected:
    count = size_bytes = 0
    for path in paths:
        size_bytes += path.lstat().st_size
        remove_tree(path)
        count += 1
    return Collected(contents=count, size_bytes=size_bytes)
