"""Layers as they come: in several members or frames, and with nothing behind them."""

import bz2
import gzip
import io
import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as some

from reconix.base.digests import Digest
from reconix.containers.layers.packed import Archive, BadPacking, is_packed, unpacked

CONTENT = b"some content " * 20_000
GZIP = gzip.compress(CONTENT, mtime=0)
ZSTD = zstandard.ZstdCompressor().compress(CONTENT)
SKIPPED = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"


def read(packed: bytes) -> bytes:
    return b"".join(unpacked(io.BytesIO(packed)))


@pytest.mark.parametrize(
    ("packed", "content"),
    [
        (CONTENT, CONTENT),
        (b"", b""),
        (b"\x1f", b"\x1f"),
        (GZIP, CONTENT),
        (GZIP + GZIP + gzip.compress(b""), CONTENT * 2),
        (GZIP + bytes(700), CONTENT),
        (ZSTD, CONTENT),
        (ZSTD + ZSTD, CONTENT * 2),
        (SKIPPED + ZSTD + SKIPPED + ZSTD + SKIPPED, CONTENT * 2),
    ],
)
def test_all_that_is_packed_is_read(packed: bytes, content: bytes) -> None:
    assert read(packed) == content


@pytest.mark.parametrize(
    ("packed", "why"),
    [
        (GZIP + b"garbage", "something follows the end"),
        (GZIP + bytes(1 << 21) + b"\1", "something follows the end"),
        (GZIP + b"\x1f", "ends in the middle"),
        (GZIP + GZIP[:100], "ends in the middle"),
        (GZIP[:-1], "ends in the middle"),
        (GZIP[:50] + b"\0\0\0\0" + GZIP[54:], "not gzip all through"),
        (ZSTD + b"garbage", "not zstd all through"),
        (ZSTD[:50] + b"\xff\xff\xff\xff" + ZSTD[54:], "not zstd all through"),
        (bz2.compress(CONTENT), "compressed with bzip2"),
        (lzma.compress(CONTENT), "compressed with xz"),
    ],
)
def test_what_is_damaged_or_goes_on_is_refused(packed: bytes, why: str) -> None:
    with pytest.raises(BadPacking, match=why):
        read(packed)


def test_what_is_packed_is_seen_from_its_beginning() -> None:
    assert [is_packed(io.BytesIO(each)) for each in (GZIP, ZSTD, SKIPPED, CONTENT)] == [
        *(True, True, True, False)
    ]


def test_a_bomb_is_counted_while_it_is_unpacked(tmp_path: Path) -> None:
    """Ten thousand times as large: 100 MB from 100 kB, and never more than 1 MiB at once."""
    bomb = gzip.compress(bytes(100 << 20))
    assert len(bomb) < 200_000
    assert max(len(piece) for piece in unpacked(io.BytesIO(bomb))) <= 1 << 20


@given(some.lists(some.binary(max_size=50), max_size=6), some.integers(1, 30))
def test_the_digest_is_that_of_all_however_much_was_read(pieces: list[bytes], size: int) -> None:
    def given_pieces() -> Iterator[bytes]:
        yield from filter(None, pieces)

    counted: list[int] = []
    archive = Archive(given_pieces(), counted.append)
    whole = b"".join(pieces)
    assert archive.read(size) == b"".join(filter(None, pieces))[: min(size, len(first(pieces)))]
    assert archive.digest() == Digest.of(whole)
    assert sum(counted) == len(whole)


def first(pieces: list[bytes]) -> bytes:
    return next(filter(None, pieces), b"")
