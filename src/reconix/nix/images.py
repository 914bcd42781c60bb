"""What a generation of the build store is on a device: which images, with what in them.

The build host computes them for the digests that a generation and a signature promise, for disk
images, and to find out what an update has to bring. A device computes the same images from what it
receives. Which objects stand together is decided here (``store/images/plan.py``), and told to the
device in the manifest.

Sidecars are used up: what they describe has it in the images, they themselves do not stand there.

Tested by ``tests/unit/nix/test_images.py``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.files import read_bounded
from reconix.nix.chroot import ChrootStore
from reconix.nix.contents import Lists, NoLists, listed
from reconix.store.closure import Closure, StoreObject
from reconix.store.generation import BadGeneration, InstalledSystem, expect_known, read_generation
from reconix.store.images import plan
from reconix.store.images.erofs import Write, Written, write_image
from reconix.store.images.nodes import Metadata, Node, count
from reconix.store.images.plan import Group
from reconix.store.manifest import ImageEntry, Manifest
from reconix.store.paths import StorePath
from reconix.store.scan import Scanner
from reconix.store.sidecar import (
    ITSELF,
    MAX_SIDECAR_BYTES,
    SUFFIX,
    BadSidecar,
    Sidecar,
    parse_sidecar,
)

LINKS_TO_SIDECARS = b"sidecars"
"""The folder of a toplevel that leads to sidecars; a device has no use for it."""


@dataclass(slots=True)
class DeviceTrees:
    """Objects of a build store as trees of a device; each is read once.

    Attributes:
        store: where they are.
        scanner: knows where each content lies that was read.
        lists: of contents, so that not all objects are read; for digests and sizes only.
    """

    store: ChrootStore
    scanner: Scanner = field(default_factory=Scanner)
    lists: Lists = field(default_factory=NoLists)
    _trees: dict[tuple[StorePath, StorePath | None], Node] = field(default_factory=dict)
    _images: dict[tuple[int, ...], "DeviceImage"] = field(default_factory=dict)
    _read: dict[StorePath, Sidecar] = field(default_factory=dict)

    def of_closure(self, closure: Closure) -> Mapping[StorePath, Node]:
        """The tree of each object of a closure that a device gets, sorted.

        Raises:
            BadSidecar: two of them describe the same object, or one is no sidecar.
        """
        described = self._sidecars(closure)
        return {
            item.path: self._tree(item, described.get(item.path))
            for item in closure.objects
            if not is_sidecar(item.path)
        }

    def image(self, group: Group, trees: Mapping[StorePath, Node]) -> "DeviceImage":
        """The image of some objects; one that was asked for before is not computed again.

        Args:
            group: which objects.
            trees: theirs, as ``of_closure`` gave them: they stay, so they are told by identity.
        """
        key = tuple(id(trees[path]) for path in group)
        if key not in self._images:
            self._images[key] = _image(group, trees)
        return self._images[key]

    def _sidecars(self, closure: Closure) -> dict[StorePath, StorePath]:
        """Sidecars by what they describe."""
        found: dict[StorePath, StorePath] = {}
        for item in filter(lambda item: is_sidecar(item.path), closure.objects):
            subject = self._read_sidecar(item.path).subject
            if found.setdefault(subject, item.path) != item.path:
                raise BadSidecar(f"{subject} is described by {found[subject]} and {item.path}")
        return found

    def _tree(self, item: StoreObject, sidecar: StorePath | None) -> Node:
        key = (item.path, sidecar)
        if key not in self._trees:
            self._trees[key] = self._scan(item, sidecar)
        return self._trees[key]

    def _scan(self, item: StoreObject, sidecar: StorePath | None) -> Node:
        described: dict[bytes, Metadata] = {}
        omitted: set[bytes] = set()
        if sidecar is not None:
            read = self._read_sidecar(sidecar)
            described = {b"" if path == ITSELF else path: found for path, found in read.entries}
            omitted.update(read.omitted)
        if any(map(is_sidecar, item.references)):
            omitted.add(LINKS_TO_SIDECARS)
        known, place = self.lists.find(item), self.store.path(item.path)
        tree = self.scanner.scan(place, described, frozenset(omitted), known)
        if not known:
            self.lists.keep(item, listed(tree))
        return tree

    def _read_sidecar(self, path: StorePath) -> Sidecar:
        if path not in self._read:
            content = read_bounded(self.store.path(path), MAX_SIDECAR_BYTES)
            self._read[path] = parse_sidecar(content, source=str(path))
        return self._read[path]


def is_sidecar(path: StorePath) -> bool:
    """Whether an object describes another one."""
    return path.name.endswith(SUFFIX)


@dataclass(frozen=True, slots=True)
class DeviceImage:
    """One image: its entry in a manifest, and the trees in it."""

    entry: ImageEntry
    trees: tuple[tuple[bytes, Node], ...]

    def write(self, write: Write) -> Written:
        """Write the image."""
        return write_image(self.trees, write)


@dataclass(frozen=True, slots=True)
class DeviceGeneration:
    """A generation as a device has it."""

    manifest: Manifest
    images: tuple[DeviceImage, ...]  # in the order of the manifest
    trees: Mapping[StorePath, Node]
    places: Mapping[bytes, Path]
    """A file of the build store for each content, by digest."""


def system_images(trees: DeviceTrees, toplevel: StorePath) -> tuple[DeviceImage, ...]:
    """The images of one system, in the order of their digests."""
    found = trees.of_closure(trees.store.closure_of(toplevel))
    images = (trees.image(group, found) for group in _groups(found))
    return tuple(sorted(images, key=lambda image: image.entry.sha256))


def read_device_generation(
    store: ChrootStore, root: StorePath, trees: DeviceTrees | None = None
) -> DeviceGeneration:
    """A generation of the build store as a device has it.

    Args:
        store: has the generation.
        root: the object with its ``generation.json``.
        trees: what was read already.

    Raises:
        BadGeneration: the object is no generation, or its systems would not find their images,
            because another release made it, or something in the store was altered.
    """
    reader = trees or DeviceTrees(store)
    generation = read_generation(store.store_dir, root)
    expect_known(generation)
    found = reader.of_closure(store.closure_of(root))
    images: dict[Digest, DeviceImage] = {}
    in_systems: set[StorePath] = set()
    for system in generation.systems:
        for image in _promised_images(reader, system, root):
            images[image.entry.sha256] = image
            in_systems.update(image.entry.objects)
    for group in _packed(found, found.keys() - in_systems):
        image = reader.image(group, found)
        images[image.entry.sha256] = image
    ordered = tuple(sorted(images.values(), key=lambda image: image.entry))
    manifest = Manifest(root, tuple(image.entry for image in ordered))
    return DeviceGeneration(manifest, ordered, found, reader.scanner.places)


def _promised_images(
    trees: DeviceTrees, system: InstalledSystem, root: StorePath
) -> tuple[DeviceImage, ...]:
    """The images of a system, which its boot entry names."""
    found = system_images(trees, system.toplevel)
    if tuple(image.entry.sha256 for image in found) != system.images:
        raise BadGeneration(
            f"{root}: the images of its system {system.name!r} are not those that it promises",
            hint="build the generation again",
        )
    return found


def _groups(trees: Mapping[StorePath, Node]) -> tuple[Group, ...]:
    return plan.groups({path: count(tree) for path, tree in trees.items()})


def _packed(trees: Mapping[StorePath, Node], chosen: Iterable[StorePath]) -> Iterator[Group]:
    return iter(_groups({path: trees[path] for path in sorted(chosen)}))


def _image(group: Group, trees: Mapping[StorePath, Node]) -> DeviceImage:
    listed = tuple((path.basename.encode(), trees[path]) for path in group)
    written = write_image(listed, _nowhere)
    return DeviceImage(ImageEntry(group, Digest(written.sha256), written.size_bytes), listed)


def _nowhere(data: bytes) -> None:
    """What is written is only counted and hashed."""
