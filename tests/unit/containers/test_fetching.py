"""The parts of an image that a lock names, without anybody being asked twice."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.locked_containers import images, locked
from tests.oci_images import file, image, layer, write_layout

from reconix.base.digests import Digest
from reconix.config.lock.containers import ContainerLock
from reconix.containers.descriptors import BadImage

LAYERS = (layer(file("a")), layer(file("b")))


@pytest.fixture
def lock(tmp_path: Path) -> ContainerLock:
    place = tmp_path / "images"
    write_layout(place, app=image(place, LAYERS, compressed=True, config={"User": "app"}))
    return locked(tmp_path, "oci:images:app")


def test_settings_and_layers_are_those_of_the_lock(tmp_path: Path, lock: ContainerLock) -> None:
    found = images(tmp_path)
    assert b'"User": "app"' in found.settings(lock)
    layers = found.layers(lock)
    assert [each.diff_id for each in layers] == [Digest.of(content) for content in LAYERS]
    assert [Digest.of_file(each.file) for each in layers] == [each.name for each in layers]


def test_what_was_fetched_once_needs_no_source(tmp_path: Path, lock: ContainerLock) -> None:
    before = images(tmp_path).layers(lock), images(tmp_path).settings(lock)
    shutil.rmtree(tmp_path / "images")
    assert (images(tmp_path).layers(lock), images(tmp_path).settings(lock)) == before


def test_another_blob_is_refused(tmp_path: Path, lock: ContainerLock) -> None:
    digest = lock.layers[1].blob.digest.hex()
    (tmp_path / "images/blobs/sha256" / digest).write_bytes(b"another")
    with pytest.raises(BadImage, match=digest):
        images(tmp_path).layers(lock)


def test_a_name_that_leads_elsewhere_by_now_does_not_matter(
    tmp_path: Path, lock: ContainerLock
) -> None:
    place = tmp_path / "images"
    write_layout(place, app=image(place, LAYERS[:1]))
    assert len(images(tmp_path).layers(lock)) == 2


def test_what_is_nowhere_is_told(tmp_path: Path, lock: ContainerLock) -> None:
    assert lock.config is not None
    gone = replace(lock, config=replace(lock.config, digest=Digest.of(b"gone")))
    with pytest.raises(BadImage, match=Digest.of(b"gone").hex()):
        images(tmp_path).settings(gone)
