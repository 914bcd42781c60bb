"""One hash over many pieces, such that each piece can be checked by itself.

The leaves are the hashes of the pieces; pairs of hashes are hashed until one is left. Leaves and
inner nodes are hashed with different first bytes, so that no inner node can be passed off as a
piece. To trust the root is to trust each leaf that it was made from, and with the leaf its piece.

Source: RFC 9162, section 2.1.1, *Definition of the Merkle Tree*.
Tested by ``tests/unit/transfer/format/test_merkle.py``.
"""

import hashlib
from collections.abc import Sequence

HASH_BYTES = 32

_LEAF = b"\x00"
_NODE = b"\x01"


def leaf(content: bytes) -> bytes:
    """The hash of a piece."""
    return hashlib.sha256(_LEAF + content).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The hash over all pieces, from their own.

    Level by level: pairs are joined, one that is left over rises as it is. This gives the same tree
    as the recursive definition, and needs no stack.
    """
    if not leaves:
        return hashlib.sha256().digest()
    level = list(leaves)
    while len(level) > 1:
        above = [_join(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = above + level[len(level) & ~1 :]
    return level[0]


def _join(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()
