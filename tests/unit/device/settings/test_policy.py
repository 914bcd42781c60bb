"""What a system says about updates."""

from pathlib import Path

import pytest

from reconix.base.documents import BadDocument
from reconix.device.settings.policy import Policy, read_policy


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
