"""The tree is that of RFC 9162."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from reconix.transfer.format.merkle import leaf, root


def by_definition(pieces: list[bytes]) -> bytes:
    """MTH as section 2.1.1 writes it: split at the largest power of two below n."""
    if not pieces:
        return hashlib.sha256(b"").digest()
    if len(pieces) == 1:
        return hashlib.sha256(b"\0" + pieces[0]).digest()
    split = 1
    while split * 2 < len(pieces):
        split *= 2
    left, right = by_definition(pieces[:split]), by_definition(pieces[split:])
    return hashlib.sha256(b"\1" + left + right).digest()


@given(st.lists(st.binary(max_size=3), max_size=40))
def test_the_root_is_that_of_the_definition(pieces: list[bytes]) -> None:
    assert root([leaf(piece) for piece in pieces]) == by_definition(pieces)


def test_an_inner_node_is_no_piece() -> None:
    leaves = [leaf(b"one"), leaf(b"two")]
    assert root([leaf(b"".join(leaves))]) != root(leaves)


def test_another_order_is_another_root() -> None:
    assert root([leaf(b"one"), leaf(b"two")]) != root([leaf(b"two"), leaf(b"one")])
