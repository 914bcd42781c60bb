"""The manifest of a target, as its difference to what the bases have in common.

A manifest names every object of a generation; between two generations nearly all of it stays. So it
says how many objects stay, how many go and which are new, and of a new object for which old one it
stands (``bases.py``); references are positions in the new list::

    difference = count step* named* references* root
    step       = keep drop count hashes*      new objects: hash of the path, digest
    named      = stands-for size              one for each new object of all steps
    references = count position*              likewise

There are two passes. The records are the layout: each prints itself and parses itself, field by
field, and knows numbers only. ``difference`` and ``apply`` say what they mean.

The format, byte by byte: ``docs/spec/stream.md``, *Manifest*. Tested by
``tests/unit/transfer/format/test_payload_head.py``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconix.base.digests import Digest
from reconix.store.manifest import Manifest, StoreObject
from reconix.store.paths import StorePath, base32_decode, base32_encode
from reconix.transfer.codecs.renames import Renames
from reconix.transfer.format.packing import Channels
from reconix.transfer.format.plan import counted, parse_bytes
from reconix.transfer.format.stream import BadStream, unzigzag, varint, zigzag

MAX_OBJECTS = 8192
MAX_REFERENCES = 1 << 16
"""Together they bound the memory that a manifest takes; those of the base count, too."""

_MAX_NAME_BYTES = 255
_HASH_BYTES = 20
_DIGEST_BYTES = 32

Wrong = Callable[[str], BadStream]


@dataclass(frozen=True, slots=True)
class Hashes:
    """A new object: the hash of its path, and the digest of its archive."""

    path: bytes
    nar: bytes

    def print(self) -> bytes:
        """As bytes."""
        return self.path + self.nar

    @classmethod
    def parse(cls, payload: Channels) -> "Hashes":
        """The inverse of ``print``."""
        return cls(payload.take(_HASH_BYTES), payload.take(_DIGEST_BYTES))


@dataclass(frozen=True, slots=True)
class Step:
    """A number of objects of the old manifest stay, the next ones go, new ones come."""

    keep: int
    drop: int
    added: tuple[Hashes, ...]

    def print(self) -> bytes:
        """As bytes."""
        numbers = (self.keep, self.drop, len(self.added))
        return b"".join([*map(varint, numbers), *(each.print() for each in self.added)])

    @classmethod
    def parse(cls, payload: Channels, most_added: int) -> "Step":
        """The inverse of ``print``."""
        keep, drop = payload.number(), payload.number()
        count = _bounded(payload.number(), most_added, "objects in the manifest", payload.wrong)
        return cls(keep, drop, tuple(Hashes.parse(payload) for _ in range(count)))


@dataclass(frozen=True, slots=True)
class Named:
    """What a new object is called, and how large it is."""

    stands_for: int | None  # a position in the old manifest: it has the name of that object
    name: bytes  # only if it stands for none
    growth: int  # its size, less that of the object for which it stands

    def print(self) -> bytes:
        """As bytes."""
        growth = varint(zigzag(self.growth))
        if self.stands_for is None:
            return varint(0) + counted(self.name) + growth
        return varint(1 + self.stands_for) + growth

    @classmethod
    def parse(cls, payload: Channels) -> "Named":
        """The inverse of ``print``."""
        number = payload.number()
        name = b"" if number else parse_bytes(payload, _MAX_NAME_BYTES, "a name")
        return cls(number - 1 if number else None, name, unzigzag(payload.number()))


@dataclass(frozen=True, slots=True)
class References:
    """What a new object refers to."""

    positions: tuple[int, ...] | None  # in the new manifest; None: they follow

    def print(self) -> bytes:
        """As bytes."""
        if self.positions is None:
            return varint(0)
        return b"".join(map(varint, (1 + len(self.positions), *self.positions)))

    @classmethod
    def parse(cls, payload: Channels, most: int) -> "References":
        """The inverse of ``print``."""
        count = payload.number()
        if count == 0:
            return cls(None)
        _bounded(count - 1, most, "references in the manifest", payload.wrong)
        return cls(tuple(payload.number() for _ in range(count - 1)))


@dataclass(frozen=True, slots=True)
class Difference:
    """A manifest as its difference to another one."""

    steps: tuple[Step, ...]
    named: tuple[Named, ...]  # for each new object
    references: tuple[References, ...]  # likewise
    root: int  # its position in the new manifest

    def print(self) -> bytes:
        """As bytes."""
        return b"".join(
            [
                varint(len(self.steps)),
                *(step.print() for step in self.steps),
                *(named.print() for named in self.named),
                *(references.print() for references in self.references),
                varint(self.root),
            ]
        )

    @classmethod
    def parse(cls, payload: Channels) -> "Difference":
        """The inverse of ``print``.

        Raises:
            BadStream: a limit is exceeded.
        """
        steps = tuple(_parse_steps(payload))
        count = sum(len(step.added) for step in steps)
        named = tuple(Named.parse(payload) for _ in range(count))
        return cls(steps, named, tuple(_parse_references(payload, count)), payload.number())


def _parse_steps(payload: Channels) -> Iterator[Step]:
    left = MAX_OBJECTS
    for _ in range(_bounded(payload.number(), left, "steps in the manifest", payload.wrong)):
        yield (step := Step.parse(payload, left))
        left -= len(step.added)


def _parse_references(payload: Channels, count: int) -> Iterator[References]:
    left = MAX_REFERENCES
    for _ in range(count):
        yield (references := References.parse(payload, left))
        left -= len(references.positions or ())


def _bounded(number: int, limit: int, what: str, wrong: Wrong) -> int:
    if number > limit:
        raise wrong(f"{number} {what}, more than {limit}")
    return number


def difference(old: Sequence[StoreObject], manifest: Manifest) -> Difference:
    """How a manifest differs from some objects, which are sorted by path."""
    stood = pairs(old, manifest.objects)
    renames = Renames.of((before.path, after.path) for after, before in stood.items())
    places = {item: number for number, item in enumerate(old)}
    index = {item.path: number for number, item in enumerate(manifest.objects)}
    before = set(old)
    added = [item for item in manifest.objects if item not in before]
    return Difference(
        tuple(_steps(old, manifest.objects)),
        tuple(_named(item, stood.get(item), places) for item in added),
        tuple(_references(item, stood.get(item), renames, index) for item in added),
        index[manifest.root],
    )


def _steps(old: Sequence[StoreObject], new: Sequence[StoreObject]) -> Iterator[Step]:
    before = {item.path: item for item in old}
    after = {item.path: item for item in new}
    keep, drop, added = 0, 0, list[Hashes]()
    for path in sorted(before.keys() | after.keys()):
        stays = before.get(path) is not None and before.get(path) == after.get(path)
        if stays and (drop or added):
            yield Step(keep, drop, tuple(added))
            keep, drop, added = 0, 0, []
        keep += stays
        drop += not stays and path in before
        if not stays and path in after:
            added.append(_hashes(after[path]))
    yield Step(keep, drop, tuple(added))


def _hashes(item: StoreObject) -> Hashes:
    return Hashes(base32_decode(item.path.hash, _HASH_BYTES), item.nar.value)


def _named(item: StoreObject, old: StoreObject | None, places: Mapping[StoreObject, int]) -> Named:
    if old is None:
        return Named(None, item.path.name.encode(), item.nar_size_bytes)
    return Named(places[old], b"", item.nar_size_bytes - old.nar_size_bytes)


def _references(
    item: StoreObject,
    old: StoreObject | None,
    renames: Renames,
    index: Mapping[StorePath, int],
) -> References:
    if old is not None and _followed(old, renames) == item.references:
        return References(None)
    return References(tuple(index[path] for path in item.references))


def _followed(old: StoreObject, renames: Renames) -> tuple[StorePath, ...]:
    """What an object refers to when its references have followed."""
    return tuple(sorted(map(renames.follow, old.references)))


def pairs(
    old: Sequence[StoreObject], new: Sequence[StoreObject]
) -> Mapping[StoreObject, StoreObject]:
    """For each new object the old one for which it stands: one of the same name that goes."""
    before, after = set(old), set(new)
    gone = _by_name(item for item in old if item not in after)
    come = _by_name(item for item in new if item not in before)
    return {
        theirs: ours
        for name, items in come.items()
        for theirs, ours in zip(items, gone.get(name, ()), strict=False)
    }


def _by_name(items: Iterable[StoreObject]) -> Mapping[str, Sequence[StoreObject]]:
    found: dict[str, list[StoreObject]] = {}
    for item in items:
        found.setdefault(item.path.name, []).append(item)
    return found


def apply(
    changed: Difference, old: Sequence[StoreObject], wrong: Wrong
) -> tuple[Manifest, Renames]:
    """The manifest that has this difference to some objects, and which of these have new names.

    Raises:
        BadStream: it refers to something that does not exist; made by ``wrong``.
        BadManifest, BadStorePath: the result is not a manifest.
    """
    stood = [_stood(named, old, wrong) for named in changed.named]
    fresh = [item for step in changed.steps for item in step.added]
    added = [
        StorePath(base32_encode(each.path), _name(named, before))
        for each, named, before in zip(fresh, changed.named, stood, strict=True)
    ]
    both = zip(stood, added, strict=True)
    renames = Renames.of((before.path, path) for before, path in both if before)
    order = list(_order(changed.steps, old, wrong))
    taken = iter(added)
    paths = [next(taken) if item is None else item.path for item in order]
    references = _resolved(changed.references, stood, paths, renames, wrong)
    made = (
        StoreObject(path, Digest(each.nar), named.growth + _size(before), refers)
        for path, each, named, before, refers in zip(
            added, fresh, changed.named, stood, references, strict=True
        )
    )
    objects = tuple(next(made) if item is None else item for item in order)
    return Manifest(_at(paths, changed.root, wrong), objects), renames


def _stood(named: Named, old: Sequence[StoreObject], wrong: Wrong) -> StoreObject | None:
    if named.stands_for is None:
        return None
    if named.stands_for >= len(old):
        raise wrong(f"position {named.stands_for} is beyond the base's {len(old)} objects")
    return old[named.stands_for]


def _name(named: Named, old: StoreObject | None) -> str:
    return named.name.decode("ascii", "replace") if old is None else old.path.name


def _size(old: StoreObject | None) -> int:
    return 0 if old is None else old.nar_size_bytes


def _order(
    steps: Iterable[Step], old: Sequence[StoreObject], wrong: Wrong
) -> Iterator[StoreObject | None]:
    """The objects of the new manifest: an old one, or None for the next new one."""
    used = 0
    for step in steps:
        left = len(old) - used
        _bounded(step.keep, left, "objects that stay in the manifest", wrong)
        _bounded(step.drop, left - step.keep, "objects that leave the manifest", wrong)
        yield from old[used : used + step.keep]
        yield from [None] * len(step.added)
        used += step.keep + step.drop


def _resolved(
    references: Iterable[References],
    stood: Iterable[StoreObject | None],
    paths: Sequence[StorePath],
    renames: Renames,
    wrong: Wrong,
) -> Iterator[tuple[StorePath, ...]]:
    """What each new object refers to."""
    left = MAX_REFERENCES
    for each, old in zip(references, stood, strict=True):
        if each.positions is not None:
            found = tuple(_at(paths, position, wrong) for position in each.positions)
        elif old is not None:
            found = _followed(old, renames)
        else:
            raise wrong("an object that stands for none has the references of one")
        left -= len(found)
        if left < 0:
            raise wrong(f"more than {MAX_REFERENCES} references in the manifest")
        yield found


def _at(paths: Sequence[StorePath], position: int, wrong: Wrong) -> StorePath:
    if position >= len(paths):
        raise wrong(f"position {position} is beyond the {len(paths)} objects of the manifest")
    return paths[position]
