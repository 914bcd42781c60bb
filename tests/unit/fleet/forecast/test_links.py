"""A link is a name or a rate, and a stream takes as long as its bits do."""

import pytest

from reconix.base.errors import UsageError
from reconix.fleet.forecast.links import NAMED, Link


@pytest.mark.parametrize(
    ("word", "rate"),
    [("lte-m", 300_000), ("iridium", 2_400), ("9600", 9_600), ("64k", 64_000), ("2M", 2_000_000)],
)
def test_a_link_is_a_name_or_a_number_of_bits(word: str, rate: int) -> None:
    assert Link.parse(word) == Link(word, rate)


@pytest.mark.parametrize("word", ["", "0", "0k", "-1", "1.5M", "5G", "pigeon", "9" * 13, "٣"])
def test_what_is_no_link_is_refused_with_those_that_are(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        Link.parse(word)
    assert all(name in caught.value.hint for name in NAMED)


def test_a_stream_takes_as_long_as_its_bits_and_what_carries_them() -> None:
    assert Link("9600", 9_600).seconds(0) == 0
    assert Link("9600", 9_600).seconds(1) == 1
    assert Link("9600", 9_600).seconds(1_400 * 9_600) == 1_480 * 8
