"""Measure ways to send an update, ours and others, on pairs of trees.

Prints bytes to send, time and memory to create and to apply, and writes them as CSV, as a table in
Markdown and as a picture into a folder. Figures of earlier runs in that folder are kept.

    python -m bench.updates                                   all: hours on two cores
    python -m bench.updates --pair config --way reconix       one row
"""

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from bench.updates import measure, pairs, plot, table, trees, ways
from bench.updates.measure import Cost
from bench.updates.peers.peer import Pair
from bench.updates.step import STEPS

from reconix.base.files import remove_tree
from reconix.cli import places

ROOT = Path(__file__).resolve().parents[2]


def main(words: list[str]) -> int:
    """Measure and print."""
    given = parse(words)
    given.results.mkdir(parents=True, exist_ok=True)
    for name in given.pair or pairs.NAMES:
        pair = pairs.make(name, given.cache)
        for way in given.way or [way.name for way in ways.ALL]:
            row = run(pair, way, given.cache / "work")
            print(line(row), flush=True)
            keep(given.results, [row])
    return 0


def parse(words: list[str]) -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.updates", description=__doc__)
    names = [way.name for way in ways.ALL]
    home = places.cache_home() / "bench-updates"
    parser.add_argument("--pair", action="append", choices=pairs.NAMES)
    parser.add_argument("--way", action="append", choices=names)
    parser.add_argument("--cache", type=Path, default=home, help="keeps the pairs")
    parser.add_argument("--results", type=Path, default=ROOT / "build/bench-updates")
    return parser.parse_args(words)


def run(pair: Pair, way: str, work: Path) -> table.Row:
    """All steps of one way on one pair."""
    remove_tree(work)
    work.mkdir(parents=True)
    costs = {step: _step(step, pair, way, work) for step in STEPS}
    update_bytes = trees.size_bytes(work / "update")
    remove_tree(work)
    today = time.strftime("%Y-%m-%d")
    return table.Row.of(pair.name, way, today, update_bytes, costs["create"], costs["apply"])


def _step(step: str, pair: Pair, way: str, work: Path) -> Cost:
    words = (sys.executable, "-m", "bench.updates.step", step, way, pair.folder, work)
    only_starts = step not in ways.named(way).itself
    return measure.measure(words, work / f"{step}.log", folder=ROOT, only_starts=only_starts)


def line(row: table.Row) -> str:
    """One row for who watches."""
    return (
        f"{row.pair:9} {row.way:42} {row.update_bytes:>12,} B"
        f"  create {row.create_seconds:7.1f} s {row.create_peak_bytes >> 20:>6,} MiB"
        f"  apply {row.apply_seconds:6.1f} s {row.apply_peak_bytes >> 20:>6,} MiB"
    )


def keep(results: Path, fresh: Iterable[table.Row]) -> None:
    """Put rows into the files of a folder."""
    file = results / "updates.csv"
    rows = table.merge(table.parse_csv(file.read_text()) if file.exists() else [], fresh)
    file.write_text(table.print_csv(rows))
    text = table.print_markdown(rows, pairs.NAMES, ways.OURS)
    (results / "updates.md").write_text(text)
    (results / "updates.svg").write_text(plot.draw(rows, pairs.NAMES, ways.OURS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
