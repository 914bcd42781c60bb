"""The figures: nothing is lost between runs, and ours is compared with the best of the others."""

from bench.updates.measure import Cost
from bench.updates.table import Row, merge, parse_csv, print_csv, print_markdown

CREATED, APPLIED = Cost(12.5, 20.25, 64 << 20), Cost(1.5, 1.25, 32 << 20)


def row(way: str, size: int, *, pair: str = "config") -> Row:
    return Row.of(pair, way, "2026-01-02", size, CREATED, APPLIED)


def test_figures_survive_the_file() -> None:
    rows = [row("ours", 10), row("other, with flags", 20)]
    assert parse_csv(print_csv(rows)) == rows


def test_a_row_that_is_measured_again_replaces_the_old_one() -> None:
    assert merge([row("a", 10), row("b", 20)], [row("a", 30)]) == [row("b", 20), row("a", 30)]


def test_the_same_way_on_another_pair_is_another_row() -> None:
    rows = merge([row("a", 10)], [row("a", 5, pair="upgrade")])
    assert [each.pair for each in rows] == ["config", "upgrade"]


def test_every_way_is_compared_with_the_best_of_the_others() -> None:
    text = print_markdown([row("ours", 10), row("good", 20), row("bad", 40)], ["config"], "ours")
    shown = [line.split(" | ")[:3] for line in text.splitlines() if line.startswith("| ")][1:]
    assert shown == [
        ["| **ours**", "10", "0.50"],
        ["| good", "20", "1.00"],
        ["| bad", "40", "2.00"],
    ]


def test_a_pair_without_figures_has_no_table() -> None:
    assert print_markdown([row("ours", 10)], ["security"], "ours") == ""
