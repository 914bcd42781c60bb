"""What a registry wants from whoever asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from reconix.base.documents import BadDocument
from reconix.containers.challenge import (
    Challenge,
    PasswordWanted,
    TokenWanted,
    parse_challenge,
    parse_token,
)

REALM = "https://tokens.example.com/get"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Basic realm="x"', PasswordWanted()),
        ("basic", PasswordWanted()),
        (f'Bearer realm="{REALM}"', TokenWanted(REALM, "", "")),
        (
            f'bearer realm="{REALM}",service="a, b",scope="repository:x:pull,push"',
            TokenWanted(REALM, "a, b", "repository:x:pull,push"),
        ),
        (f'Basic realm="x", Bearer realm="{REALM}", service=s', TokenWanted(REALM, "s", "")),
        (r'Bearer realm="a\"b"', TokenWanted('a"b', "", "")),
        ("Bearer", None),
        ("Negotiate", None),
        ('Digest realm="Basic"', None),
        ("", None),
    ],
)
def test_a_challenge_is_read(header: str, expected: Challenge | None) -> None:
    assert parse_challenge(header) == expected


def test_a_token_server_is_asked_for_reading() -> None:
    assert TokenWanted(REALM, "", "").address("a/b") == f"{REALM}?scope=repository:a/b:pull"
    wanted = TokenWanted(f"{REALM}?x=1", "my service", "s")
    assert wanted.address("a") == f"{REALM}?x=1&service=my+service&scope=s"


@pytest.mark.parametrize("text", ['{"token": "a.b-c"}', '{"access_token": "a.b-c", "token": null}'])
def test_a_token_is_read(text: str) -> None:
    assert parse_token(text.encode(), source="it") == "a.b-c"


@pytest.mark.parametrize("text", ["{}", "[]", '{"token": ""}', '{"token": "a\\r\\nX: y"}', "x"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(BadDocument) as caught:
        parse_token(text.encode(), source="it")
    assert "X: y" not in str(caught.value)


@given(some.text())
def test_any_header_is_read(header: str) -> None:
    parse_challenge(header)
