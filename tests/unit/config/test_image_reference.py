"""References as people write them, and what is left for nobody to guess."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from reconix.base.digests import Digest
from reconix.config.image_reference import (
    BadReference,
    InDockerArchive,
    InLayout,
    InRegistry,
    parse_reference,
)

DIGEST = Digest(bytes(range(32)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("registry.example.com/a:2", InRegistry("registry.example.com", "a", "2")),
        ("localhost/a:2", InRegistry("localhost", "a", "2")),
        ("host:5000/a/b-c/d__e.f:2.0-X", InRegistry("host:5000", "a/b-c/d__e.f", "2.0-X")),
        ("[::1]:5000/a:2", InRegistry("[::1]:5000", "a", "2")),
        (f"example.com/a@{DIGEST}", InRegistry("example.com", "a", "", DIGEST)),
        (f"example.com/a:2@{DIGEST}", InRegistry("example.com", "a", "2", DIGEST)),
        ("oci:images", InLayout("images")),
        ("oci:images/all:app", InLayout("images/all", "app")),
        ("oci:images:example.com/app:2", InLayout("images", "example.com/app:2")),
        (f"oci:images@{DIGEST}", InLayout("images", "", DIGEST)),
        ("oci:me@home", InLayout("me@home")),
        ("oci-archive:a.tar:app", InLayout("a.tar", "app", is_archive=True)),
        ("docker-archive:a.tar", InDockerArchive("a.tar")),
        ("docker-archive:a.tar:app:1.0", InDockerArchive("a.tar", "app:1.0")),
    ],
)
def test_a_reference_is_read_and_written_again(
    text: str, expected: InRegistry | InLayout | InDockerArchive
) -> None:
    assert parse_reference(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nginx", "does not begin with the host"),
        ("nginx:1.27", "does not begin with the host"),
        ("library/nginx:1.27", "does not begin with the host"),
        ("example.com", "does not begin with the host"),
        ("example.com/a", "neither tag nor digest"),
        ("example.com/a:", "'' is not a tag"),
        ("example.com/a:b:c", "is not a tag"),
        ("example.com/A:1", "is not the name of a repository"),
        ("example.com/a//b:1", "is not the name of a repository"),
        ("example.com/../b:1", "is not the name of a repository"),
        ("example.com/a?x:1", "is not the name of a repository"),
        ("user@example.com/a:1", "is not a SHA-256 digest"),
        ("exa mple.com/a:1", "does not begin with the host"),
        ("https://example.com/a:1", "does not begin with the host"),
        ("-x.y/a:1", "does not begin with the host"),
        ("example.com/a@sha256:12", "no SHA-256 digest"),
        (f"example.com/a@sha512:{'0' * 128}", "is not a SHA-256 digest"),
        ("oci:", "names no file"),
        ("docker-archive::x", "names no file"),
        (f"oci:a:b@{DIGEST}", "a name and a digest"),
        ("example.com/a:1\n", "characters without a shape"),
        ("oci:\x1b[2J", "characters without a shape"),
        (f"example.com/{'a' * 2000}:1", "too long"),
        (f"example.com/{'a' * 300}:1", "is not the name of a repository"),
    ],
)
def test_what_is_none_or_leaves_a_choice_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadReference, match=why) as caught:
        parse_reference(text)
    assert caught.value.hint


def test_a_short_name_is_told_how_it_is_written_in_full() -> None:
    with pytest.raises(BadReference) as caught:
        parse_reference("nginx")
    assert "write registry.example.com/library/nginx:1.27 for nginx" in caught.value.hint


@given(some.text(max_size=60))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        found = parse_reference(text)
    except BadReference:
        return
    assert parse_reference(str(found)) == found
