"""Manifests: images, sorted, one spelling; and everything else is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base.digests import Digest
from reconix.store.manifest import (
    MAX_IMAGES,
    BadManifest,
    ImageEntry,
    Manifest,
    parse_manifest,
    print_manifest,
)
from reconix.store.paths import StorePath

A, B, C = (StorePath(letter * 32, letter) for letter in "abc")
ONE, TWO = (Digest.of(each) for each in (b"one", b"two"))
MANIFEST = Manifest(A, (ImageEntry((A,), ONE, 4096), ImageEntry((B, C), TWO, 8192)))


def test_a_manifest_survives_printing() -> None:
    printed = print_manifest(MANIFEST)
    assert parse_manifest(printed, source="test") == MANIFEST
    assert print_manifest(parse_manifest(printed, source="test")) == printed


def test_the_spelling_is_fixed() -> None:
    assert json.loads(print_manifest(MANIFEST)) == {
        "version": 2,
        "root": str(A),
        "images": [
            {"objects": [str(A)], "sha256": ONE.hex(), "size_bytes": 4096},
            {"objects": [str(B), str(C)], "sha256": TWO.hex(), "size_bytes": 8192},
        ],
    }
    assert Digest.of(print_manifest(MANIFEST)).hex() == (
        "b8445d2f036b8f4e3dff1ed4ef623189d173622eb058104911046c0dd87c887d"
    )


def test_its_parts_can_be_asked_for() -> None:
    assert MANIFEST.objects == (A, B, C)
    assert MANIFEST.image_of(C) == MANIFEST.images[1]
    assert MANIFEST.image_of(StorePath("0" * 32, "z")) is None


def test_an_object_of_several_images_is_listed_once() -> None:
    twice = Manifest(A, (ImageEntry((A, B), ONE, 1), ImageEntry((B, C), TWO, 1)))
    assert twice.objects == (A, B, C)
    assert twice.image_of(B) == twice.images[0]


def test_a_missing_root_is_refused() -> None:
    with pytest.raises(BadManifest, match="it stands in none of its images"):
        Manifest(C, (ImageEntry((A,), ONE, 4096),))
    with pytest.raises(BadManifest, match="it stands in none of its images"):
        Manifest(C, ())


def test_images_in_disorder_or_twice_are_refused() -> None:
    with pytest.raises(BadManifest, match="not sorted"):
        Manifest(A, (ImageEntry((B,), TWO, 1), ImageEntry((A,), ONE, 1)))
    with pytest.raises(BadManifest, match="twice"):
        Manifest(A, (ImageEntry((A,), ONE, 1), ImageEntry((B,), ONE, 1)))


def test_objects_in_disorder_twice_or_none_are_refused() -> None:
    for objects in [(B, A), (A, A), ()]:
        with pytest.raises(BadManifest, match="its objects are not sorted"):
            ImageEntry(objects, ONE, 1)


@pytest.mark.parametrize("size", [-1, 0, 1 << 32])
def test_an_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(BadManifest, match="no size"):
        ImageEntry((A,), ONE, size)


def test_more_images_than_anybody_mounts_are_refused() -> None:
    paths = sorted(StorePath("0" * 32, f"o{number}") for number in range(MAX_IMAGES + 1))
    images = [ImageEntry((path,), Digest.of(path.basename.encode()), 1) for path in paths]
    assert len(Manifest(paths[0], tuple(images[:-1])).images) == MAX_IMAGES
    with pytest.raises(BadManifest, match="too many"):
        Manifest(paths[0], tuple(images))


def test_a_manifest_of_the_layout_before_says_so() -> None:
    for version in (1, 0):
        content = json.dumps({"version": version, "root": str(A), "objects": []}).encode()
        with pytest.raises(BadManifest, match=r"version [01]"):
            parse_manifest(content, source="test")
    old = json.dumps({"version": 1, "root": str(A), "objects": []}).encode()
    with pytest.raises(BadManifest, match="test: version 1 was for another disk layout"):
        parse_manifest(old, source="test")


def test_w3_of_a_newer_version_what_is_known_is_read() -> None:
    content = json.loads(print_manifest(MANIFEST)) | {"version": 3, "extra": 1}
    content["images"][0]["verity"] = "ab"
    assert parse_manifest(json.dumps(content).encode(), source="test") == MANIFEST
    del content["images"][0]["objects"]
    with pytest.raises(BadManifest, match="objects"):
        parse_manifest(json.dumps(content).encode(), source="test")


def test_an_unknown_field_is_refused() -> None:
    content = json.loads(print_manifest(MANIFEST)) | {"extra": 1}
    with pytest.raises(BadManifest, match="extra"):
        parse_manifest(json.dumps(content).encode(), source="test")


@pytest.mark.parametrize("key", ["objects", "sha256", "size_bytes"])
def test_a_missing_field_is_named(key: str) -> None:
    content = json.loads(print_manifest(MANIFEST))
    del content["images"][1][key]
    with pytest.raises(BadManifest, match=r"images\[1\]"):
        parse_manifest(json.dumps(content).encode(), source="test")


@given(st.data())
def test_a_truncated_manifest_is_refused(data: st.DataObject) -> None:
    printed = print_manifest(MANIFEST)
    with pytest.raises(BadManifest):
        parse_manifest(printed[: data.draw(st.integers(0, len(printed) - 3))], source="test")


@given(st.binary(max_size=200))
def test_noise_is_refused(content: bytes) -> None:
    with pytest.raises(BadManifest):
        parse_manifest(content, source="test")
