"""Sizes put together: by part, and by the systems that share.

Tested by ``tests/unit/composition/test_breakdown.py``.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconix.composition.parts import Content, Part


@dataclass(frozen=True, slots=True)
class Share:
    """What some contents have of one part."""

    part: Part
    size_bytes: int
    areas: tuple[tuple[str, int], ...]
    """Its folders, the largest first."""


@dataclass(frozen=True, slots=True)
class Row:
    """One part as a line of a table."""

    part: Part
    size_bytes: int
    alone_bytes: int
    """In one system only; of a system that is asked about, in no other."""
    systems: tuple[str, ...]
    """Which have any of it, sorted."""


def of_system(contents: Iterable[Content], name: str) -> list[Content]:
    """The contents that a system has."""
    return [each for each in contents if name in each.systems]


def rows(contents: Iterable[Content]) -> list[Row]:
    """A row for each part, the largest first."""
    found: dict[Part, list[Content]] = {}
    for each in contents:
        found.setdefault(each.part, []).append(each)
    return sorted(
        (_row(part, of_it) for part, of_it in found.items()),
        key=lambda row: (-row.size_bytes, str(row.part)),
    )


def _row(part: Part, contents: list[Content]) -> Row:
    return Row(
        part,
        sum(each.size_bytes for each in contents),
        sum(each.size_bytes for each in contents if len(each.systems) < 2),
        tuple(sorted({name for each in contents for name in each.systems})),
    )


def groups(contents: Iterable[Content]) -> Mapping[tuple[str, ...], list[Share]]:
    """The parts by the systems that share them: groups and parts with the largest first."""
    found: dict[tuple[str, ...], list[Content]] = {}
    for each in contents:
        found.setdefault(tuple(sorted(each.systems)), []).append(each)
    sizes = {names: sum(each.size_bytes for each in shared) for names, shared in found.items()}
    ordered = sorted(found, key=lambda names: (-sizes[names], names))
    return {names: sorted(_shares(found[names]), key=_largest) for names in ordered}


def _shares(contents: Iterable[Content]) -> Iterator[Share]:
    found: dict[Part, Counter[str]] = {}
    for each in contents:
        found.setdefault(each.part, Counter())[each.area] += each.size_bytes
    for part, areas in found.items():
        largest = sorted(areas.items(), key=lambda pair: (-pair[1], pair[0]))
        yield Share(part, areas.total(), tuple(largest))


def _largest(share: Share) -> tuple[int, str]:
    return -share.size_bytes, str(share.part)
