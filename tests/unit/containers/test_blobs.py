"""Blobs are fetched once, by digest, and compared each time."""

from pathlib import Path
from typing import BinaryIO

import pytest
from tests.oci_images import file, image, layer, write_layout

from reconix.base.digests import Digest
from reconix.build.archive.fetch import cached_path
from reconix.config.image_reference import InLayout
from reconix.containers.blobs import fetch_layers
from reconix.containers.descriptors import BadImage, Descriptor
from reconix.containers.images import Document, Image, Source, find_image
from reconix.containers.layout import FolderFiles, Layout

LAYERS = (layer(file("a", b"1")), layer(file("b", b"2")))


class Counting:
    """A source that remembers what was copied, and is asked for nothing else."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.copied: list[Digest] = []

    def top(self) -> Document:
        raise AssertionError("a build follows no name")

    def document(self, descriptor: Descriptor) -> Document:
        raise AssertionError(f"a build needs no document: {descriptor}")

    def copy(self, descriptor: Descriptor, file: BinaryIO) -> None:
        self.copied.append(descriptor.digest)
        self._source.copy(descriptor, file)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    place = tmp_path / "layout"
    write_layout(place, app=image(place, [*LAYERS, LAYERS[0]], compressed=True))
    return Layout(InLayout("layout"), FolderFiles(place))


@pytest.fixture
def found(layout: Layout) -> Image:
    return find_image(layout, "amd64")


def no_source() -> Source:
    raise AssertionError("nothing is missing")


def test_a_layer_is_fetched_once(layout: Layout, found: Image, tmp_path: Path) -> None:
    source = Counting(layout)
    layers = fetch_layers(found, lambda: source, cache=tmp_path / "cache")
    assert source.copied == [found.layers[0].blob.digest, found.layers[1].blob.digest]
    assert [Digest.of_file(each.file) for each in layers] == [each.name for each in layers]
    assert layers[0] == layers[2]
    assert fetch_layers(found, no_source, cache=tmp_path / "cache") == layers


def test_a_layer_that_was_damaged_is_fetched_again(
    layout: Layout, found: Image, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    fetch_layers(found, lambda: layout, cache=cache)
    place = cached_path(cache, found.layers[1].blob.digest)
    good = place.read_bytes()
    place.chmod(0o644)
    place.write_bytes(good[:-1] + b"?")
    source = Counting(layout)
    fetch_layers(found, lambda: source, cache=cache)
    assert source.copied == [found.layers[1].blob.digest]
    assert place.read_bytes() == good


def test_a_blob_that_is_another_one_is_not_kept(found: Image, tmp_path: Path) -> None:
    blob = tmp_path / "layout/blobs/sha256" / found.layers[0].blob.digest.hex()
    blob.write_bytes(b"other")
    source = Layout(InLayout("layout"), FolderFiles(tmp_path / "layout"))
    with pytest.raises(BadImage, match=str(found.layers[0].blob.digest)):
        fetch_layers(found, lambda: source, cache=tmp_path / "cache")
    assert not [each for each in (tmp_path / "cache/sha256").rglob("*") if each.is_file()]
