"""What a system says about updates."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base.documents import BadDocument
from reconix.boot.trial import MAX_ATTEMPTS
from reconix.device.settings.policy import Policy, parse_policy, print_policy, read_policy
from reconix.device.state.choice import MAX_FAILURES

POLICIES = st.builds(
    Policy,
    receive=st.booleans(),
    trial_timeout_seconds=st.integers(1, 1 << 20),
    trial_attempts=st.integers(1, MAX_ATTEMPTS),
    always_attempts=st.integers(1, MAX_FAILURES),
    automatic=st.booleans(),
    needs_firmware=st.booleans(),
    window=st.sampled_from(["", "22:00-04:00"]),
)


@given(POLICIES)
def test_what_is_printed_is_parsed_again(policy: Policy) -> None:
    assert parse_policy(print_policy(policy), source="update.json") == policy


def test_a_system_that_says_nothing_allows_updates(tmp_path: Path) -> None:
    assert read_policy(tmp_path) == Policy(receive=True)


def test_what_it_says_is_read(tmp_path: Path) -> None:
    (tmp_path / "update.json").write_text('{"receive": false, "trial_timeout_seconds": 7}')
    assert read_policy(tmp_path) == Policy(receive=False, trial_timeout_seconds=7)


def test_attempts_are_read_and_bounded(tmp_path: Path) -> None:
    text = '{"receive": true, "trial_timeout_seconds": 7, "trial_attempts": 5, %s}'
    (tmp_path / "update.json").write_text(text % '"always_attempts": 1')
    assert read_policy(tmp_path) == Policy(
        trial_timeout_seconds=7, trial_attempts=5, always_attempts=1
    )
    (tmp_path / "update.json").write_text(text % '"always_attempts": 0')
    with pytest.raises(BadDocument):
        read_policy(tmp_path)


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "update.json").write_text('{"receive": "no"}')
    with pytest.raises(BadDocument):
        read_policy(tmp_path)
