"""What a secret may be called, and what its value may be."""

import pytest

from reconix.base.secret_values import (
    MAX_BYTES,
    SENT_BYTES,
    BadSecret,
    SecretValue,
    check_name,
    unsealed,
)

VALUE = b"hunter2\0\xff\n"


@pytest.mark.parametrize(
    "name", ["", "a/b", "../identity.json", ".hidden", "-", "A", "a" * 64, "é", "a\n", "a.new"]
)
def test_what_could_be_another_file_is_no_name(name: str) -> None:
    with pytest.raises(BadSecret, match="is not the name of a secret"):
        check_name(name)


def test_a_value_is_bytes_as_they_are_and_arrives_as_it_was_sent() -> None:
    secret = SecretValue("mqtt", VALUE)
    assert unsealed("mqtt", secret.sealed()) == secret
    assert len(SecretValue("x", b"v" * (MAX_BYTES - 1)).sealed()) < SENT_BYTES


def test_a_value_is_not_shown() -> None:
    secret = SecretValue("mqtt", VALUE)
    assert "hunter2" not in f"{secret!r} {secret}"


def test_nothing_and_too_much_is_no_value_and_no_message_has_it() -> None:
    with pytest.raises(BadSecret, match="the value of secret mqtt is empty"):
        SecretValue("mqtt", b"")
    with pytest.raises(BadSecret, match="too large") as failure:
        SecretValue("mqtt", b"hunter2" * MAX_BYTES)
    assert "hunter2" not in str(failure.value)


@pytest.mark.parametrize("kept_bytes", [0, 5, 32, 33, 41])
def test_a_value_that_a_link_cut_is_none(kept_bytes: int) -> None:
    sent = SecretValue("mqtt", VALUE).sealed()
    assert kept_bytes < len(sent)
    with pytest.raises(BadSecret, match="did not arrive as it was sent"):
        unsealed("mqtt", sent[:kept_bytes])
