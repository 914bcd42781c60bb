"""How a new file is made on devices with different bases.

Nothing that the bases have in common may help to make a file, and yet each of them has something
for itself: the same file under another name, or an older one that is not the same everywhere. Then
the stream says several *ways* to the file, and which of them each base takes. They stand beside
each other, so that what they share is compressed as if it stood there once.

A way costs its bytes on every device. So if one device needs the file whole, it is sent whole, and
only those that have it already do something else; likewise if all ways together are no smaller.

Tested by ``tests/unit/transfer/test_several_bases.py``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconix.transfer.codecs.renames import NO_RENAMES
from reconix.transfer.codecs.tools import NO_TOOLS, Tool
from reconix.transfer.format.plan import Choice, Location, Printed, Take
from reconix.transfer.sending.encode import Literal
from reconix.transfer.sending.match import FileNode, Index, Node, seen_check
from reconix.transfer.sending.overlap import Overlap
from reconix.transfer.sending.recipes import Job, Recipe, compressed_bytes, content


@dataclass(frozen=True, slots=True)
class Way:
    """How a device with one of the bases comes by a file.

    Attributes:
        origin: where an old file is; None with an old path: the entry that the new one replaces.
        old: that file.
        equal: whether it is the file itself.
    """

    origin: Location | None = None
    old: FileNode | None = None
    equal: bool = False

    @property
    def key(self) -> bytes | None:
        """What is the same for equal old files."""
        return self.old.key if self.old else None


class Own:
    """What each base has for itself."""

    def __init__(self, found: Overlap) -> None:
        self._indexes = [_index(trees) for trees in found.own]

    def ways(self, step: Literal) -> tuple[Way, ...]:
        """For each base; one alone if it is the same for all."""
        common = Way(step.origin, step.old)
        if len(self._indexes) < 2 or not step.file.size_bytes:
            return (common,)
        ways = tuple(_way(index, step) or common for index in self._indexes)
        return ways if any(_differs(way, common) for way in ways) else (common,)


def _differs(way: Way, common: Way) -> bool:
    return way.equal or way.key != common.key


def _index(trees: Sequence[Node]) -> Index:
    index = Index()
    for column, tree in enumerate(trees):
        index.add(column, tree)
    return index


def _way(index: Index, step: Literal) -> Way | None:
    """The file itself, else one that is like it."""
    place = index.find(step.file)
    if place is not None:
        return Way(place, step.file, equal=True)
    like = index.file_like(step.place, step.file)
    node = None if like is None else index.node(like)
    return Way(like, node) if isinstance(node, FileNode) else None


_WHOLE = Way()


@dataclass(frozen=True, slots=True)
class Options:
    """A file, the way of each base, and the jobs that tell how good they are."""

    step: Literal
    ways: tuple[Way, ...]  # one for all, or one for each base

    def jobs(self, tools: Tool) -> list[Job]:
        """One for each way that is not a take; then, if there is a choice, one for the whole."""
        whole = [_WHOLE] if len(self.ways) > 1 else []
        return [_job(self.step, way, tools) for way in [*self._made, *whole]]

    @property
    def _made(self) -> list[Way]:
        return list(dict.fromkeys(way for way in self.ways if not way.equal))

    def choose(self, recipes: Sequence[Recipe], tools: Tool) -> "Chosen":
        """Decide, when it is known how good the ways are."""
        if len(self.ways) == 1:
            return Chosen(self.step, self.ways, tuple(recipes), (0,))
        known = dict(zip(self._made, recipes, strict=False))
        whole = recipes[-1]
        if not self._pays(known, whole, tools):
            known = dict.fromkeys(known, whole)
            return self._chosen([way if way.equal else _WHOLE for way in self.ways], known, whole)
        return self._chosen(self.ways, known, whole)

    def _chosen(self, ways: Sequence[Way], known: dict[Way, Recipe], whole: Recipe) -> "Chosen":
        distinct = list(dict.fromkeys(ways))
        found = tuple(None if way.equal else known.get(way, whole) for way in distinct)
        return Chosen(self.step, tuple(distinct), found, tuple(map(distinct.index, ways)))

    def _pays(self, known: dict[Way, Recipe], whole: Recipe, tools: Tool) -> bool:
        """Whether all ways together are smaller than the file; both are only estimated."""
        if not all(_uses_old(recipe) for recipe in known.values()):
            return False
        if len(known) < 2:
            return True
        size = sum(self._estimate(way, recipe, tools) for way, recipe in known.items())
        return size < self._estimate(_WHOLE, whole, tools)

    def _estimate(self, way: Way, recipe: Recipe, tools: Tool) -> int:
        return compressed_bytes(content(None, _job(self.step, way, tools), recipe, None))


def _job(step: Literal, way: Way, tools: Tool) -> Job:
    renames = step.renames if way.old is step.old else NO_RENAMES
    return Job(step.file.path, way.old.path if way.old else None, tools, renames)


def _uses_old(recipe: Recipe) -> bool:
    return any(part.sources for part in recipe.parts)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The ways to a file that are sent, and which of them each base takes."""

    step: Literal
    ways: tuple[Way, ...]
    recipes: tuple[Recipe | None, ...]  # none for a take
    picks: tuple[int, ...]

    @property
    def work(self) -> int:
        """What they take a device, whichever it picks; it reads all of them."""
        skipped = sum(recipe.part_bytes for recipe in self._listed) if len(self.ways) > 1 else 0
        return skipped + sum(recipe.work for recipe in self._listed)

    @property
    def reading_work(self) -> int:
        """What they take a device that has the file already, and only reads them."""
        return sum(recipe.reading_work for recipe in self._listed)

    @property
    def _listed(self) -> list[Recipe]:
        return [recipe for recipe in self.recipes if recipe]

    def events(self) -> Iterator[Printed]:
        """What is written."""
        name = self.step.name
        if len(self.ways) > 1:
            yield Choice(name, self.picks)
            name = None
        for way, recipe in zip(self.ways, self.recipes, strict=True):
            if recipe is not None:
                yield from content(name, _job(self.step, way, NO_TOOLS), recipe, way.origin)
            elif way.origin is not None:
                yield Take(name, way.origin, seen_check(b"", self.step.file) & 0xFFFF)
