"""Small generations as a device has them, made without a build store.

Objects are described as in ``store/tree.py`` and scanned as those of a build store are; each group
of them becomes an image.
"""

from collections.abc import Mapping
from pathlib import Path

from reconix.base.digests import Digest
from reconix.nix.images import DeviceGeneration, DeviceImage
from reconix.nix.install import install
from reconix.store import tree
from reconix.store.images.erofs import write_image
from reconix.store.images.nodes import Node
from reconix.store.manifest import ImageEntry, Manifest
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.store.scan import Scanner
from reconix.store.tree import File, Symlink, folder

Objects = Mapping[StorePath, tree.Node]

COMMON = StorePath("c" * 32, "common")
LIBRARY = b"common" * 99


def described(source: Path, root: StorePath, *groups: Objects) -> DeviceGeneration:
    """A generation whose images have these objects; what they consist of is kept in a folder."""
    scanner = Scanner()
    images = tuple(_image(_scanned(source, group, scanner)) for group in groups)
    ordered = tuple(sorted(images, key=lambda image: image.entry))
    manifest = Manifest(root, tuple(image.entry for image in ordered))
    trees = {
        path: dict(image.trees)[path.basename.encode()]
        for image in ordered
        for path in image.entry.objects
    }
    return DeviceGeneration(manifest, ordered, trees, scanner.places)


def _scanned(source: Path, group: Objects, scanner: Scanner) -> Mapping[StorePath, Node]:
    found = {}
    source.mkdir(parents=True, exist_ok=True)
    for path in sorted(group):
        place = source / path.basename
        if not place.exists():
            tree.write(group[path], place)
        found[path] = scanner.scan(place)
    return found


def _image(trees: Mapping[StorePath, Node]) -> DeviceImage:
    listed = tuple((path.basename.encode(), node) for path, node in trees.items())
    written = write_image(listed, lambda _: None)
    entry = ImageEntry(tuple(trees), Digest(written.sha256), written.size_bytes)
    return DeviceImage(entry, listed)


def with_files(place: Path, files: Mapping[str, bytes]) -> tuple[Registry, StorePath]:
    """A device that has one object with these files, and nothing else."""
    registry, path = Registry(place / "device"), root_of(1)
    nodes = {name: File(content) for name, content in files.items()}
    install(described(place / "source", path, {path: folder(nodes)}), registry)
    return registry, path


def root_of(number: int) -> StorePath:
    """The root of the generation of this number."""
    return StorePath(str(number) * 32, "root")


def numbered(source: Path, number: int) -> DeviceGeneration:
    """A generation of two objects in an image each, one of them the same in every generation."""
    root = root_of(number)
    common = folder({"lib": File(LIBRARY), "copy/lib": File(LIBRARY), "l": Symlink("lib")})
    own = folder(
        {
            "big": File(b"%d" % number * 999),
            "few": File(b"%d" % number),
            "c": Symlink(str(COMMON)),
        }
    )
    return described(source, root, {COMMON: common}, {root: own})
