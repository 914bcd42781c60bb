"""What is reached has the first reason, and what links lead through is reached as well."""

from collections.abc import Iterable
from pathlib import Path

from tests.device_trees import make

from reconix.build.minify.graph import Because, Edge, chain, reach

GRAPH = {"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ("a",)}


def edges(path: str) -> Iterable[Edge]:
    return [Edge(each, f"{path} to {each}") for each in GRAPH.get(path, ())]


def test_the_nearest_reason_counts_and_circles_end(tmp_path: Path) -> None:
    files = make(tmp_path, {name: "" for name in "abcde"})
    reached = reach(files, [Edge("a", "begins")], edges, {})
    assert reached == {
        "a": Because("", "begins"),
        "b": Because("a", "a to b"),
        "c": Because("a", "a to c"),
        "d": Because("b", "b to d"),
    }
    assert [path for path, _ in chain(reached, "d")] == ["d", "b", "a"]
    assert chain(reached, "e") == []


def test_links_are_reached_with_what_they_lead_to(tmp_path: Path) -> None:
    files = make(tmp_path, {"a": "", "b": "> x/d", "x": "> y", "y/d": "", "c": "> nowhere"})
    reached = reach(files, [Edge("a", "begins")], edges, {})
    assert [*reached] == ["a", "b", "x", "y/d"]
    assert reached["y/d"] == Because("a", "a to b")


def test_what_a_rule_takes_is_not_reached_nor_what_only_it_leads_to(tmp_path: Path) -> None:
    files = make(tmp_path, {name: "" for name in "abcd"})
    assert [*reach(files, [Edge("a", "begins")], edges, {"b": None, "c": None})] == ["a"]


def test_a_path_is_asked_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def counted(path: str) -> Iterable[Edge]:
        asked.append(path)
        return edges(path)

    reach(
        make(tmp_path, {name: "" for name in "abcd"}), [Edge("a", ""), Edge("d", "")], counted, {}
    )
    assert sorted(asked) == ["a", "b", "c", "d"]


def test_a_link_to_what_a_device_makes_at_its_start_is_reached(tmp_path: Path) -> None:
    files = make(tmp_path, {"a": "", "b": "> /run/lock", "c": "> /srv/lock"})
    assert [*reach(files, [Edge("a", "begins")], edges, {})] == ["a", "b"]
