"""Reaching: from what a system begins with, along edges, to all that it may need.

An edge is a fact that somebody can check: this program needs that library, this unit starts that
program. The first edge that leads to a file is its reason. Edges lead to paths; whatever links a
path leads through is reached with it, for the path means nothing without them.

The order is fixed, so that reasons are: what is near comes first, then what was said first.

Tested by ``tests/unit/build/minify/test_graph.py``.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from reconix.build.minify.files import Files


class Edge(NamedTuple):
    """A reason for which something is needed."""

    target: str
    """A path; it may lead through links."""
    how: str
    """A verb and what it is about: ``needs the library libc.so.6``."""


class Because(NamedTuple):
    """Why a path stays."""

    by: str
    """The path that the edge comes from; empty at the beginning of a chain."""
    how: str


Edges = Callable[[str], Iterable[Edge]]
"""What a path reaches. It is asked once about each path that is there, links and folders too."""


def reach(
    files: Files, seeds: Iterable[Edge], edges: Edges, gone: Mapping[str, object]
) -> dict[str, Because]:
    """All that is reached, with the first reason for each.

    Args:
        files: what there is.
        seeds: where to begin.
        edges: where to go on from a path.
        gone: paths that are not reached, whatever leads to them.
    """
    reached: dict[str, Because] = {}
    waiting: deque[tuple[str, Edge]] = deque(("", seed) for seed in seeds)
    while waiting:
        by, edge = waiting.popleft()
        way = files.way(edge.target)
        if way is None or way.end in gone or not files.leads_somewhere(way):
            continue
        for path in (*way.links, *((way.end,) if way.end in files.nodes else ())):
            if path not in reached and path not in gone:
                reached[path] = Because(by, edge.how)
                waiting.extend((path, each) for each in edges(path))
    return reached


def chain(reached: Mapping[str, Because], path: str) -> list[tuple[str, Because]]:
    """How a path is reached: itself, what it is reached from, and so on to the beginning."""
    found: list[tuple[str, Because]] = []
    while path in reached:
        found.append((path, reached[path]))
        path = reached[path].by
    return found


def with_folders(files: Files, stays: Mapping[str, Because]) -> dict[str, Because]:
    """All that stays, with the folders above, each because of the first that is in it."""
    found = dict(stays)
    for path in sorted(path for path in stays if files.nodes[path].is_of_root):
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found[folder] = Because(path, "has what stays in it")
            folder = folder.rpartition("/")[0]
    return found
