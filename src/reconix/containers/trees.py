"""The tree of an image as an object of the build store, with what is said of it.

An image is made of layers, and of nothing else: so equal layers are an equal object, whatever the
image is called and wherever it comes from, and the recipe is the list of their digests. What the
store cannot hold stands beside the tree and becomes its sidecar, as it does for a Debian root
(``build/host.py``).

The tree is in a folder of the object. An image may have any name in its root, also those of our
lists. The object itself is closed to everybody but root: an image may have a program with a
set-user-ID bit, which no user of a device is to find in its store.

Tested by ``tests/unit/containers/test_trees.py``; against umoci by
``tests/compat/test_oci_umoci.py``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconix.base import progress
from reconix.base.files import read_bounded
from reconix.build import recipes
from reconix.build.recipes import Recipe
from reconix.containers.images import Layer
from reconix.containers.layers import unpack
from reconix.containers.layers.unpack import LEFT_OUT, METADATA, PackedLayer
from reconix.nix.chroot import ChrootStore
from reconix.store.images.nodes import Metadata
from reconix.store.paths import StorePath
from reconix.store.sidecar import (
    ITSELF,
    MAX_SIDECAR_BYTES,
    Entries,
    Sidecar,
    parse_entries,
    print_sidecar,
)
from reconix.store.tree import File

NAME = "container-root"


CLOSED = Metadata(0o700)
"""Of the object around a tree."""


@dataclass(frozen=True, slots=True)
class ImageTree:
    """What an image is in the store."""

    path: StorePath
    sidecar: StorePath
    entries: Entries
    """What the sidecar says of it."""


def image_tree(
    store: ChrootStore, layers: Sequence[Layer], packed: Callable[[], Sequence[PackedLayer]]
) -> ImageTree:
    """Give the tree of an image; unpack its layers if need be.

    Args:
        store: where it goes.
        layers: what a lock names.
        packed: gives their files; asked only if the tree is not there yet.

    Raises:
        BadImage: see ``unpack``.
    """
    inputs = tuple(("layer", str(layer.diff_id)) for layer in layers)
    recipe = Recipe("root of a container", NAME, inputs, recipes.sources(unpack))

    def make(into: Path) -> None:
        files = packed()
        with progress.stage(f"unpack an image of {len(files)} layers"):
            unpack.unpack(files, into)

    path = recipes.realise(store, recipe, make)
    sidecar = _sidecar(store, path)
    return described(store, sidecar)


def described(store: ChrootStore, sidecar: Sidecar) -> ImageTree:
    """A tree with what is said of it, once that is in the store, too."""
    content = File(print_sidecar(sidecar))
    path = store.add_files(content, sidecar.name, [sidecar.subject])
    return ImageTree(sidecar.subject, path, sidecar.entries)


def _sidecar(store: ChrootStore, path: StorePath) -> Sidecar:
    content = read_bounded(store.path(path) / METADATA, MAX_SIDECAR_BYTES)
    entries = parse_entries(content, source=f"{path}/{METADATA}")
    own = ((ITSELF, CLOSED), *entries)
    return Sidecar(path, own, (LEFT_OUT.encode(), METADATA.encode()))
