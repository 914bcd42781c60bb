"""Sizes as people read them, and tables of them.

Tested by ``tests/unit/cli/test_sizes.py``.
"""

from collections.abc import Iterator, Sequence

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def human(size_bytes: int) -> str:
    """A size with the largest unit that leaves a whole part: ``1.5 MiB``."""
    size = float(size_bytes)
    for unit in _UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table: all cells of a row but the last one are numbers, which end in one column.

    Args:
        rows: at least one, all with as many cells.
    """
    widths = [max(len(cells[at]) for cells in rows) for at in range(len(rows[0]) - 1)]
    for cells in rows:
        fields = [cell.rjust(width) for cell, width in zip(cells, widths, strict=False)]
        yield "  ".join([*fields, cells[-1]])
