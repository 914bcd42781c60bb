"""How a new file is made on devices with different bases.

Nothing that the bases have in common may help to make a file, and yet each of them has something
for itself: the same file under another name, or an older one that is not the same everywhere. Then
the stream has several *variants* of how to make the file, and says which of them each base takes.
They stand beside each other, so that what they share is compressed as if it stood there once.

Every device receives every variant. So if one device needs the file whole, it is sent whole, and
only those that have it already do something else; likewise if all variants together are no smaller.

Tested by ``tests/unit/transfer/sending/test_variants.py`` and, from end to end, by
``tests/unit/transfer/test_several_bases.py``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reconix.store.images.nodes import usual
from reconix.transfer.codecs.renames import NO_RENAMES
from reconix.transfer.format.plan import Alternatives, Location, Meta, Printed, Take
from reconix.transfer.sending.deltas import Delta, Job, compressed_bytes, content
from reconix.transfer.sending.encode import Literal
from reconix.transfer.sending.match import Index
from reconix.transfer.sending.means import Means
from reconix.transfer.sending.overlap import Overlap
from reconix.transfer.sending.trees import FileNode, Node


@dataclass(frozen=True, slots=True)
class Variant:
    """How a device with one of the bases comes by a file.

    Attributes:
        origin: where an old file is; None with an old path: the entry that the new one replaces.
        old: that file.
        equal: whether it has the same content.
    """

    origin: Location | None = None
    old: FileNode | None = None
    equal: bool = False

    @property
    def key(self) -> bytes | None:
        """What is the same for old files of equal content."""
        return self.old.content_key if self.old else None


class Own:
    """What each base has for itself."""

    def __init__(self, found: Overlap) -> None:
        self._indexes = [_index(trees) for trees in found.own]

    def variants(self, step: Literal) -> tuple[Variant, ...]:
        """For each base; one alone if it is the same for all."""
        common = Variant(step.origin, step.old)
        if len(self._indexes) < 2 or not step.file.size_bytes:
            return (common,)
        variants = tuple(_variant(index, step) or common for index in self._indexes)
        return variants if any(_differs(variant, common) for variant in variants) else (common,)


def _differs(variant: Variant, common: Variant) -> bool:
    return variant.equal or variant.key != common.key


def _index(trees: Sequence[Node]) -> Index:
    index = Index()
    for column, tree in enumerate(trees):
        index.add(column, tree)
    return index


def _variant(index: Index, step: Literal) -> Variant | None:
    """The file itself, else one that is like it."""
    place = index.find_content(step.file)
    if place is not None:
        return Variant(place, step.file, equal=True)
    like = index.file_like(step.place, step.file)
    node = None if like is None else index.node(like)
    if not isinstance(node, FileNode):
        return None
    return Variant(like, replace(node, metadata=step.file.metadata))  # only its content counts


_WHOLE = Variant()


@dataclass(frozen=True, slots=True)
class Options:
    """A file, the variant of each base, and the jobs that tell how small they are."""

    step: Literal
    variants: tuple[Variant, ...]  # one for all, or one for each base

    def jobs(self, means: Means) -> list[Job]:
        """One for each variant that is not a take; then, if they differ, one for the whole."""
        whole = [_WHOLE] if len(self.variants) > 1 else []
        return [_job(self.step, variant, means) for variant in [*self._made, *whole]]

    @property
    def _made(self) -> list[Variant]:
        return list(dict.fromkeys(variant for variant in self.variants if not variant.equal))

    def choose(self, deltas: Sequence[Delta], means: Means) -> "Chosen":
        """Decide, when the deltas are known."""
        if len(self.variants) == 1:
            return Chosen(self.step, self.variants, tuple(deltas), (0,))
        known = dict(zip(self._made, deltas, strict=False))
        whole = deltas[-1]
        if not self._pays(known, whole, means):
            known = dict.fromkeys(known, whole)
            return self._chosen(
                [variant if variant.equal else _WHOLE for variant in self.variants], known, whole
            )
        return self._chosen(self.variants, known, whole)

    def _chosen(
        self, variants: Sequence[Variant], known: dict[Variant, Delta], whole: Delta
    ) -> "Chosen":
        distinct = list(dict.fromkeys(variants))
        found = tuple(None if variant.equal else known.get(variant, whole) for variant in distinct)
        return Chosen(self.step, tuple(distinct), found, tuple(map(distinct.index, variants)))

    def _pays(self, known: dict[Variant, Delta], whole: Delta, means: Means) -> bool:
        """Whether all variants together are smaller than the file; both are only estimated."""
        if not all(_uses_old(delta) for delta in known.values()):
            return False
        if len(known) < 2:
            return True
        size = sum(self._estimate(variant, delta, means) for variant, delta in known.items())
        return size < self._estimate(_WHOLE, whole, means)

    def _estimate(self, variant: Variant, delta: Delta, means: Means) -> int:
        return compressed_bytes(content(None, _job(self.step, variant, means), delta, None))


def _job(step: Literal, variant: Variant, means: Means) -> Job:
    renames = step.renames if variant.old is step.old else NO_RENAMES
    return Job(step.file, variant.old, means, renames, step.module)


def _uses_old(delta: Delta) -> bool:
    return any(part.sources for part in delta.parts)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The variants of a file that are sent, and which of them each base takes."""

    step: Literal
    variants: tuple[Variant, ...]
    deltas: tuple[Delta | None, ...]  # none for a take
    picks: tuple[int, ...]

    @property
    def work(self) -> int:
        """What they take a device, whichever it picks; it reads all of them."""
        skipped = sum(delta.part_bytes for delta in self._listed) if len(self.variants) > 1 else 0
        return skipped + sum(delta.work for delta in self._listed)

    @property
    def _listed(self) -> list[Delta]:
        return [delta for delta in self.deltas if delta]

    def events(self) -> Iterator[Printed]:
        """What is written."""
        name, metadata = self.step.name, self.step.file.metadata
        if None in self.deltas or metadata != usual(executable=self.step.file.executable):
            yield Meta(metadata)
        if len(self.variants) > 1:
            yield Alternatives(name, self.picks)
            name = None
        for variant, delta in zip(self.variants, self.deltas, strict=True):
            if delta is not None:
                yield from content(name, _job(self.step, variant, Means()), delta, variant.origin)
            elif variant.origin is not None:
                yield Take(name, variant.origin)
