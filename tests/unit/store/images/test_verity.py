"""Digests of contents are those that ``fsverity digest`` prints."""

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.store.images.verity import BLOCK_BYTES, DIGEST_BYTES, VerityHash, digest

PER_BLOCK = BLOCK_BYTES // DIGEST_BYTES

# Printed by `fsverity digest --compact`, which tests/compat/test_images.py asks again.
KNOWN = {
    0: "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95",
    1: "b803429503d95915829b29fdbc8bbad142f3abfd11b1cadf5526582e685c0551",
    BLOCK_BYTES - 1: "5f4953aad672b0188023d6cd6fbce9d09508eb7dad165b6298ce0086bc1e72db",
    BLOCK_BYTES: "13e9b8848ae484a36acb3f3cac0ceb2f7601e96633d15c92f9bd3dd44e492157",
    BLOCK_BYTES + 1: "b0d074abef4d544404facfab6ba242f6a8ccbde90f1325cd286f3c8aa8d0f8aa",
    PER_BLOCK * BLOCK_BYTES: "d82861203d50ae9b60948504a704f35f5118bd229aeb1a22d6dae47b1767c4c4",
    PER_BLOCK * BLOCK_BYTES + 1: "4dc6905041c9c4ee73e13b53f63f5d289c46da359b664a965ead7f8cc4d799d4",
    (5 << 20) + 77: "c730108d285ac8f7a16905c50aa011129fbd09c15322c21d2f9a85904f492682",
    PER_BLOCK**2 * BLOCK_BYTES + 1: (
        "acba6554fbff4e8b2fc0361086b9e8ed6afbbd3196ade159c0f3e2bf9ecb2ed1"
    ),
}
"""Sizes around a block, a level, two levels."""


def content(size_bytes: int) -> bytes:
    """Bytes of which no two blocks of a level are equal."""
    return (bytes(range(251)) * (size_bytes // 251 + 1))[:size_bytes]


@pytest.mark.parametrize("size_bytes", KNOWN)
def test_digests_are_those_of_fsverity(size_bytes: int) -> None:
    assert digest(content(size_bytes)).hex() == KNOWN[size_bytes]


@given(
    st.integers(0, 3 * BLOCK_BYTES + 1),
    st.lists(st.integers(0, 3 * BLOCK_BYTES + 1), max_size=6).map(sorted),
)
def test_it_does_not_matter_how_a_content_is_cut(size_bytes: int, cuts: list[int]) -> None:
    whole = content(size_bytes)
    state = VerityHash()
    for begin, end in itertools.pairwise([0, *cuts, size_bytes]):
        state.update(whole[begin : max(begin, end)])
    assert state.digest() == digest(whole)
    assert state.size_bytes == size_bytes


def test_a_digest_may_be_asked_for_before_the_end() -> None:
    state = VerityHash(content(BLOCK_BYTES + 1))
    assert state.digest() == digest(content(BLOCK_BYTES + 1)) == state.digest()
    state.update(content(2 * BLOCK_BYTES)[BLOCK_BYTES + 1 :])
    assert state.digest() == digest(content(2 * BLOCK_BYTES))


def test_a_content_of_zeros_is_not_one_that_is_shorter() -> None:
    """The last block is filled up with zeros, but the size is hashed too."""
    sizes = (0, 1, 2, BLOCK_BYTES - 1, BLOCK_BYTES)
    assert len({digest(bytes(size)) for size in sizes}) == len(sizes)


def test_a_content_is_not_its_own_tree() -> None:
    """Else a content of hashes could stand for what they are of."""
    whole = content(2 * BLOCK_BYTES)
    hashes = [hashlib.sha256(whole[at : at + BLOCK_BYTES]).digest() for at in (0, BLOCK_BYTES)]
    assert digest(b"".join(hashes)) != digest(whole)
