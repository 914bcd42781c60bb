"""Times, sizes and shares of compose files are what our options take."""

from collections.abc import Callable

import pytest

from reconix.containers.compose.quantities import NoQuantity, percent, seconds, size, words


@pytest.mark.parametrize(
    ("read", "written", "ours"),
    [
        (seconds, "1m30s", "90s"),
        (seconds, "2h", "2h"),
        (seconds, "90m", "90min"),
        (seconds, "500ms", "1s"),
        (seconds, "1.5s", "2s"),
        (seconds, "0s", "0s"),
        (seconds, "10us", "1s"),
        (size, "64m", "64M"),
        (size, "1gb", "1G"),
        (size, "1GiB", "1G"),
        (size, "300 kb", "300K"),
        (size, "1024", "1K"),
        (size, "50b", "50"),
        (size, "0.5g", "512M"),
        (percent, "0.5", "50%"),
        (percent, "2", "200%"),
        (percent, "0.001", "1%"),
    ],
)
def test_a_quantity_is_rounded_up_to_ours(
    read: Callable[[str], str], written: str, ours: str
) -> None:
    assert read(written) == ours


@pytest.mark.parametrize("written", ["", "5", "1m 30s", "s", "-1s", "1m30", "1y", "\u0661s"])
def test_what_is_no_time_is_refused(written: str) -> None:
    with pytest.raises(NoQuantity):
        seconds(written)


@pytest.mark.parametrize("written", ["", "m", "-1", "1x", "1e9", "1.m", "9" * 40])
def test_what_is_no_size_is_refused(written: str) -> None:
    with pytest.raises(NoQuantity):
        size(written)


@pytest.mark.parametrize("written", ["", "50%", "-1", "1e3", "9" * 40])
def test_what_is_no_number_of_processors_is_refused(written: str) -> None:
    with pytest.raises(NoQuantity):
        percent(written)


def test_a_command_line_is_split_as_a_shell_would_and_not_run_by_one() -> None:
    assert words("nginx -g 'daemon off;' $X") == ("nginx", "-g", "daemon off;", "$X")
    with pytest.raises(NoQuantity):
        words("nginx 'x")
