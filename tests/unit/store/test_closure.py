"""Manifests: closed, sorted, one spelling; and everything else is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base.digests import Digest
from reconix.store.manifest import (
    BadClosure,
    Manifest,
    StoreObject,
    parse_manifest,
    print_manifest,
)
from reconix.store.paths import StorePath

A, B, C = (StorePath(letter * 32, letter) for letter in "abc")


def item(path: StorePath, *references: StorePath, size: int = 112) -> StoreObject:
    return StoreObject(path, Digest.of(path.basename.encode()), size, references)


MANIFEST = Manifest(A, (item(A, A, B), item(B, C), item(C)))


def test_a_manifest_survives_printing() -> None:
    printed = print_closure(MANIFEST)
    assert parse_manifest(printed, source="test") == MANIFEST
    assert print_closure(parse_manifest(printed, source="test")) == printed


def test_the_spelling_is_fixed() -> None:
    assert Digest.of(print_closure(MANIFEST)).hex() == (
        "f9189ac9d6bde5aacf70b8d971a6688e3ea17ea0246ead5839191197d5760ab0"
    )


def test_its_parts_can_be_asked_for() -> None:
    assert MANIFEST.get(B) == item(B, C)
    assert MANIFEST.get(StorePath("0" * 32, "z")) is None
    assert MANIFEST.paths() == {A, B, C}
    assert MANIFEST.nar_size_bytes == 3 * 112


def test_an_open_closure_is_refused() -> None:
    with pytest.raises(BadClosure, match=r"cccc-c is needed and not listed"):
        Manifest(A, (item(A, B), item(B, C)))


def test_a_missing_root_is_refused() -> None:
    with pytest.raises(BadClosure, match="is needed and not listed"):
        Manifest(C, (item(A),))


def test_an_object_that_nothing_needs_is_refused() -> None:
    with pytest.raises(BadClosure, match="nothing refers to"):
        Manifest(A, (item(A), item(B)))


def test_objects_in_disorder_or_twice_are_refused() -> None:
    with pytest.raises(BadClosure, match="sorted"):
        Manifest(A, (item(B), item(A, B)))
    with pytest.raises(BadClosure, match="twice"):
        Manifest(A, (item(A), item(A)))


def test_references_in_disorder_are_refused() -> None:
    with pytest.raises(BadClosure, match="references"):
        item(A, C, B)


@pytest.mark.parametrize("size", [-1, 1 << 63])
def test_an_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(BadClosure, match="no size"):
        item(A, size=size)


def test_w3_of_a_newer_version_what_is_known_is_read() -> None:
    content = json.loads(print_closure(MANIFEST)) | {"version": 2, "extra": 1}
    content["objects"][0]["verity"] = "ab"
    assert parse_manifest(json.dumps(content).encode(), source="test") == MANIFEST
    del content["objects"][0]["references"]
    with pytest.raises(BadClosure, match="references"):
        parse_manifest(json.dumps(content).encode(), source="test")


def test_an_unknown_field_is_refused() -> None:
    content = json.loads(print_closure(MANIFEST)) | {"extra": 1}
    with pytest.raises(BadClosure, match="extra"):
        parse_manifest(json.dumps(content).encode(), source="test")


@pytest.mark.parametrize("key", ["path", "nar_sha256", "nar_size_bytes", "references"])
def test_a_missing_field_is_named(key: str) -> None:
    content = json.loads(print_closure(MANIFEST))
    del content["objects"][1][key]
    with pytest.raises(BadClosure, match=r"objects\[1\]"):
        parse_manifest(json.dumps(content).encode(), source="test")


@given(st.data())
def test_a_truncated_manifest_is_refused(data: st.DataObject) -> None:
    printed = print_closure(MANIFEST)
    with pytest.raises(BadClosure):
        parse_manifest(printed[: data.draw(st.integers(0, len(printed) - 3))], source="test")


@given(st.binary(max_size=200))
def test_noise_is_refused(content: bytes) -> None:
    with pytest.raises(BadClosure):
        parse_manifest(content, source="test")
