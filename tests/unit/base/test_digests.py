import hashlib
from pathlib import Path

import pytest

from reconix.base.digests import BadDigest, Digest
from reconix.base.files import COPY_BYTES

HEX = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""SHA-256 of "abc": FIPS 180-2, appendix B.1."""


def test_digest_is_that_of_the_standard() -> None:
    assert Digest.of(b"abc").hex() == HEX
    assert str(Digest.of(b"abc")) == f"sha256:{HEX}"


@pytest.mark.parametrize("text", [HEX, f"sha256:{HEX}"])
def test_both_spellings_are_read(text: str) -> None:
    assert Digest.parse(text) == Digest.of(b"abc")


@pytest.mark.parametrize(
    "text", ["", HEX[:-1], HEX + "0", HEX.upper(), f"sha512:{HEX}", f"{HEX}\n", f" {HEX}"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadDigest):
        Digest.parse(text)


def test_a_digest_has_32_bytes() -> None:
    with pytest.raises(BadDigest):
        Digest(b"short")


@pytest.mark.parametrize("size_bytes", [0, 1, COPY_BYTES, COPY_BYTES + 1])
def test_digest_of_a_file_is_that_of_its_content(tmp_path: Path, size_bytes: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size_bytes)
    assert Digest.of_file(path).value == hashlib.sha256(b"x" * size_bytes).digest()
