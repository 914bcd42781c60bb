"""Scanning finds each hash that is there, wherever chunks end, and nothing else."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from reconix.store.paths import StorePath, base32_encode
from reconix.store.references import Scanner, SelfBlindDigest

PATHS = [
    StorePath(base32_encode(hashlib.sha256(bytes([n])).digest()[:20]), f"p{n}") for n in range(8)
]
NOISE = st.binary(max_size=80) | st.text("0123456789abcdfghijklmnpqrsvwxyz", max_size=80).map(
    str.encode
)
PIECES = st.lists(NOISE | st.sampled_from(PATHS).map(lambda path: path.hash.encode()), max_size=12)


@given(PIECES, st.data())
def test_a_hash_is_found_across_any_chunk_border(pieces: list[bytes], data: st.DataObject) -> None:
    text = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    scanner = Scanner(PATHS)
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        scanner.feed(text[start:end])
    assert scanner.found() == {path for path in PATHS if path.hash.encode() in text}


def test_a_hash_fed_byte_by_byte_is_found() -> None:
    scanner = Scanner(PATHS)
    for byte in b"zzz" + PATHS[3].hash.encode() + b"zzz":
        scanner.feed(bytes([byte]))
    assert scanner.found() == {PATHS[3]}


def test_part_of_a_hash_is_no_reference() -> None:
    scanner = Scanner(PATHS)
    scanner.feed(PATHS[0].hash[:31].encode() + b"-" + PATHS[0].hash[31:].encode())
    assert scanner.found() == set()


def test_only_candidates_are_found() -> None:
    scanner = Scanner(PATHS[:1])
    scanner.feed(str(PATHS[1]).encode())
    assert scanner.found() == set()


@given(PIECES, st.integers(1, 100))
def test_the_blind_digest_does_not_depend_on_chunks(pieces: list[bytes], size: int) -> None:
    text = b"".join(pieces)
    whole, parts = SelfBlindDigest(PATHS[0].hash), SelfBlindDigest(PATHS[0].hash)
    whole.feed(text)
    for start in range(0, len(text), size):
        parts.feed(text[start : start + size])
    assert parts.digest() == whole.digest()
    assert parts.mentions_itself == (PATHS[0].hash.encode() in text)


@given(st.lists(NOISE, max_size=5))
def test_the_blind_digest_does_not_see_which_hash_it_is(pieces: list[bytes]) -> None:
    digests = []
    for path in PATHS[:2]:
        own = path.hash.encode()
        state = SelfBlindDigest(path.hash)
        state.feed(own.join([b"/", *pieces, b"/"]))
        digests.append(state.digest())
    assert digests[0] == digests[1]
