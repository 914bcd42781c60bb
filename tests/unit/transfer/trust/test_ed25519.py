"""Signatures are checked as RFC 8032 says, by the library that the device has."""

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from reconix.transfer.trust import ed25519
from reconix.transfer.trust.ed25519 import is_signed

VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]
"""Section 7.1, TEST 1 and TEST 2."""


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_the_vectors_of_the_rfc_are_accepted(key: str, message: str, signature: str) -> None:
    words = bytes.fromhex(key), bytes.fromhex(signature), bytes.fromhex(message)
    assert is_signed(*words)
    assert not is_signed(words[0], words[1], words[2] + b"x")


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.data())
def test_what_is_signed_is_accepted_and_a_flipped_bit_is_not(
    seed: bytes, statement: bytes, data: st.DataObject
) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key, signature = private.public_key().public_bytes_raw(), private.sign(statement)
    assert is_signed(key, signature, statement)
    bit = data.draw(st.integers(0, 511))
    forged = bytearray(signature)
    forged[bit // 8] ^= 1 << bit % 8
    assert not is_signed(key, bytes(forged), statement)


@pytest.mark.parametrize(
    ("key", "signature"), [(b"", b""), (bytes(31), bytes(64)), (b"\xff" * 32,) * 2]
)
def test_what_is_no_key_or_no_signature_has_not_signed(key: bytes, signature: bytes) -> None:
    assert not is_signed(key, signature, b"x")


def test_a_device_without_the_library_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ed25519, "_LIBRARY", "libno-such-thing.so.9")
    ed25519._library.cache_clear()
    with pytest.raises(ed25519.NoLibrary, match="libno-such-thing"):
        is_signed(b"key ".ljust(32), bytes(64), b"")
    ed25519._library.cache_clear()


def test_it_needs_nothing_but_the_standard_library() -> None:
    source = str(Path(ed25519.__file__).parents[3])
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from reconix.transfer.trust.ed25519 import is_signed;"
        "print(is_signed(*map(bytes.fromhex, sys.argv[2:])))"
    )
    key, message, signature = VECTORS[1]
    words = [sys.executable, "-I", "-S", "-c", program, source, key, signature, message]
    assert subprocess.check_output(words).strip() == b"True"
