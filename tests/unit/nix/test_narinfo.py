"""Descriptions of a binary cache: one spelling, and nothing impossible."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base.digests import Digest
from reconix.nix.database import PathInfo
from reconix.nix.narinfo import BadNarInfo, NarInfoFile, parse_narinfo, print_narinfo
from reconix.store.closure import StoreObject
from reconix.store.paths import StorePath

A, B = (StorePath(letter * 32, letter) for letter in "ab")
FULL = NarInfoFile(
    PathInfo(
        StoreObject(A, Digest.of(b"nar"), 112, (A, B)),
        content_address="fixed:r:sha256:x",
        deriver=B,
        signatures=("k:1", "l:2"),
    ),
    url="nar/x.nar.zst",
    compression="zstd",
    file_digest=Digest.of(b"file"),
    file_size_bytes=99,
)
# `nix copy --to file://...?compression=zstd` wrote this
OF_NIX = b"""StorePath: /nix/store/40x2sdqb0iv7isl8y3n5h1hcm8aq5sjj-hosts
URL: nar/1mh42cwdzi79lgf5z5q53kv99fzr5zlcalg3ak3c1j4pxkbl4jjm.nar.zst
Compression: zstd
FileHash: sha256:1mh42cwdzi79lgf5z5q53kv99fzr5zlcalg3ak3c1j4pxkbl4jjm
FileSize: 129
NarHash: sha256:18f4aqkgkn7l5pj87ppl9dabcd8r60y3rgg1xpariwf5263pxxhn
NarSize: 200
References: 
Sig: test-1:6iEmU7WfqG3tWttywsWGwto7j7DypQ7zob7NoyqeV+md5ITTGWwV9aW5oEwT4n/MGYV5S8HXaK2ILfqPuvZ5DQ==
CA: fixed:r:sha256:18f4aqkgkn7l5pj87ppl9dabcd8r60y3rgg1xpariwf5263pxxhn
"""  # noqa: W291 - as Nix wrote it


def test_a_description_survives_printing() -> None:
    assert parse_narinfo(print_narinfo(FULL), source="test") == FULL


def test_a_description_of_nix_is_spelled_as_nix_spells_it() -> None:
    assert print_narinfo(parse_narinfo(OF_NIX, source="test")) == OF_NIX


def test_without_a_compression_it_is_bzip2() -> None:
    content = print_narinfo(FULL).replace(b"Compression: zstd\n", b"")
    assert parse_narinfo(content, source="test").compression == "bzip2"


def test_unknown_keys_are_ignored() -> None:
    assert parse_narinfo(print_narinfo(FULL) + b"New: 1\n", source="test") == FULL


@pytest.mark.parametrize("key", ["StorePath", "URL", "NarHash", "NarSize"])
def test_a_missing_line_is_named(key: str) -> None:
    lines = print_narinfo(FULL).splitlines(keepends=True)
    content = b"".join(line for line in lines if not line.startswith(key.encode()))
    with pytest.raises(BadNarInfo, match=f"{key} is missing"):
        parse_narinfo(content, source="test")


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("NarSize: 112", "NarSize: -1", "is not a size"),
        ("NarSize: 112", "NarSize: 9223372036854775808", "is no size"),
        ("NarSize: 112", "NarSize: 112\nNarSize: 113", "stands twice"),
        ("NarSize: 112", "NarSize: 112\nReferences:\nReferences:", "stands twice"),
        ("StorePath: /nix/store", "StorePath: /gnu/store", "not a store path"),
        ("NarHash: sha256:", "NarHash: md5:", "is no SHA-256 digest"),
        ("NarHash: sha256:", "NarHash: sha256:0", "not a store path|no SHA-256"),
        ("References: ", "References: x ", "not a store path"),
        ("Compression: zstd", "what is this", "is not a line"),
    ],
)
def test_an_impossible_line_is_refused(old: str, new: str, match: str) -> None:
    content = print_narinfo(FULL).decode()
    assert old in content
    with pytest.raises(BadNarInfo, match=match):
        parse_narinfo(content.replace(old, new, 1).encode(), source="test")


@given(st.binary(max_size=300))
def test_noise_is_refused(content: bytes) -> None:
    with pytest.raises(BadNarInfo):
        parse_narinfo(content, source="test")
