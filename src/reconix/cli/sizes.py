"""Tables of sizes.

Tested by ``tests/unit/cli/test_sizes.py``.
"""

from collections.abc import Iterator, Sequence


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table: all cells of a row but the last one are numbers, which end in one column.

    Args:
        rows: at least one, all with as many cells.
    """
    widths = [max(len(cells[at]) for cells in rows) for at in range(len(rows[0]) - 1)]
    for cells in rows:
        fields = [cell.rjust(width) for cell, width in zip(cells, widths, strict=False)]
        yield "  ".join([*fields, cells[-1]])
