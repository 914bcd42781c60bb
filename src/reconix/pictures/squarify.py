"""Squarified treemaps: boxes whose areas say how large something is, as square as they can be.

Boxes are put into rows along the shorter side of what is left, the largest first. A row takes one
more as long as the worst proportion in it gets better by that.

    ┌───────┬────────┬───────┐
    │       │        │       │      6 6 4 3 2 2 1
    │   6   │   4    │   3   │
    │       │        │       │
    ├───────┼─────┬──┴──┬────┤
    │   6   │  2  │  2  │ 1  │
    │       │     │     │    │
    └───────┴─────┴─────┴────┘

Source: M. Bruls, K. Huizing, J. van Wijk: *Squarified Treemaps*, 2000.
Tested by ``tests/unit/pictures/test_squarify.py``.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle; x to the right, y down."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Its area."""
        return self.width * self.height


def squarify(sizes: Sequence[int], box: Box) -> list[Box]:
    """Divide a box: one for each size, in the same order, which together are the whole of it.

    Args:
        sizes: positive, the largest first.
        box: what is divided.
    """
    left, done = box, 0
    found: list[Box] = []
    while done < len(sizes):
        scale = left.area / sum(sizes[done:])
        side = min(left.width, left.height)
        row = _row([size * scale for size in sizes[done:]], side)
        is_last = done + len(row) == len(sizes)
        boxes, left = _place(row, left, is_last=is_last)
        found += boxes
        done += len(row)
    return found


def _row(areas: Sequence[float], side: float) -> Sequence[float]:
    """As many of the areas as make the best row along a side."""
    total, worst = 0.0, float("inf")
    for count, area in enumerate(areas):
        total += area
        proportion = _worst(areas[0], area, total, side)
        if proportion > worst:
            return areas[:count]
        worst = proportion
    return areas


def _worst(largest: float, smallest: float, total: float, side: float) -> float:
    """How far from a square the worst box of a row is: 1 is a square."""
    depth = total / side if side else 0.0
    square = depth * depth
    if not square or not smallest:
        return float("inf")
    return max(largest / square, square / smallest)


def _place(row: Sequence[float], box: Box, *, is_last: bool) -> tuple[list[Box], Box]:
    """Put a row along the shorter side of a box; gives what is left of that."""
    upright = box.width >= box.height
    side = box.height if upright else box.width
    whole = box.width if upright else box.height
    total = sum(row)
    depth = whole if is_last else min(total / side if side else 0.0, whole)
    boxes, offset = [], 0.0
    for number, area in enumerate(row, start=1):
        length = side - offset if number == len(row) else side * area / total if total else 0.0
        boxes.append(
            Box(box.x, box.y + offset, depth, length)
            if upright
            else Box(box.x + offset, box.y, length, depth)
        )
        offset += length
    if upright:
        return boxes, Box(box.x + depth, box.y, box.width - depth, box.height)
    return boxes, Box(box.x, box.y + depth, box.width, box.height - depth)
