"""The manifest of a target, as its difference to what the bases have in common.

A manifest names every object of a generation and the images in which they stand; between two
generations nearly all of it stays. So it says how many objects stay, how many go and which are new,
and of a new object for which old one it stands (``bases.py``); then which images stay, and of a new
one what it is and which objects stand in it::

    difference = count step* named* root staying count image*
    step       = keep drop count hash*        new objects: the hash of the path
    named      = stands-for                   one for each new object of all steps
    image      = digest blocks places         objects by their position in the new list
    staying    = places                       images by their position in the old list
    places     = count ( skip take )*         rising positions

The records are the layout: each prints itself and parses itself, field by field, and knows numbers
only. ``difference`` and ``apply`` say what they mean.

The format, byte by byte: ``docs/spec/stream.md``, *Manifest*. Tested by
``tests/unit/transfer/format/test_payload_head.py``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from reconix.base.digests import Digest
from reconix.base.records import dataclass
from reconix.store.manifest import MAX_IMAGES, ImageEntry, Manifest
from reconix.store.paths import StorePath, base32_decode, base32_encode
from reconix.transfer.codecs.renames import Renames
from reconix.transfer.format.packing import Channels
from reconix.transfer.format.plan import counted, parse_bytes
from reconix.transfer.format.stream import BadStream, varint

MAX_OBJECTS = 8192
MAX_PLACES = 1 << 16
"""Of objects in new images. Together they bound the memory that a manifest takes; those of the base
count, too."""

MAX_NEW_IMAGES_BYTES = 64 << 20
"""All new images: what stands in them is made in memory; about 300,000 files."""

_MAX_NAME_BYTES = 255
_HASH_BYTES = 20
_DIGEST_BYTES = 32
_BLOCK_BYTES = 4096  # an image is whole blocks

Wrong = Callable[[str], BadStream]


@dataclass(frozen=True, slots=True)
class Step:
    """A number of objects of the old manifest stay, the next ones go, new ones come."""

    keep: int
    drop: int
    added: tuple[bytes, ...]  # hashes of their paths

    def print(self) -> bytes:
        """As bytes."""
        numbers = (self.keep, self.drop, len(self.added))
        return b"".join([*map(varint, numbers), *self.added])

    @classmethod
    def parse(cls, payload: Channels, most_added: int) -> "Step":
        """The inverse of ``print``."""
        keep, drop = payload.number(), payload.number()
        count = _bounded(payload.number(), most_added, "objects in the manifest", payload.wrong)
        return cls(keep, drop, tuple(payload.take(_HASH_BYTES) for _ in range(count)))


@dataclass(frozen=True, slots=True)
class Named:
    """What a new object is called."""

    stands_for: int | None  # a position in the old manifest: it has the name of that object
    name: bytes = b""  # only if it stands for none

    def print(self) -> bytes:
        """As bytes."""
        if self.stands_for is None:
            return varint(0) + counted(self.name)
        return varint(1 + self.stands_for)

    @classmethod
    def parse(cls, payload: Channels) -> "Named":
        """The inverse of ``print``."""
        number = payload.number()
        if number:
            return cls(number - 1)
        return cls(None, parse_bytes(payload, _MAX_NAME_BYTES, "a name"))


@dataclass(frozen=True, slots=True)
class Places:
    """Rising positions in a list, as runs: so many are left out, so many taken."""

    runs: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, positions: Iterable[int]) -> "Places":
        """Take positions."""
        runs: list[tuple[int, int]] = []
        end = 0  # of the last run
        for position in positions:
            if runs and position == end:
                runs[-1] = runs[-1][0], runs[-1][1] + 1
            else:
                runs.append((position - end, 1))
            end = position + 1
        return cls(tuple(runs))

    @property
    def count(self) -> int:
        """How many are taken."""
        return sum(take for _, take in self.runs)

    def __iter__(self) -> Iterator[int]:
        at = 0
        for skip, take in self.runs:
            yield from range(at + skip, at + skip + take)
            at += skip + take

    def print(self) -> bytes:
        """As bytes."""
        return b"".join(map(varint, [len(self.runs), *(n for run in self.runs for n in run)]))

    @classmethod
    def parse(cls, payload: Channels, most: int) -> "Places":
        """The inverse of ``print``."""
        runs: list[tuple[int, int]] = []
        left = most
        for _ in range(_bounded(payload.number(), most, "runs of positions", payload.wrong)):
            runs.append((payload.number(), payload.number()))
            left -= _bounded(runs[-1][1], left, "positions", payload.wrong)
        return cls(tuple(runs))


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image that the bases do not have."""

    sha256: bytes
    blocks: int
    objects: Places

    def print(self) -> bytes:
        """As bytes."""
        return self.sha256 + varint(self.blocks) + self.objects.print()

    @classmethod
    def parse(cls, payload: Channels, most_objects: int) -> "NewImage":
        """The inverse of ``print``."""
        digest, blocks = payload.take(_DIGEST_BYTES), payload.number()
        return cls(digest, blocks, Places.parse(payload, most_objects))


