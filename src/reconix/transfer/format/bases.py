"""What a stream may count on: its base, or what several bases have in common.

A stream that serves devices with different generations must mean the same on each of them. So of
each base it uses only what all of them have, the *view*::

    column     an object of each base, all of the same kind; the first ones are equal in all bases
    images     those that all bases have
    left out   what is in such an object, but not in those of the other bases in the same way

A device does not see what is left out when it lists a folder. Then the names and the positions of a
plan mean the same on every device. The objects that are equal everywhere, and the images, may stay
in the target. With one base the view is all of it.

A file that differs from base to base is not lost: for such files a plan says for each base how
they are made (``plan.Alternatives``).

The format, byte by byte: ``docs/spec/stream.md``, *Several bases*. Computed by
``transfer/sending/overlap.py``.
Tested by ``tests/unit/transfer/format/test_bases.py``.
"""

from collections.abc import Sequence
from typing import TypeVar

from reconix.base.records import dataclass
from reconix.store.manifest import MAX_IMAGES, ImageEntry, Manifest
from reconix.store.paths import StorePath
from reconix.transfer.format.manifest_difference import Places, Staying
from reconix.transfer.format.packing import Channels
from reconix.transfer.format.plan import (
    ONLY,
    Location,
    Which,
    parse_location,
    print_location,
)
from reconix.transfer.format.stream import varint

MAX_COLUMNS = 8192
MAX_LEFT_OUT = 1 << 14
MAX_LEFT_OUT_BYTES = 1 << 20
"""Of one base, how many and how long together (``path_bytes``): a device holds their paths."""

_NAME_BYTES = 16  # of memory, beside the name itself


@dataclass(frozen=True, slots=True)
class View:
    """A base as a stream sees it."""

    objects: tuple[StorePath, ...]  # by column
    equal: int  # how many of them, the first ones, all bases have
    images: tuple[ImageEntry, ...] = ()  # that all bases have, sorted
    left_out: frozenset[Location] = frozenset()
    which: Which = ONLY

    @classmethod
    def whole(cls, base: Manifest | None) -> "View":
        """All of the only base, or of none."""
        objects = () if base is None else base.objects
        return cls(objects, len(objects), () if base is None else base.images)

    @property
    def staying(self) -> Staying:
        """What may stay in the target."""
        return Staying(self.objects[: self.equal], self.images)


def path_bytes(path: tuple[bytes, ...]) -> int:
    """What a path counts for: many short names take more memory than their bytes."""
    return len(b"/".join(path)) + _NAME_BYTES * len(path)


def print_views(views: Sequence[View], bases: Sequence[Manifest]) -> bytes:
    """Spell the views of several bases, which are in the order of the header."""
    first = views[0]
    numbers = [len(first.objects), first.equal, len(first.images)]
    spelled = [varint(number) for number in numbers]
    for view, base in zip(views, bases, strict=True):
        place = {path: number for number, path in enumerate(base.objects)}
        places = [place[path] for path in view.objects]
        spelled.append(Places.of(places[: view.equal]).print())
        spelled += map(varint, places[view.equal :])
        spelled.append(Places.of(map(base.images.index, view.images)).print())
        spelled.append(varint(len(view.left_out)))
        spelled += map(print_location, sorted(view.left_out))
    return b"".join(spelled)


def parse_views(payload: Channels, base: Manifest, which: Which) -> View:
    """Read the views of all bases; give that of ours.

    Raises:
        BadStream: it breaks the format or its limits, or is not about our base.
    """
    columns, equal, images = (payload.number() for _ in range(3))
    if not equal <= columns <= MAX_COLUMNS or images > MAX_IMAGES:
        raise payload.wrong(f"{equal} of {columns} objects and {images} images are in all bases")
    ours: View | None = None
    for number in range(which.count):
        places = _parse_places(payload, equal)
        places += [payload.number() for _ in range(columns - equal)]
        entries = _parse_places(payload, images)
        left_out = _parse_left_out(payload, columns)
        if number == which.number:
            common = _pick(base.images, entries, payload), frozenset(left_out)
            ours = View(_pick(base.objects, places, payload), equal, *common, which)
    assert ours is not None
    return ours


def _parse_places(payload: Channels, count: int) -> list[int]:
    places = Places.parse(payload, count)
    if places.count != count:
        raise payload.wrong(f"{places.count} positions where {count} are needed")
    return list(places)


_Item = TypeVar("_Item")


def _pick(items: Sequence[_Item], places: Sequence[int], payload: Channels) -> tuple[_Item, ...]:
    if len(set(places)) < len(places) or max(places, default=-1) >= len(items):
        raise payload.wrong("something in the base that it does not have")
    return tuple(items[place] for place in places)


def _parse_left_out(payload: Channels, columns: int) -> list[Location]:
    count = payload.number()
    if count > MAX_LEFT_OUT:
        raise payload.wrong(f"{count} names are left out, more than {MAX_LEFT_OUT}")
    found: list[Location] = []
    left = MAX_LEFT_OUT_BYTES
    for _ in range(count):
        found.append(parse_location(payload))
        left -= path_bytes(found[-1].path)
        if left < 0:
            raise payload.wrong(f"what is left out takes more than {MAX_LEFT_OUT_BYTES} bytes")
    if any(place.source >= columns or not place.path for place in found):
        raise payload.wrong("something is left out that is not in an object of the base")
    return found
