"""The figures as a picture: what is sent, and what applying it costs, ours beside the others.

A block for each pair, a line for each way, smallest update first: its name, a bar for its bytes and
one for the processor time of applying. Bars are as long as the figures, the longest of a block as
long as the column. It is SVG that needs nothing else, and equal figures give equal bytes:

    python -m bench.updates.plot docs/updates.csv docs/updates.svg

Tested by ``tests/unit/bench/test_plot.py``.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from bench.updates import pairs, table
from bench.updates.ours import Reconix
from bench.updates.table import Row

_OURS, _OTHERS, _TEXT = "#c1440e", "#7a8b99", "#222"
_WIDTH, _LINE, _BAR, _MARGIN = 880, 18, 12, 12
_BYTES, _SECONDS, _LONGEST = 300, 610, 190
_STYLE = f'font-family="sans-serif" font-size="12" fill="{_TEXT}"'


def main(words: list[str]) -> int:
    """Draw the figures of a file."""
    parser = argparse.ArgumentParser(prog="python -m bench.updates.plot", description=__doc__)
    parser.add_argument("figures", type=Path)
    parser.add_argument("picture", type=Path)
    given = parser.parse_args(words)
    rows = table.parse_csv(given.figures.read_text())
    given.picture.write_text(draw(rows, pairs.NAMES, Reconix.name))
    return 0


def draw(rows: Sequence[Row], names: Sequence[str], ours: str) -> str:
    """The picture of some figures.

    Args:
        rows: the figures.
        names: the pairs, in the order in which they are shown.
        ours: the way that has another colour.
    """
    blocks = [found for name in names if (found := _of_pair(rows, name))]
    parts, at = [_heading()], _MARGIN + 2 * _LINE
    for block in blocks:
        parts += _block(block, at, ours)
        at += (len(block) + 2) * _LINE
    return "\n".join([_start(at), *parts, "</svg>\n"])


def _of_pair(rows: Sequence[Row], name: str) -> list[Row]:
    return sorted((row for row in rows if row.pair == name), key=lambda row: row.update_bytes)


def _start(height: int) -> str:
    size = f'width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {_STYLE}>\n'
        "<title>Updates: what is sent, and the processor time of applying it</title>\n"
        '<rect width="100%" height="100%" fill="#fff"/>'
    )


def _heading() -> str:
    y = _MARGIN + _LINE // 2
    columns = ((_BYTES, "bytes to send"), (_SECONDS, "processor time to apply"))
    return "\n".join(_text(x, y, words, "bold") for x, words in columns)


def _block(rows: Sequence[Row], top: int, ours: str) -> Iterator[str]:
    yield _text(_MARGIN, top, rows[0].pair, "bold")
    most_bytes = max(row.update_bytes for row in rows)
    most_seconds = max(row.apply_cpu_seconds for row in rows)
    for number, row in enumerate(rows, 1):
        y = top + number * _LINE
        colour = _OURS if row.way == ours else _OTHERS
        yield _text(_MARGIN, y, row.way, "bold" if row.way == ours else "normal")
        yield _bar(_BYTES, y, row.update_bytes / most_bytes, colour, f"{row.update_bytes:,}")
        share = row.apply_cpu_seconds / most_seconds if most_seconds else 0.0
        yield _bar(_SECONDS, y, share, colour, f"{row.apply_cpu_seconds:.1f} s")


def _bar(x: int, y: int, share: float, colour: str, label: str) -> str:
    width = max(1.0, share * _LONGEST)
    place = f'x="{x}" y="{y - _BAR + 2}" width="{width:.1f}" height="{_BAR}"'
    return f'<rect {place} fill="{colour}"/>\n{_text(round(x + width + 5), y, label, "normal")}'


def _text(x: int, y: int, words: str, weight: str) -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}">{escape(words)}</text>'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
