"""What is installed on a device: manifests, images, and the contents that these name.

::

    <system>/reconix/generations/<hash>-<name>.manifest  an installed generation
    <system>/images/<sha256>                             names and metadata of trees
    <system>/pool/ab/cdef…                               contents of files
    <system>/packs/<sha256>                              contents that came with the first image
    <system>/reconix/staging/                            what is being received

A generation is installed when its manifest, all images that it names and all contents that these
name are there. Each of them gets its final name only when it is whole, durable and verified, the
manifest last; and first of all it is the manifest that goes (``collect.py``). So whatever carries a
final name is whole, also after a power cut; and what was received for a generation that is not
registered yet need not be written again.

Nothing is mounted to be read: ``images/image.py`` reads an image, and a content is a file.

Tested by ``tests/unit/store/test_registry.py`` and, step by step,
``tests/crash/test_store_crash.py``.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import (
    BadFile,
    TooLarge,
    read_bounded,
    remove_tree,
    sync_folder,
    write_durably,
)
from reconix.store.images.image import MAX_IMAGE_BYTES, BadImage, Image
from reconix.store.images.nodes import ImageFile, ImageLink, Node, contents
from reconix.store.manifest import (
    MAX_MANIFEST_BYTES,
    BadManifest,
    ImageEntry,
    Manifest,
    parse_manifest,
    print_manifest,
)
from reconix.store.paths import StorePath
from reconix.store.pool import BadContent, Pack, Pool

_SUFFIX = ".manifest"


class ImageMissing(ReconixError):
    """An image is named by a manifest, but is not there."""

    exit_code = 25

    def __init__(self, sha256: Digest) -> None:
        super().__init__(
            f"the image {sha256.hex()} is missing",
            hint="repair it: `reconix repair --to DEVICE` on the build host",
        )
        self.sha256 = sha256


class NotInstalled(ReconixError):
    """No installed generation has a file."""

    exit_code = 25

    def __init__(self, path: StorePath, names: tuple[str, ...] = ()) -> None:
        super().__init__(f"{'/'.join([str(path), *names])} is not installed")


class Registry:
    """The installed generations below the root of a system partition.

    Args:
        system_root: the root of the partition.
        mounted_packs: where its packs are mounted, by their names; without it there are none.
    """

    def __init__(self, system_root: Path, mounted_packs: Path | None = None) -> None:
        self.system_root, self.mounted_packs = system_root, mounted_packs
        self.packs_dir = system_root / "packs"
        self.pool = Pool(system_root / "pool", self._packs())
        self.images_dir = system_root / "images"
        self.staging_dir = system_root / "reconix/staging"
        self._generations = system_root / "reconix/generations"
        self._opened: dict[Digest, Image] = {}
        self._parsed: dict[StorePath, tuple[_Version, Manifest]] = {}

    def afresh(self) -> "Registry":
        """The same, with nothing of it in memory."""
        return Registry(self.system_root, self.mounted_packs)

    def _packs(self) -> Iterator[Pack]:
        if self.mounted_packs is not None and self.packs_dir.is_dir():
            for file in sorted(self.packs_dir.iterdir()):
                yield Pack(file, self.mounted_packs / file.name)

    # -- generations -------------------------------------------------------------------------------

    def manifests(self) -> tuple[Manifest, ...]:
        """The installed generations, sorted by the path of their roots.

        Raises:
            BadManifest: a file was damaged.
        """
        return tuple(map(self._manifest, self.roots()))

    def roots(self) -> tuple[StorePath, ...]:
        """The roots of the installed generations, sorted; no manifest is read."""
        names = (entry.name for entry in self._generations.glob(f"*{_SUFFIX}"))
        found = (name.removesuffix(_SUFFIX) for name in names if not name.startswith("."))
        return tuple(sorted(map(StorePath.of_basename, found)))

    def get(self, root: StorePath) -> Manifest | None:
        """The manifest of one generation, if it is installed.

        Raises:
            BadManifest: it was damaged.
        """
        return self._manifest(root) if self.manifest_path(root).exists() else None

    def each_manifest(self) -> Iterator[Manifest | BadManifest]:
        """The installed generations; in place of a damaged manifest, what is wrong with it."""
        for root in self.roots():
            try:
                yield self._manifest(root)
            except BadManifest as error:
                yield error

    def add(self, manifest: Manifest) -> None:
        """Install a generation of which everything is in place; repeating it changes nothing.

        Raises:
            ImageMissing, BadImage, BadContent: something is not there.
        """
        self.expect_whole(manifest)
        self.register(manifest)

    def register(self, manifest: Manifest) -> None:
        """Install a generation of which everything is known to be in place."""
        content = print_manifest(manifest)
        name = self.manifest_path(manifest.root)
        if not (name.exists() and name.read_bytes() == content):
            self._generations.mkdir(parents=True, exist_ok=True)
            write_durably(name, content)

    def remove(self, root: StorePath) -> None:
        """Uninstall a generation; what it consists of stays until it is collected."""
        name = self.manifest_path(root)
        if name.exists():
            name.unlink()
            sync_folder(self._generations)

    def expect_whole(self, manifest: Manifest) -> None:
        """Check that a generation lacks nothing; contents are not read.

        Raises:
            ImageMissing, BadImage, BadContent: something is not there.
        """
        for entry in manifest.images:
            self.expect_image_whole(entry)

    def expect_image_whole(self, entry: ImageEntry) -> None:
        """Verify an image, and check that the contents that it names are there; it is not kept.

        Raises:
            ImageMissing, BadImage, BadContent: something is not there.
        """
        for digest, size_bytes in self.verify_image(entry).contents():
            if not self.pool.has(digest, size_bytes):
                raise BadContent(digest, "is missing")

    def manifest_path(self, root: StorePath) -> Path:
        """Where the manifest of a generation is, or would be."""
        return self._generations / f"{root.basename}{_SUFFIX}"

    # -- images ------------------------------------------------------------------------------------

    def image_path(self, sha256: Digest) -> Path:
        """Where an image is, or would be."""
        return self.images_dir / sha256.hex()

    def open_image(self, entry: ImageEntry) -> Image:
        """An image, to look into it; it is not compared with its digest.

        Raises:
            ImageMissing, BadImage: it is not there, or damaged.
        """
        found = self._opened.get(entry.sha256)
        if found is None:
            found = Image(self._read_image(entry))
            self._opened[entry.sha256] = found
        return found

    def contents_of(self, entry: ImageEntry) -> Iterator[tuple[bytes, int]]:
        """Digest and size of each content that an image names."""
        return contents_in(self.open_image(entry), entry)

    def tree_in(self, entry: ImageEntry, path: StorePath) -> Node:
        """The whole tree of an object, as an image has it.

        Raises:
            ImageMissing, BadImage: it cannot be had.
        """
        return _tree_in(self.open_image(entry), entry, path)

    def verify_image(self, entry: ImageEntry) -> Image:
        """Compare an image with its digest; gives it, and does not keep it.

        Raises:
            ImageMissing, BadImage: it is not there, or altered.
        """
        content = self._read_image(entry)
        if Digest.of(content) != entry.sha256:
            raise BadImage(f"{entry.sha256.hex()} was altered")
        return Image(content)

    def _read_image(self, entry: ImageEntry) -> bytes:
        try:
            return read_bounded(self.image_path(entry.sha256), MAX_IMAGE_BYTES, follow_links=False)
        except FileNotFoundError as error:
            raise ImageMissing(entry.sha256) from error
        except (OSError, BadFile) as error:
            raise BadImage(f"{entry.sha256.hex()} cannot be read: {error}") from error

    # -- objects -----------------------------------------------------------------------------------

    def tree(self, path: StorePath) -> Node:
        """The whole tree of an installed object.

        Raises:
            NotInstalled, ImageMissing, BadImage: it cannot be had.
        """
        return self.tree_in(self._entry(path), path)

    def has(self, path: StorePath, *names: str) -> bool:
        """Whether an installed object has a file or link under this path."""
        return self._look(path, names) is not None

    def read(self, path: StorePath, *names: str, limit_bytes: int) -> bytes:
        """The content of a file of an installed object; no link is followed.

        Raises:
            NotInstalled: there is no such file.
            TooLarge, BadContent, BadManifest, ImageMissing, BadImage: it cannot be read.
        """
        found = self._look(path, names)
        if not isinstance(found, ImageFile):
            raise NotInstalled(path, names)
        if found.size_bytes > limit_bytes:
            raise TooLarge(Path(str(path), *names), limit_bytes=limit_bytes)
        return found.content if found.is_inline else self.pool.read(found.content, found.size_bytes)

    def link(self, path: StorePath, *names: str) -> str:
        """Where a link of an installed object leads.

        Raises:
            NotInstalled: there is no such link.
        """
        found = self._look(path, names)
        if not isinstance(found, ImageLink):
            raise NotInstalled(path, names)
        return os.fsdecode(found.target)

    def names(self, path: StorePath, *names: str) -> tuple[str, ...]:
        """What is in a folder of an installed object, sorted; nothing if there is none."""
        found = self._image(path).listing(path.basename.encode(), *map(os.fsencode, names))
        return tuple(map(os.fsdecode, found or ()))

    def _look(self, path: StorePath, names: tuple[str, ...]) -> ImageFile | ImageLink | None:
        return self._image(path).look(path.basename.encode(), *map(os.fsencode, names))

    def _image(self, path: StorePath) -> Image:
        return self.open_image(self._entry(path))

    def _entry(self, path: StorePath) -> ImageEntry:
        """An image with an object; a damaged manifest is in the way of its own objects only."""
        damaged: BadManifest | None = None
        for manifest in self.each_manifest():
            if isinstance(manifest, BadManifest):
                damaged = manifest
            elif entry := manifest.image_of(path):
                return entry
        raise damaged or NotInstalled(path)

    # -- what is being received --------------------------------------------------------------------

    def clear_staging(self) -> None:
        """Remove what is being received."""
        if self.staging_dir.is_dir():
            for entry in sorted(self.staging_dir.iterdir()):
                remove_tree(entry)

    def _manifest(self, root: StorePath) -> Manifest:
        """A manifest; the same file is parsed once, however often it is asked for."""
        name = self.manifest_path(root)
        try:
            status = name.stat()
            version = _Version(status.st_ino, status.st_mtime_ns, status.st_size)
            known = self._parsed.get(root)
            if known is None or known[0] != version:
                known = (version, _read_manifest(name, root))
                self._parsed[root] = known
        except (OSError, BadFile) as error:
            raise BadManifest(f"{name} cannot be read: {error}") from error
        return known[1]


class _Version(NamedTuple):
    """A file as it was when it was read; one that is written durably is another file."""

    inode: int
    mtime_ns: int
    size_bytes: int


def contents_in(image: Image, entry: ImageEntry) -> Iterator[tuple[bytes, int]]:
    """Digest and size of each content that the objects in an image have.

    Raises:
        BadImage: it is damaged, or lacks an object.
    """
    for path in entry.objects:
        yield from contents(_tree_in(image, entry, path))


def _tree_in(image: Image, entry: ImageEntry, path: StorePath) -> Node:
    found = image.tree(path.basename.encode())
    if found is None:
        raise BadImage(f"{entry.sha256.hex()} has no {path}")
    return found


def _read_manifest(name: Path, root: StorePath) -> Manifest:
    found = parse_manifest(read_bounded(name, MAX_MANIFEST_BYTES), source=str(name))
    if found.root != root:
        raise BadManifest(f"{name} is the manifest of {found.root}")
    return found
