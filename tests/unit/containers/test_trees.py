"""The tree of an image as an object of the store, and the image that a device makes of it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.oci_images import file, folder, layer, link, packed

from reconix.base.digests import Digest
from reconix.containers.descriptors import Descriptor
from reconix.containers.images import Layer
from reconix.containers.layers.unpack import PackedLayer
from reconix.containers.trees import image_tree
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees
from reconix.store.images.nodes import ImageFile, ImageLink, Metadata, find
from reconix.store.sidecar import parse_sidecar

LAYERS = (
    layer(folder("bin"), file("bin/run", b"program" * 100, mode=0o4755, user=7, mtime=99)),
    layer(link("odd\udcff\nname", "bin", user=3, mtime=5)),
)


def locked(content: bytes) -> Layer:
    return Layer(Descriptor("", Digest.of(content), len(content)), Digest.of(content))


def none() -> Sequence[PackedLayer]:
    raise AssertionError("it is there already")


@pytest.fixture
def store(tmp_path: Path) -> ChrootStore:
    return ChrootStore(tmp_path / "store")


def test_an_image_is_an_object_with_a_sidecar(store: ChrootStore, tmp_path: Path) -> None:
    layers = [locked(content) for content in LAYERS]
    with store:
        made = image_tree(store, layers, lambda: packed(tmp_path, *LAYERS))
        assert image_tree(store, layers, none) == made
        assert not store.verify([made.path, made.sidecar])
        content = store.path(made.sidecar).read_bytes()
        sidecar = parse_sidecar(content, source="it")
        assert sidecar.subject == made.path
        assert sidecar.omitted == (b"left-out", b"metadata")
        root = find(
            DeviceTrees(store).of_closure(store.closure_of(made.sidecar))[made.path], b"root"
        )
        run = find(root, b"bin", b"run")
        assert isinstance(run, ImageFile) and run.metadata == Metadata(0o4755, 7, 0, 99)
        odd = find(root, b"odd\xff\nname")
        assert isinstance(odd, ImageLink) and odd.metadata == Metadata(0o777, 3, 0, 5)
