"""Manifests: closed, sorted, one spelling; and everything else is refused."""

import pytest

from reconix.base.digests import Digest
from reconix.store.closure import (
    BadClosure,
    Closure,
    StoreObject,
    print_closure,
)
from reconix.store.paths import StorePath

A, B, C = (StorePath(letter * 32, letter) for letter in "abc")


def item(path: StorePath, *references: StorePath, size: int = 112) -> StoreObject:
    return StoreObject(path, Digest.of(path.basename.encode()), size, references)


MANIFEST = Closure(A, (item(A, A, B), item(B, C), item(C)))


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
        Closure(A, (item(A, B), item(B, C)))


def test_a_missing_root_is_refused() -> None:
    with pytest.raises(BadClosure, match="is needed and not listed"):
        Closure(C, (item(A),))


def test_an_object_that_nothing_needs_is_refused() -> None:
    with pytest.raises(BadClosure, match="nothing refers to"):
        Closure(A, (item(A), item(B)))


def test_objects_in_disorder_or_twice_are_refused() -> None:
    with pytest.raises(BadClosure, match="sorted"):
        Closure(A, (item(B), item(A, B)))
    with pytest.raises(BadClosure, match="twice"):
        Closure(A, (item(A), item(A)))


def test_references_in_disorder_are_refused() -> None:
    with pytest.raises(BadClosure, match="references"):
        item(A, C, B)


@pytest.mark.parametrize("size", [-1, 1 << 63])
def test_an_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(BadClosure, match="no size"):
        item(A, size=size)
