"""Numbers and times as people say them."""

import pytest

from reconix.cli.words import ago, counted


@pytest.mark.parametrize(("number", "said"), [(0, "0 hosts"), (1, "1 host"), (2, "2 hosts")])
def test_one_is_not_many(number: int, said: str) -> None:
    assert counted(number, "host") == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7199, "1 hour ago"),
        (7200, "2 hours ago"),
        (86400 * 9, "9 days ago"),
    ],
)
def test_how_long_ago_is_told_in_the_largest_unit(seconds: float, said: str) -> None:
    assert ago(seconds) == said
