"""What a system says about updates."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.placed import with_files

from reconix.base.documents import BadDocument
from reconix.base.firmware import FirmwareKind
from reconix.boot.trial import MAX_ATTEMPTS
from reconix.device.settings.policy import (
    NAME,
    Policy,
    Untouched,
    parse_policy,
    print_policy,
    read_policy,
)
from reconix.device.state.choice import MAX_FAILURES
from reconix.store.pool import BadContent

POLICIES = st.builds(
    Policy,
    receive=st.booleans(),
    trial_timeout_seconds=st.integers(1, 1 << 20),
    trial_attempts=st.integers(1, MAX_ATTEMPTS),
    always_attempts=st.integers(1, MAX_FAILURES),
    automatic=st.booleans(),
    needs_firmware=st.booleans(),
    window=st.sampled_from(["", "22:00-04:00"]),
    untouched=st.sampled_from(Untouched),
    strict_minify=st.booleans(),
    firmware=st.sampled_from(FirmwareKind),
)


@given(POLICIES)
def test_what_is_printed_is_parsed_again(policy: Policy) -> None:
    assert parse_policy(print_policy(policy), source="update.json") == policy


def test_a_system_that_says_nothing_allows_updates(tmp_path: Path) -> None:
    assert read_policy(*with_files(tmp_path, {})) == Policy(receive=True)


def test_what_it_says_is_read(tmp_path: Path) -> None:
    said = b'{"receive": false, "trial_timeout_seconds": 7}'
    assert read_policy(*with_files(tmp_path, {NAME: said})) == Policy(
        receive=False, trial_timeout_seconds=7
    )


def test_attempts_are_read_and_bounded() -> None:
    text = b'{"receive": true, "trial_timeout_seconds": 7, "trial_attempts": 5, %s}'
    assert parse_policy(text % b'"always_attempts": 1', source=NAME) == Policy(
        trial_timeout_seconds=7, trial_attempts=5, always_attempts=1
    )
    with pytest.raises(BadDocument):
        parse_policy(text % b'"always_attempts": 0', source=NAME)


def test_what_a_later_release_wants_of_an_update_that_touches_nothing_is_a_trial() -> None:
    text = b'{"receive": true, "trial_timeout_seconds": 7, "untouched": "%s"}'
    for word, kind in ((b"commit", Untouched.COMMIT), (b"else", Untouched.TRIAL)):
        assert parse_policy(text % word, source=NAME).untouched is kind


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    registry, toplevel = with_files(tmp_path, {NAME: b'{"receive": "no"}'})
    with pytest.raises(BadDocument, match=f"{toplevel}/{NAME}"):
        read_policy(registry, toplevel)


def test_what_is_lost_does_not_become_what_a_system_without_the_file_would_say(
    tmp_path: Path,
) -> None:
    registry, toplevel = with_files(tmp_path, {NAME: print_policy(Policy(receive=False))})
    for content in registry.pool.digests():
        registry.pool.path(content).unlink()
    with pytest.raises(BadContent, match="is missing"):
        read_policy(registry, toplevel)


def test_a_kind_of_firmware_that_is_not_known_is_an_error() -> None:
    said = b'{"receive": true, "trial_timeout_seconds": 7, "firmware": "coreboot"}'
    with pytest.raises(BadDocument, match="'coreboot' is not known"):
        parse_policy(said, source=NAME)
