"""How much containers take on a device, against the layers that podman keeps for the same.

The packages of the containers of a project are unpacked to layers, as an image builder would do it:
what all of them have is the base, the rest is one layer for each. They are then counted in three
ways, in blocks of a disk:

    one base     all images are built on the same base, which podman keeps once
    own bases    each has one of its own, with the same files: built on another day
    beside       one base, on a device whose system has packages of the same release

    python bench/containers.py PROJECT
"""

import io
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from reconix.base import process
from reconix.base.digests import Digest
from reconix.base.files import remove_tree
from reconix.cli import registries
from reconix.config.lock.hosts import HostLock
from reconix.config.lock.packages import LockedPackage
from reconix.containers.descriptors import Descriptor
from reconix.containers.images import Layer
from reconix.containers.layers.unpack import PackedLayer
from reconix.containers.trees import ImageTree, image_tree
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees
from reconix.project.files import ProjectFiles
from reconix.store.images.nodes import ImageFile, ImageFolder, Node

BLOCK = 4096
LIMIT_BYTES = 1 << 30
BARS = {"one base": 0.92, "own bases": 0.40, "beside": 0.35}

Files = Mapping[LockedPackage, Path]


def main() -> int:
    """Measure and print."""
    files = ProjectFiles.read(Path(sys.argv[1]))
    (lock,) = (files.host_lock(host) for host in files.configuration.hosts.values())
    folder = Path(tempfile.mkdtemp(prefix="reconix-bench-"))
    try:
        with ChrootStore(folder / "store") as store:
            fetch = files.workshop(store, registries.downloads()).fetch
            return measure(store, folder, lock, fetch([*lock.packages()]))
    finally:
        remove_tree(folder)


def measure(store: ChrootStore, folder: Path, lock: HostLock, files: Files) -> int:
    """The figures, each with its bar; whether they are kept, as an exit status."""
    (system,) = lock.systems.values()
    wanted = [set(each.packages) for each in system.containers.values()]
    common = set.intersection(*wanted)
    base = write_layer(folder / "base", common, files)
    tops = [
        write_layer(folder / f"top-{number}", each - common, files)
        for number, each in enumerate(wanted)
    ]
    host = tree(store, [write_layer(folder / "host", system.packages, files)])
    images = [tree(store, [base, top]) for top in tops]
    own = on_disk(store, images)
    beside = on_disk(store, [host, *images]) - on_disk(store, [host])
    one_base = sum(map(blocks, [base, *tops]))
    own_bases = len(tops) * blocks(base) + sum(map(blocks, tops))
    found = {
        "one base": (own, one_base),
        "own bases": (own, own_bases),
        "beside": (beside, one_base),
    }
    for name, (ours, theirs) in found.items():
        ratio = f"{ours / theirs:.2f} of podman's layers, bar {BARS[name]}"
        print(f"{name:10} {ours / 1e6:8.1f} MB, {theirs / 1e6:8.1f} MB: {ratio}")
    for name, image in zip(system.containers, images, strict=True):
        more = on_disk(store, [host, image]) - on_disk(store, [host])
        print(f"{name} more, beside the system: {more / 1e6:.1f} MB")
    return int(any(ours > BARS[name] * theirs for name, (ours, theirs) in found.items()))


def write_layer(place: Path, packages: Iterable[LockedPackage], files: Files) -> PackedLayer:
    """The files of some packages as one archive."""
    with tarfile.open(place, "w", format=tarfile.PAX_FORMAT) as archive:
        for package in sorted(packages):
            content = process.run(
                "dpkg-deb", "--fsys-tarfile", files[package], limit_bytes=LIMIT_BYTES
            )
            with tarfile.open(fileobj=io.BytesIO(content)) as source:
                for member in source:
                    archive.addfile(member, source.extractfile(member) if member.isreg() else None)
    digest = Digest.of_file(place)
    return PackedLayer(digest, digest, place)


def tree(store: ChrootStore, layers: Sequence[PackedLayer]) -> ImageTree:
    """The object of an image."""
    named = [Layer(Descriptor("", each.name, 0), each.diff_id) for each in layers]
    return image_tree(store, named, lambda: layers)


def blocks(layer: PackedLayer) -> int:
    """What podman has on its disk for a layer: a file or a folder for each name."""
    with tarfile.open(layer.file) as archive:
        members = {each.name: each for each in archive}
    return sum(_rounded(each.size) if each.isreg() else BLOCK for each in members.values())


def on_disk(store: ChrootStore, images: Sequence[ImageTree]) -> int:
    """What a device has for some images: contents, each once, and images."""
    trees = DeviceTrees(store)
    found = {
        each.path: trees.of_closure(store.closure_of(each.sidecar))[each.path] for each in images
    }
    contents = {pair for node in found.values() for pair in _contents(node)}
    sizes = (trees.image((path,), found).entry.size_bytes for path in found)
    return sum(_rounded(size) for _, size in contents) + sum(sizes)


def _contents(node: Node) -> Iterator[tuple[bytes, int]]:
    if isinstance(node, ImageFolder):
        for _, child in node.entries:
            yield from _contents(child)
    elif isinstance(node, ImageFile) and not node.is_inline:
        yield node.content, node.size_bytes


def _rounded(size_bytes: int) -> int:
    return -(-size_bytes // BLOCK) * BLOCK


if __name__ == "__main__":
    sys.exit(main())
