"""What several bases have in common.

Objects that are equal in all bases come first. The others are put together by their names without
versions, and of their trees only that remains which all have: a folder with the entries that are
equal everywhere, and so on down. The stream tells the devices what is left out
(``transfer/format/bases.py``).

Tested by ``tests/unit/transfer/sending/test_overlap.py`` and, from end to end, by
``tests/unit/transfer/test_several_bases.py``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from reconix.store.manifest import Manifest, StoreObject
from reconix.transfer.format.bases import MAX_LEFT_OUT, MAX_LEFT_OUT_BYTES, View, path_bytes
from reconix.transfer.format.plan import Location, Which
from reconix.transfer.sending.match import FolderNode, Node, folder_of, unversioned

_Names = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Bases, and what they have in common."""

    views: tuple[View, ...]  # one for each base
    trees: tuple[Node | None, ...]  # by column: what all have
    own: tuple[tuple[Node, ...], ...]  # by base and column: what it has itself

    @property
    def columns(self) -> tuple[StoreObject, ...]:
        """The objects of the first base."""
        return self.views[0].objects if self.views else ()

    @property
    def equal(self) -> int:
        """How many objects all have, the first ones."""
        return self.views[0].equal if self.views else 0


def overlap(bases: Sequence[Manifest], trees: Sequence[Sequence[Node]]) -> Overlap:
    """Find out what bases have in common.

    Args:
        bases: manifests.
        trees: for each of them its objects, in order.
    """
    if len(bases) < 2:
        whole = tuple(tuple(each) for each in trees)
        return Overlap(tuple(map(View.whole, bases)), whole[0] if whole else (), whole)
    places = list(_columns(bases))
    equal = sum(_is_equal(bases, column) for column in places)
    common = _Common(len(bases))
    own = [tuple(tree[column[base]] for column in places) for base, tree in enumerate(trees)]
    shared = [common.column(column, nodes) for column, nodes in enumerate(zip(*own, strict=True))]
    views = [
        View(
            tuple(base.objects[column[number]] for column in places),
            equal,
            frozenset(common.left_out[number]),
            Which(number, len(bases)),
        )
        for number, base in enumerate(bases)
    ]
    return Overlap(tuple(views), tuple(shared), tuple(own))


def _columns(bases: Sequence[Manifest]) -> Iterator[tuple[int, ...]]:
    """For each column the place of its object in each base; those that are equal come first."""
    everywhere = frozenset.intersection(*(frozenset(base.objects) for base in bases))
    of_path = [{item.path: place for place, item in enumerate(base.objects)} for base in bases]
    for item in bases[0].objects:
        if item in everywhere:
            yield tuple(places[item.path] for places in of_path)
    named = [_by_name(base, everywhere) for base in bases]
    for name in sorted(set.intersection(*(set(each) for each in named))):
        yield from zip(*(each[name] for each in named), strict=False)


def _by_name(base: Manifest, everywhere: frozenset[StoreObject]) -> dict[bytes, list[int]]:
    found: dict[bytes, list[int]] = {}
    for place, item in enumerate(base.objects):
        if item not in everywhere:
            found.setdefault(unversioned(item.path.name.encode()), []).append(place)
    return found


def _is_equal(bases: Sequence[Manifest], column: Sequence[int]) -> bool:
    items = {base.objects[place] for base, place in zip(bases, column, strict=True)}
    return len(items) == 1


@dataclass(slots=True)
class _Common:
    """Collects what is left out of each base."""

    bases: int
    left_out: list[list[Location]] = field(init=False)

    def __post_init__(self) -> None:
        self.left_out = [[] for _ in range(self.bases)]

    def column(self, number: int, nodes: Sequence[Node]) -> Node | None:
        """What the objects of a column have in common; nothing if it takes too long to tell."""
        node, apart = _in_common(nodes, ())
        if node is None or not all(map(self._fits, self.left_out, apart)):
            return None
        for old, new in zip(self.left_out, apart, strict=True):
            old.extend(Location(number, path) for path in new)
        return node

    def _fits(self, old: Sequence[Location], new: Sequence[_Names]) -> bool:
        paths = [*(place.path for place in old), *new]
        return len(paths) <= MAX_LEFT_OUT and sum(map(path_bytes, paths)) <= MAX_LEFT_OUT_BYTES


def _in_common(nodes: Sequence[Node], place: _Names) -> tuple[Node | None, list[list[_Names]]]:
    """What equal nodes have in common, and for each the paths of what they have apart."""
    apart: list[list[_Names]] = [[] for _ in nodes]
    if len({node.key for node in nodes}) == 1:
        return nodes[0], apart
    folders = [dict(node.entries) for node in nodes if isinstance(node, FolderNode)]
    if len(folders) < len(nodes):
        return None, apart
    entries: list[tuple[bytes, Node]] = []
    for name in sorted(set[bytes]().union(*folders)):
        found = [node for folder in folders if (node := folder.get(name)) is not None]
        below = (*place, name)
        node, deeper = _in_common(found, below) if len(found) == len(nodes) else (None, [])
        if node is not None:
            entries.append((name, node))
        for number, folder in enumerate(folders):
            if node is not None:
                apart[number] += deeper[number]
            elif name in folder:
                apart[number].append(below)
    return (folder_of(tuple(entries)), apart) if entries else (None, apart)
