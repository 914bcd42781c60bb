"""Ways through a tree."""

import hashlib

import pytest
from tests.image_trees import file, folder, link

from reconix.store.images.nodes import (
    EXECUTABLE,
    MAX_INLINE_BYTES,
    READ_ONLY,
    ImageFile,
    Node,
    contents,
    count,
    files,
    find,
    usual,
    walk,
)

DIGEST = hashlib.sha256(b"content").digest()
LARGE = ImageFile(READ_ONLY, MAX_INLINE_BYTES + 1, DIGEST)
SMALL = file(b"x" * MAX_INLINE_BYTES)
INNER = folder(a=LARGE, b=link(b"a"), c=SMALL)
TREE = folder(again=LARGE, inner=INNER, last=SMALL)


def test_a_walk_meets_folders_before_what_is_in_them_and_names_in_their_order() -> None:
    assert list(walk(TREE)) == [TREE, LARGE, INNER, LARGE, link(b"a"), SMALL, SMALL]
    assert count(TREE) == 7


def test_files_are_told_with_their_paths() -> None:
    paths = [path for path, _ in files(TREE)]
    assert paths == [(b"again",), (b"inner", b"a"), (b"inner", b"c"), (b"last",)]
    assert list(files(LARGE)) == [((), LARGE)]


def test_only_larger_files_have_a_content_in_the_pool() -> None:
    assert not LARGE.is_inline
    assert SMALL.is_inline
    assert list(contents(TREE)) == [(DIGEST, LARGE.size_bytes)] * 2


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ((), TREE),
        ((b"inner",), INNER),
        ((b"inner", b"a"), LARGE),
        ((b"no",), None),
        ((b"inner", b"no", b"a"), None),
        ((b"inner", b"b", b"a"), None),
    ],
)
def test_a_path_is_found_without_following_links(
    path: tuple[bytes, ...], found: Node | None
) -> None:
    assert find(TREE, *path) == found


def test_trees_may_be_deeper_than_the_stack() -> None:
    node: Node = SMALL
    for _ in range(5000):
        node = folder(x=node)
    assert count(node) == 5001
    assert len(next(files(node))[0]) == 5000


def test_a_file_of_which_nothing_is_said_is_as_nix_has_it() -> None:
    assert usual(executable=True) == EXECUTABLE
    assert usual(executable=False) == READ_ONLY
