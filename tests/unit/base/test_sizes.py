"""Sizes are shown with the largest unit that leaves a whole part."""

import pytest

from reconix.base.sizes import human


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        ((1 << 20) - 1, "1024.0 KiB"),
        (1 << 20, "1.0 MiB"),
        (5 << 30, "5.0 GiB"),
        (1 << 40, "1.0 TiB"),
        (1 << 60, "1048576.0 TiB"),
    ],
)
def test_a_size_has_its_unit(size: int, shown: str) -> None:
    assert human(size) == shown