@dataclass(frozen=True, slots=True)
class Difference:
    """A manifest as its difference to another one."""

    steps: tuple[Step, ...]
    named: tuple[Named, ...]  # for each new object
    root: int  # its position in the new manifest
    staying: Places  # images of the old manifest
    images: tuple[NewImage, ...]

    def print(self) -> bytes:
        """As bytes."""
        return b"".join(
            [
                varint(len(self.steps)),
                *(step.print() for step in self.steps),
                *(named.print() for named in self.named),
                varint(self.root),
                self.staying.print(),
                varint(len(self.images)),
                *(image.print() for image in self.images),
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
        root, staying = payload.number(), Places.parse(payload, MAX_IMAGES)
        return cls(steps, named, root, staying, tuple(_parse_images(payload)))


def _parse_steps(payload: Channels) -> Iterator[Step]:
    left = MAX_OBJECTS
    for _ in range(_bounded(payload.number(), left, "steps in the manifest", payload.wrong)):
        yield (step := Step.parse(payload, left))
        left -= len(step.added)


def _parse_images(payload: Channels) -> Iterator[NewImage]:
    left, blocks = MAX_PLACES, MAX_NEW_IMAGES_BYTES // _BLOCK_BYTES
    for _ in range(_bounded(payload.number(), MAX_IMAGES, "images", payload.wrong)):
        yield (image := NewImage.parse(payload, left))
        left -= image.objects.count
        blocks -= _bounded(image.blocks, blocks, "blocks of images", payload.wrong)


def _bounded(number: int, limit: int, what: str, wrong: Wrong) -> int:
    if number > limit:
        raise wrong(f"{number} {what}, more than {limit}")
    return number


@dataclass(frozen=True, slots=True)
class Staying:
    """What may stay in a target."""

    objects: tuple[StorePath, ...]  # sorted
    images: tuple[ImageEntry, ...]  # sorted


def difference(old: Staying, manifest: Manifest) -> Difference:
    """How a manifest differs from what may stay in it."""
    objects, before = manifest.objects, set(old.objects)
    stood = pairs(old.objects, objects)
    places = {path: number for number, path in enumerate(old.objects)}
    index = {path: number for number, path in enumerate(objects)}
    known = set(old.images)
    return Difference(
        tuple(_steps(old.objects, objects)),
        tuple(_named(path, stood.get(path), places) for path in objects if path not in before),
        index[manifest.root],
        Places.of(number for number, each in enumerate(old.images) if each in manifest.images),
        tuple(_new_image(each, index) for each in manifest.images if each not in known),
    )


def _steps(old: Sequence[StorePath], new: Sequence[StorePath]) -> Iterator[Step]:
    before, after = set(old), set(new)
    keep, drop, added = 0, 0, list[bytes]()
    for path in sorted(before | after):
        stays = path in before and path in after
        if stays and (drop or added):
            yield Step(keep, drop, tuple(added))
            keep, drop, added = 0, 0, []
        keep += stays
        drop += path not in after
        if path not in before:
            added.append(base32_decode(path.hash, _HASH_BYTES))
    yield Step(keep, drop, tuple(added))


def _named(path: StorePath, old: StorePath | None, places: Mapping[StorePath, int]) -> Named:
    return Named(None, path.name.encode()) if old is None else Named(places[old])


def _new_image(image: ImageEntry, index: Mapping[StorePath, int]) -> NewImage:
    blocks = -(-image.size_bytes // _BLOCK_BYTES)
    return NewImage(image.sha256.value, blocks, Places.of(index[path] for path in image.objects))


def pairs(old: Sequence[StorePath], new: Sequence[StorePath]) -> Mapping[StorePath, StorePath]:
    """For each new object the old one for which it stands: one of the same name that goes."""
    before, after = set(old), set(new)
    gone = _by_name(path for path in old if path not in after)
    come = _by_name(path for path in new if path not in before)
    return {
        theirs: ours
        for name, paths in come.items()
        for theirs, ours in zip(paths, gone.get(name, ()), strict=False)
    }


def image_pairs(
    old: Sequence[ImageEntry], new: Sequence[ImageEntry]
) -> Iterator[tuple[Digest, Digest]]:
    """The digest of each image that goes, with that of a new one whose objects have its names."""
    gone: dict[tuple[str, ...], list[Digest]] = {}
    for entry in old:
        if entry not in new:
            gone.setdefault(_names(entry), []).append(entry.sha256)
    for entry in new:
        if entry not in old and gone.get(_names(entry)):
            yield gone[_names(entry)].pop(0), entry.sha256


def _names(image: ImageEntry) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in image.objects))


def renames(old: Staying, manifest: Manifest) -> Renames:
    """Which objects and images have new names."""
    stood = pairs(old.objects, manifest.objects)
    paths = ((before, path) for path, before in stood.items())
    return Renames.of(paths, image_pairs(old.images, manifest.images))


def _by_name(paths: Iterable[StorePath]) -> Mapping[str, Sequence[StorePath]]:
    found: dict[str, list[StorePath]] = {}
    for path in paths:
        found.setdefault(path.name, []).append(path)
    return found


def apply(changed: Difference, old: Staying, wrong: Wrong) -> tuple[Manifest, Renames]:
    """The manifest that has this difference to what may stay, and which objects have new names.

    Raises:
        BadStream: it refers to something that does not exist; made by ``wrong``.
        BadManifest, BadStorePath: the result is not a manifest.
    """
    stood = [_stood(named, old.objects, wrong) for named in changed.named]
    fresh = [path for step in changed.steps for path in step.added]
    added = [
        StorePath(base32_encode(path), _name(named, before))
        for path, named, before in zip(fresh, changed.named, stood, strict=True)
    ]
    taken = iter(added)
    order = _order(changed.steps, old.objects, wrong)
    objects = [next(taken) if path is None else path for path in order]
    images = [_at(old.images, place, wrong) for place in changed.staying]
    images += [_image(each, objects, wrong) for each in changed.images]
    manifest = Manifest(_at(objects, changed.root, wrong), tuple(sorted(images)))
    if list(manifest.objects) != objects:
        raise wrong("the images of the manifest do not have its objects")
    both = zip(stood, added, strict=True)
    images_before = image_pairs(old.images, manifest.images)
    return manifest, Renames.of(((old, new) for old, new in both if old), images_before)


def _stood(named: Named, old: Sequence[StorePath], wrong: Wrong) -> StorePath | None:
    if named.stands_for is None:
        return None
    if named.stands_for >= len(old):
        raise wrong(f"position {named.stands_for} is beyond the base's {len(old)} objects")
    return old[named.stands_for]


def _name(named: Named, old: StorePath | None) -> str:
    return named.name.decode("ascii", "replace") if old is None else old.name


def _order(
    steps: Iterable[Step], old: Sequence[StorePath], wrong: Wrong
) -> Iterator[StorePath | None]:
    """The objects of the new manifest: an old one, or None for the next new one."""
    used = 0
    for step in steps:
        left = len(old) - used
        _bounded(step.keep, left, "objects that stay in the manifest", wrong)
        _bounded(step.drop, left - step.keep, "objects that leave the manifest", wrong)
        yield from old[used : used + step.keep]
        yield from [None] * len(step.added)
        used += step.keep + step.drop


def _image(image: NewImage, objects: Sequence[StorePath], wrong: Wrong) -> ImageEntry:
    inside = tuple(_at(objects, place, wrong) for place in image.objects)
    return ImageEntry(inside, Digest(image.sha256), image.blocks * _BLOCK_BYTES)


_Item = TypeVar("_Item")


def _at(items: Sequence[_Item], position: int, wrong: Wrong) -> _Item:
    if position >= len(items):
        raise wrong(f"position {position} is beyond the {len(items)} of the manifest")
    return items[position]
