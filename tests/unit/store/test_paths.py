"""Store paths: spelling, folding, and the rules by which content names them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base.digests import Digest
from reconix.store.paths import (
    BadStorePath,
    StorePath,
    base32_decode,
    base32_encode,
    content_address,
    fixed_address,
    text_address,
)

HASH = "00bgd045z0d4icpbc2yyz4gx48ak44la"


def test_a_path_prints_what_it_was_parsed_from() -> None:
    text = f"/nix/store/{HASH}-net-tools-1.60_p20170221182432"
    assert str(StorePath.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/nix/store",
        "/nix/store/",
        f"/nix/store/{HASH}",
        f"/nix/store/{HASH}-",
        f"/nix/store/{HASH}-.hidden",
        f"/nix/store/{HASH}-a b",
        f"/nix/store/{HASH}-a\n",
        f"/nix/store/{HASH}-{'n' * 212}",
        f"/nix/store/{HASH}-a/b",
        f"/nix/store/{HASH[:-1]}e-a",
        f"/nix/store/{HASH[:-1]}-a",
        f"/nix/Store/{HASH}-a",
        f"//nix/store/{HASH}-a",
        f"/nix/store/../store/{HASH}-a",
    ],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(BadStorePath, match="not a store path"):
        StorePath.parse(text)


def test_the_object_around_a_file_is_found() -> None:
    inside = f"/nix/store/{HASH}-hello/bin/hello"
    assert StorePath.containing(inside) == StorePath(HASH, "hello")
    with pytest.raises(BadStorePath):
        StorePath.containing("/usr/bin/hello")


@given(st.binary(max_size=64))
def test_base32_goes_both_ways(value: bytes) -> None:
    assert base32_decode(base32_encode(value), len(value)) == value


def test_base32_is_spelled_as_nix_spells_it() -> None:
    # nix-hash --type sha1 --to-base32 e4fd8ba5f7bbeaea5ace89fe10255536cd60dab6
    digest = bytes.fromhex("e4fd8ba5f7bbeaea5ace89fe10255536cd60dab6")
    assert base32_encode(digest) == "nvd61k9nalji1zl9rrdfmsmvyyjqpzg4"


@pytest.mark.parametrize("text", ["z" * 52, "0" * 51, "0" * 53, "e" + "0" * 51])
def test_base32_that_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(BadStorePath):
        base32_decode(text, 32)


def test_the_order_of_references_does_not_matter() -> None:
    one, other = StorePath("0" * 32, "a"), StorePath("1" * 32, "b")
    digest = Digest.of(b"")
    assert content_address(digest, "x", [one, other, one]) == content_address(
        digest, "x", [other, one]
    )


def test_every_part_of_the_rule_changes_the_path() -> None:
    one, digest = StorePath("0" * 32, "a"), Digest.of(b"")
    paths = {
        content_address(digest, "x"),
        content_address(digest, "y"),
        content_address(Digest.of(b"1"), "x"),
        content_address(digest, "x", [one]),
        content_address(digest, "x", refers_to_itself=True),
        text_address(digest, "x"),
        text_address(digest, "x", [one]),
        fixed_address("sha256", digest.value, "x", recursive=False),
        fixed_address("sha1", digest.value[:20], "x", recursive=True),
    }
    assert len(paths) == 9
