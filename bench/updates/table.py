"""The figures: one row for each peer on each pair, as text, as CSV, as Markdown.

Rows are kept in a file from run to run, so that one peer can be measured again without the hours
that the others take; a row that is measured again replaces the old one.

Tested by ``tests/unit/bench/test_table.py``.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields

from bench.updates.measure import Cost

MEBI = 1 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """What one way to send one update cost."""

    pair: str
    way: str
    date: str
    update_bytes: int
    create_seconds: float
    create_cpu_seconds: float
    create_peak_bytes: int
    apply_seconds: float
    apply_cpu_seconds: float
    apply_peak_bytes: int

    @classmethod
    def of(  # noqa: D102 - its arguments are those of the class
        cls, pair: str, way: str, date: str, update_bytes: int, created: Cost, applied: Cost
    ) -> "Row":
        costs = [*astuple(created), *astuple(applied)]
        return cls(pair, way, date, update_bytes, *costs)


NAMES = tuple(field.name for field in fields(Row))


def print_csv(rows: Iterable[Row]) -> str:
    """All figures, times in seconds with two digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(NAMES)
    for row in rows:
        writer.writerow(
            [f"{item:.2f}" if isinstance(item, float) else item for item in astuple(row)]
        )
    return out.getvalue()


def parse_csv(text: str) -> list[Row]:
    """What ``print_csv`` printed."""
    return [
        Row(
            one["pair"],
            one["way"],
            one["date"],
            int(one["update_bytes"]),
            float(one["create_seconds"]),
            float(one["create_cpu_seconds"]),
            int(one["create_peak_bytes"]),
            float(one["apply_seconds"]),
            float(one["apply_cpu_seconds"]),
            int(one["apply_peak_bytes"]),
        )
        for one in csv.DictReader(io.StringIO(text))
    ]


def merge(rows: Iterable[Row], fresh: Iterable[Row]) -> list[Row]:
    """Rows with newer figures for some of them, sorted by pair and size."""
    found = {(row.pair, row.way): row for row in (*rows, *fresh)}
    return sorted(found.values(), key=lambda row: (row.pair, row.update_bytes))


def print_markdown(rows: Sequence[Row], pairs: Sequence[str], ours: str) -> str:
    """A table for each pair, smallest update first."""
    parts = []
    for pair in pairs:
        chosen = [row for row in rows if row.pair == pair]
        best = min((row.update_bytes for row in chosen if row.way != ours), default=0)
        if chosen:
            lines = "".join(_line(row, best, ours) for row in chosen)
            parts.append(f"### {pair}\n\n{_HEAD}{lines}")
    return "\n".join(parts)


_HEAD = (
    "| way | bytes | x best peer | create s | CPU s | MiB | apply s | CPU s | MiB |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
)


def _line(row: Row, best: int, ours: str) -> str:
    name = f"**{row.way}**" if row.way == ours else row.way
    factor = f"{row.update_bytes / best:.2f}" if best else "-"
    return (
        f"| {name} | {row.update_bytes:,} | {factor}"
        f" | {row.create_seconds:.1f} | {row.create_cpu_seconds:.1f}"
        f" | {row.create_peak_bytes / MEBI:,.0f}"
        f" | {row.apply_seconds:.1f} | {row.apply_cpu_seconds:.1f}"
        f" | {row.apply_peak_bytes / MEBI:,.0f} |\n"
    )
