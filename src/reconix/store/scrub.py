"""Scrubbing: reading what is installed bit by bit, before somebody needs what is damaged.

A disk forgets in silence. Who reads everything at once takes long and keeps a device busy; so
everything is read in the order of its digests, a little at a time, and the *place*, the digest that
was read last, is all that must be remembered. Digests are random, so the place also tells how far
a pass is.

Contents are taken from pool and packs as they lie there: a digest covers the size, so no image has
to be read for them. What is missing is found with the image that names it. Only when something is
wrong all images are read, to tell which files that makes.

Meanwhile things may be collected or received. So what is not there any more is no damage, unless
it is needed by what is installed at the end.

Tested by ``tests/unit/store/test_scrub.py``.
"""

import contextlib
import enum
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from reconix.base.digests import Digest
from reconix.base.files import forget_cached
from reconix.base.records import dataclass, field, replace
from reconix.store import fsverity
from reconix.store.images.image import BadImage, Image
from reconix.store.images.nodes import contents, files
from reconix.store.intact import entries
from reconix.store.manifest import ImageEntry, Manifest
from reconix.store.pool import BadContent
from reconix.store.registry import ImageMissing, Registry

MAX_FILES = 3
"""Of those that have a damaged content so many are named."""

BEGIN = b""
"""The place before everything."""

_MISSING = "is missing"
_NOT_COMPARED = "is not compared by the kernel"


class Kind(enum.Enum):
    """What can be damaged."""

    CONTENT = "content"
    IMAGE = "image"


@dataclass(frozen=True, slots=True, order=True)
class Damage:
    """Something that is not what its name says.

    Attributes:
        digest: its name.
        kind: what it is.
        what: what is wrong with it, behind its name.
        size_bytes: how large it should be; 0 if that is not known.
        files: some of the files that have the content; some of the objects in the image.
        more: how many more there are.
    """

    digest: bytes
    kind: Kind
    what: str
    size_bytes: int = 0
    files: tuple[str, ...] = ()
    more: int = 0

    def __str__(self) -> str:
        more = f" and {self.more} more" if self.more else ""
        who = f"; it is that of {', '.join(self.files)}{more}" if self.files else ""
        return f"the {self.kind.value} {self.digest.hex()} {self.what}{who}"


class _Item(NamedTuple):
    """Something to read."""

    digest: bytes
    entry: ImageEntry | None  # None: a content


@dataclass(slots=True)
class Reading:
    """What was read.

    Attributes:
        place: what was read last; ``BEGIN`` if there is nothing behind it.
        read_bytes: how much it was.
        sound: what is what its name says.
        wrong: what is not.
    """

    place: bytes
    read_bytes: int = 0
    sound: set[bytes] = field(default_factory=set)
    wrong: dict[bytes, Damage] = field(default_factory=dict)

    def note(self, damage: Damage) -> None:
        """Something is wrong."""
        self.wrong[damage.digest] = damage


def read_on(registry: Registry, place: bytes, limit_bytes: int | None = None) -> Reading:
    """Read what comes behind a place, and compare it with its name.

    Args:
        registry: what is installed.
        place: where an earlier reading has ended.
        limit_bytes: ends before it is more, but not before one thing was read; None: at the end.
    """
    reading = Reading(place)
    for item in _items(registry, place):
        size_bytes = _size(registry, item)
        if size_bytes is None and item.entry is None:
            continue  # it was collected
        more = reading.read_bytes + (size_bytes or 0)
        if limit_bytes is not None and more > limit_bytes and reading.read_bytes:
            return reading
        _compare(registry, item, size_bytes or 0, reading)
        reading.place, reading.read_bytes = item.digest, more
    reading.place = BEGIN
    return reading


def _items(registry: Registry, place: bytes) -> Iterator[_Item]:
    """What comes behind a place, in the order of digests."""
    images = {entry.sha256.value: entry for entry in installed_images(registry)}
    behind = {name for name in (*images, *registry.pool.resting()) if name > place}
    return (_Item(digest, images.get(digest)) for digest in sorted(behind))


def installed_images(registry: Registry) -> tuple[ImageEntry, ...]:
    """The images of all generations whose manifests can be read."""
    return entries(each for each in registry.each_manifest() if isinstance(each, Manifest))


def _size(registry: Registry, item: _Item) -> int | None:
    """How large a file is; ``None`` if it is not there."""
    entry = item.entry
    path = registry.pool.path(item.digest) if entry is None else registry.image_path(entry.sha256)
    try:
        return os.lstat(path).st_size
    except (FileNotFoundError, NotADirectoryError):
        return None


def _compare(registry: Registry, item: _Item, size_bytes: int, reading: Reading) -> None:
    if item.entry is None:
        _compare_content(registry, item.digest, size_bytes, reading)
    else:
        _compare_image(registry, item.entry, reading)


def _compare_content(registry: Registry, digest: bytes, size_bytes: int, reading: Reading) -> None:
    what = wrong_content(registry, digest, size_bytes)
    if what:
        reading.note(Damage(digest, Kind.CONTENT, what))
    else:
        reading.sound.add(digest)


