"""Squarified treemaps."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.pictures.squarify import Box, squarify

SIZES = st.lists(st.integers(1, 10**9), min_size=1, max_size=60).map(
    lambda sizes: sorted(sizes, reverse=True)
)
BOXES = st.builds(Box, st.floats(0, 100), st.floats(0, 100), st.floats(1, 2000), st.floats(1, 2000))


@given(sizes=SIZES, box=BOXES)
def test_areas_are_proportional(sizes: list[int], box: Box) -> None:
    found = squarify(sizes, box)
    assert len(found) == len(sizes)
    for size, each in zip(sizes, found, strict=True):
        assert each.area == pytest.approx(box.area * size / sum(sizes), rel=1e-6, abs=1e-6)


@given(sizes=SIZES, box=BOXES)
def test_boxes_lie_in_the_whole_and_do_not_overlap(sizes: list[int], box: Box) -> None:
    found = squarify(sizes, box)
    slack = 1e-6
    for each in found:
        assert each.x >= box.x - slack and each.y >= box.y - slack
        assert each.x + each.width <= box.x + box.width + slack
        assert each.y + each.height <= box.y + box.height + slack
    for one, other in itertools.combinations(found, 2):
        width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
        height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
        assert width <= slack or height <= slack


def test_the_example_of_the_paper_is_divided_as_there() -> None:
    found = squarify([6, 6, 4, 3, 2, 2, 1], Box(0, 0, 6, 4))
    assert [tuple(round(each, 3) for each in box) for box in found] == [
        (0, 0, 3, 2),
        (0, 2, 3, 2),
        (3, 0, 1.714, 2.333),
        (4.714, 0, 1.286, 2.333),
        (3, 2.333, 1.2, 1.667),
        (4.2, 2.333, 1.2, 1.667),
        (5.4, 2.333, 0.6, 1.667),
    ]


def test_equal_sizes_become_squares() -> None:
    assert squarify([1] * 4, Box(0, 0, 20, 20)) == [
        Box(0, 0, 10, 10),
        Box(0, 10, 10, 10),
        Box(10, 0, 10, 10),
        Box(10, 10, 10, 10),
    ]
    assert squarify([], Box(0, 0, 1, 1)) == []
