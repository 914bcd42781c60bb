"""Adding a difference to old bytes, each to each modulo 256, without a loop over bytes.

Python adds big integers quickly, and bytes side by side are a big integer. What must not happen is
that a carry runs into the next byte. So the highest bit of each byte is left out of the addition
and put back with exclusive or: in the highest place addition modulo 2 is just that.

A compiled library does the same where there is one (``compiled.py``).

Most differences are nearly all 0. So it is done in pieces, and those that are 0 are left out.

Tested by ``tests/unit/transfer/codecs/test_patch.py`` against the loop.
"""

import functools

from reconix.transfer.codecs import compiled

_PIECE_BYTES = 1 << 10
_ZEROS = bytes(_PIECE_BYTES)


def add(old: bytes, difference: bytes) -> bytes:
    """Add byte by byte; both have the same size."""
    size = len(old)
    if difference.count(0) == size:
        return old
    library = compiled.library()
    if library is not None:
        return library.add(old, difference)
    return in_pieces(old, difference)


def in_pieces(old: bytes, difference: bytes) -> bytes:
    """The same, by Python alone."""
    size = len(old)
    begins = range(0, size, _PIECE_BYTES)
    pieces = (slice(begin, begin + _PIECE_BYTES) for begin in begins)
    return b"".join([_add(old[piece], difference[piece]) for piece in pieces])


def _add(old: bytes, difference: bytes) -> bytes:
    if difference == _ZEROS:
        return old
    size = len(old)
    high = _high(size)
    left, right = int.from_bytes(old, "little"), int.from_bytes(difference, "little")
    low = (left & ~high) + (right & ~high)
    return (low ^ ((left ^ right) & high)).to_bytes(size, "little")


def subtract(new: bytes, old: bytes) -> bytes:
    """What must be added to ``old`` to give ``new``."""
    if new == old:
        return bytes(len(new))
    high = _high(len(new))
    left, right = int.from_bytes(new, "little"), int.from_bytes(old, "little")
    low = (left | high) - (right & ~high)
    return (low ^ ((left ^ right ^ high) & high)).to_bytes(len(new), "little")


@functools.lru_cache(maxsize=8)
def _high(size_bytes: int) -> int:
    """The highest bit of each byte."""
    return int.from_bytes(b"\x80" * size_bytes, "little")