def wrong_content(registry: Registry, digest: bytes, size_bytes: int) -> str:
    """Read a content from the disk, and tell what is wrong with it; nothing if it is sound."""
    path = registry.pool.path(digest)
    forget_cached(path)
    try:
        registry.pool.verify(digest, size_bytes)
    except BadContent as error:
        return error.what
    return "" if _is_compared(registry, path) else _NOT_COMPARED


def _is_compared(registry: Registry, path: Path) -> bool:
    """Whether the kernel compares a file with its hashes, where it can do that."""
    if not fsverity.is_supported(registry.system_root):
        return True
    try:
        return fsverity.measure_file(path) is not None
    except OSError:
        return False


def _compare_image(registry: Registry, entry: ImageEntry, reading: Reading) -> None:
    what = wrong_image(registry, entry)
    if what:
        reading.note(Damage(entry.sha256.value, Kind.IMAGE, what, entry.size_bytes))
        return
    reading.sound.add(entry.sha256.value)
    with contextlib.suppress(BadImage, ImageMissing):  # a newer agent's, or collected just now
        for digest, size_bytes in _named(registry.verify_image(entry), entry):
            if not registry.pool.has(digest, size_bytes) and digest not in reading.wrong:
                reading.note(Damage(digest, Kind.CONTENT, _MISSING, size_bytes))


def wrong_image(registry: Registry, entry: ImageEntry) -> str:
    """Read an image from the disk, and tell what is wrong with it; nothing if it is sound."""
    path = registry.image_path(entry.sha256)
    forget_cached(path)
    try:
        registry.verify_image(entry)
    except ImageMissing:
        return _MISSING
    except BadImage:
        return "was altered, or cannot be read"
    return "" if _is_compared(registry, path) else _NOT_COMPARED


def _named(image: Image, entry: ImageEntry) -> Iterator[tuple[bytes, int]]:
    """The contents that an image names."""
    for path in entry.objects:
        tree = image.tree(path.basename.encode())
        if tree is not None:
            yield from contents(tree)


def still_damaged(registry: Registry, known: Iterable[Damage]) -> tuple[Damage, ...]:
    """What of some damages is still there, sorted, with the files that it makes.

    What nobody needs any more is none, if all images can tell.
    """
    wanted = {damage.digest: damage for damage in known}
    if not wanted:
        return ()
    users = _Users(wanted, {digest: set() for digest in wanted})
    for entry in installed_images(registry):
        users.look(registry, entry)
    found = map(users.told, sorted(wanted.values()))
    return tuple(each for each in found if each is not None and _is_there(registry, each))


def _is_there(registry: Registry, damage: Damage) -> bool:
    """Whether a damage is not repaired; what was altered must be read to know that."""
    if damage.kind is Kind.CONTENT and damage.what == _MISSING:
        return not registry.pool.has(damage.digest, damage.size_bytes)
    return True


@dataclass(slots=True)
class _Users:
    """Who has damaged contents and images."""

    wanted: Mapping[bytes, Damage]
    files: dict[bytes, set[str]]
    sizes: dict[bytes, int] = field(default_factory=dict)
    is_complete: bool = True

    def look(self, registry: Registry, entry: ImageEntry) -> None:
        """Look through an image."""
        digest = entry.sha256.value
        if digest in self.wanted:
            self.files[digest].update(map(str, entry.objects))
            self.sizes[digest] = entry.size_bytes
        try:
            image = registry.verify_image(entry)
            for path, file in self._files(image, entry):
                self.files[file.digest].add(path)
                self.sizes[file.digest] = file.size_bytes
        except (BadImage, ImageMissing):
            self.is_complete = False

    def _files(self, image: Image, entry: ImageEntry) -> Iterator[tuple[str, "_File"]]:
        for path in entry.objects:
            tree = image.tree(path.basename.encode())
            for names, file in () if tree is None else files(tree):
                if not file.is_inline and file.content in self.wanted:
                    below = (name.decode(errors="backslashreplace") for name in names)
                    yield "/".join([str(path), *below]), _File(file.content, file.size_bytes)

    def told(self, damage: Damage) -> Damage | None:
        """A damage with its files; ``None`` if nobody needs it."""
        found = sorted(self.files[damage.digest])
        if not found:
            return None if self.is_complete else damage
        size_bytes = self.sizes[damage.digest]
        more = max(0, len(found) - MAX_FILES)
        return replace(damage, size_bytes=size_bytes, files=tuple(found[:MAX_FILES]), more=more)


class _File(NamedTuple):
    digest: bytes
    size_bytes: int


def is_intact(registry: Registry, damage: Damage) -> bool:
    """Read what was damaged once more: whether it is what its name says now."""
    if damage.kind is Kind.CONTENT:
        size_bytes = _size(registry, _Item(damage.digest, None))  # the digest covers it
        return not wrong_content(registry, damage.digest, size_bytes or 0)
    found = [each for each in installed_images(registry) if each.sha256 == Digest(damage.digest)]
    return bool(found) and not wrong_image(registry, found[0])
