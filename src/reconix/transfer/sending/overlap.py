"""What several bases have in common.

Objects that are equal in all bases come first. The others are put together by their names without
versions, and of their trees only that remains which all have: a folder with the entries that are
equal everywhere, and so on down. The stream tells the devices what is left out
(``transfer/format/bases.py``).

Tested by ``tests/unit/transfer/sending/test_overlap.py`` and, from end to end, by
``tests/unit/transfer/test_several_bases.py``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from reconix.store.images.nodes import Metadata
from reconix.store.manifest import Manifest
from reconix.store.paths import StorePath
from reconix.transfer.format.bases import MAX_LEFT_OUT, MAX_LEFT_OUT_BYTES, View, path_bytes
from reconix.transfer.format.manifest_difference import Staying
from reconix.transfer.format.plan import Location, Which
from reconix.transfer.sending.match import unversioned
from reconix.transfer.sending.trees import FolderNode, Node, folder_of

UNKNOWN = Metadata(-1)
"""Of what the bases have with different ones: no node of a target has them, so they are told."""

_Names = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Bases, and what they have in common."""

    views: tuple[View, ...]  # one for each base
    trees: tuple[Node | None, ...]  # by column: what all have
    own: tuple[tuple[Node, ...], ...]  # by base and column: what it has itself

    @property
    def columns(self) -> tuple[StorePath, ...]:
        """The objects of the first base."""
        return self.views[0].objects if self.views else ()

    @property
    def staying(self) -> Staying:
        """What may stay in a target."""
        return self.views[0].staying if self.views else Staying((), ())

    @property
    def equal(self) -> int:
        """How many objects all have, the first ones."""
        return self.views[0].equal if self.views else 0


def overlap(bases: Sequence[Manifest], trees: Sequence[Sequence[Node]]) -> Overlap:
    """Find out what bases have in common.

    Args:
        bases: manifests.
        trees: for each of them those of its objects, in order.
    """
    if len(bases) < 2:
        whole = tuple(tuple(each) for each in trees)
        return Overlap(tuple(map(View.whole, bases)), whole[0] if whole else (), whole)
    everywhere = _everywhere(bases, trees)
    places = list(_columns(bases, everywhere))
    common, objects = _Common(len(bases)), [base.objects for base in bases]
    own = [tuple(tree[column[base]] for column in places) for base, tree in enumerate(trees)]
    shared = [common.column(column, nodes) for column, nodes in enumerate(zip(*own, strict=True))]
    views = [
        View(
            tuple(objects[number][column[number]] for column in places),
            len(everywhere),
            tuple(
                image for image in bases[0].images if all(image in each.images for each in bases)
            ),
            frozenset(common.left_out[number]),
            Which(number, len(bases)),
        )
        for number in range(len(bases))
    ]
    return Overlap(tuple(views), tuple(shared), tuple(own))


def _everywhere(bases: Sequence[Manifest], trees: Sequence[Sequence[Node]]) -> frozenset[StorePath]:
    """The objects that all bases have, and equal."""
    both = zip(bases, trees, strict=True)
    items = [
        {(path, tree.key) for path, tree in zip(base.objects, ours, strict=True)}
        for base, ours in both
    ]
    return frozenset(path for path, _ in set.intersection(*items))


def _columns(
    bases: Sequence[Manifest], everywhere: frozenset[StorePath]
) -> Iterator[tuple[int, ...]]:
    """For each column the place of its object in each base; those that are equal come first."""
    of_path = [{path: place for place, path in enumerate(base.objects)} for base in bases]
    for path in sorted(everywhere):
        yield tuple(places[path] for places in of_path)
    named = [_by_name(base, everywhere) for base in bases]
    for name in sorted(set.intersection(*(set(each) for each in named))):
        yield from zip(*(each[name] for each in named), strict=False)


def _by_name(base: Manifest, everywhere: frozenset[StorePath]) -> dict[bytes, list[int]]:
    found: dict[bytes, list[int]] = {}
    for place, path in enumerate(base.objects):
        if path not in everywhere:
            found.setdefault(unversioned(path.name.encode()), []).append(place)
    return found


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
    metadata = _common_metadata(nodes)
    if len({node.content_key for node in nodes}) == 1:
        return replace(nodes[0], metadata=metadata), apart
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
    return (folder_of(metadata, tuple(entries)), apart) if entries else (None, apart)


def _common_metadata(nodes: Sequence[Node]) -> Metadata:
    found = {node.metadata for node in nodes}
    return found.pop() if len(found) == 1 else UNKNOWN
