"""What comes before the objects in a payload: the target's manifest, costs, and needed tools.

A manifest names every object of a generation; between two generations nearly all of it stays. So it
is told by its difference to what the bases have in common (``bases.py``): so many objects stay, so
many go, these are new. References are positions in the new list.

For each object that is sent follows what it costs on the disk; the device refuses before it has
written anything if there is no room. Programs and libraries that are needed to pack content again
(``codecs/tools.py``) are named for the same reason.

The format, byte by byte: ``docs/spec/stream.md``, *Preface*. Proven by
``tests/unit/transfer/test_preface.py``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from reconix.base.digests import Digest
from reconix.store.manifest import BadManifest, Manifest, StoreObject
from reconix.store.paths import BadStorePath, StorePath
from reconix.transfer.bases import View
from reconix.transfer.codecs.tools import NO_TOOLS, Tool
from reconix.transfer.plan import MAX_INODES, Payload, counted, parse_bytes
from reconix.transfer.stream import varint

MAX_OBJECTS = 8192
MAX_REFERENCES = 1 << 16
"""Together they bound the memory that a manifest takes; those of the base count, too."""

_MAX_NAME_BYTES = 255
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Need:
    """One object that is in the stream, and what it costs on the disk."""

    index: int  # in the manifest of the target
    content_bytes: int
    space_bytes: int
    inodes: int


@dataclass(frozen=True, slots=True)
class Preface:
    """What a device must know before the first object."""

    manifest: Manifest
    needs: tuple[Need, ...]
    tools: Tool = NO_TOOLS


def print_preface(preface: Preface, view: View) -> bytes:
    """Spell a preface for devices of which this is seen."""
    numbers = [len(preface.needs)]
    for need in preface.needs:
        numbers += (need.index, need.content_bytes, need.space_bytes, need.inodes)
    numbers.append(preface.tools.value)
    return _print_manifest(preface.manifest, view) + b"".join(map(varint, numbers))


def _print_manifest(manifest: Manifest, view: View) -> bytes:
    steps = list(_steps(view.staying, manifest.objects))
    index = {item.path: number for number, item in enumerate(manifest.objects)}
    parts = [varint(len(steps))]
    for keep, drop, added in steps:
        parts += [varint(keep), varint(drop), varint(len(added)), *map(_print_object, added)]
    for _, _, added in steps:
        for item in added:
            parts.append(varint(len(item.references)))
            parts += [varint(index[path]) for path in item.references]
    return b"".join([*parts, varint(index[manifest.root])])


def _print_object(item: StoreObject) -> bytes:
    name = item.path.basename.encode()
    return counted(name) + bytes.fromhex(item.nar.hex()) + varint(item.nar_size_bytes)


_Step = tuple[int, int, list[StoreObject]]


def _steps(old: tuple[StoreObject, ...], new: tuple[StoreObject, ...]) -> Iterator[_Step]:
    """Keep so many, drop so many, add these; both lists are sorted by path."""
    before = {item.path: item for item in old}
    after = {item.path: item for item in new}
    keep, drop, added = 0, 0, list[StoreObject]()
    for path in sorted(before.keys() | after.keys()):
        stays = before.get(path) is not None and before.get(path) == after.get(path)
        if stays and (drop or added):
            yield keep, drop, added
            keep, drop, added = 0, 0, []
        keep += stays
        drop += not stays and path in before
        if not stays and path in after:
            added.append(after[path])
    yield keep, drop, added


def parse_preface(payload: Payload, view: View) -> Preface:
    """Read what comes before the objects.

    Args:
        payload: the payload, from its beginning.
        view: what is seen of the device's base.

    Raises:
        BadStream: it breaks the format or its limits.
    """
    manifest = _parse_manifest(payload, view)
    count = payload.number()
    if count > len(manifest.objects):
        raise payload.wrong(f"{count} objects are sent, more than the target has")
    needs = tuple(Need(*(payload.number() for _ in range(4))) for _ in range(count))
    indexes = [need.index for need in needs]
    if indexes != sorted(set(indexes)) or any(i >= len(manifest.objects) for i in indexes):
        raise payload.wrong("the list of sent objects is not one")
    if any(need.inodes > MAX_INODES for need in needs):
        raise payload.wrong(f"an object with more than {MAX_INODES} files")
    tools = payload.number()
    if tools & ~sum(Tool):
        raise payload.wrong(f"tools {tools:#x} are needed, which nobody knows")
    return Preface(manifest, needs, Tool(tools))


def _parse_manifest(payload: Payload, view: View) -> Manifest:
    try:
        return _Parser(payload, view.staying).parse()
    except (BadManifest, BadStorePath) as error:
        raise payload.wrong(f"the manifest in the stream: {error}") from error


class _Parser:
    """Makes a manifest from what may stay."""

    def __init__(self, payload: Payload, old: tuple[StoreObject, ...]) -> None:
        self._payload = payload
        self._old = old
        self._used = 0
        self._items: list[StoreObject] = []
        self._added: list[int] = []
        self._references_left = MAX_REFERENCES

    def parse(self) -> Manifest:
        for _ in range(self._bounded(MAX_OBJECTS, "steps in the manifest")):
            self._step()
        for position in self._added:
            self._refer(position)
        root = self._position()
        return Manifest(self._items[root].path, tuple(self._items))

    def _bounded(self, limit: int, what: str) -> int:
        number = self._payload.number()
        if number > limit:
            raise self._payload.wrong(f"{number} {what}, more than {limit}")
        return number

    def _step(self) -> None:
        left = len(self._old) - self._used
        keep = self._bounded(left, "objects that stay in the manifest")
        self._items += self._old[self._used : self._used + keep]
        drop = self._bounded(left - keep, "objects that leave the manifest")
        self._used += keep + drop
        for _ in range(self._bounded(MAX_OBJECTS - len(self._added), "objects in the manifest")):
            self._added.append(len(self._items))
            self._items.append(self._object())

    def _object(self) -> StoreObject:
        name = parse_bytes(self._payload, _MAX_NAME_BYTES, "a name in the manifest")
        path = StorePath.of_basename(name.decode("ascii", "replace"))
        digest = Digest(self._payload.take(_DIGEST_BYTES))
        return StoreObject(path, digest, self._payload.number())

    def _refer(self, position: int) -> None:
        item = self._items[position]
        count = self._bounded(self._references_left, "references in the manifest")
        self._references_left -= count
        references = tuple(self._items[self._position()].path for _ in range(count))
        self._items[position] = StoreObject(item.path, item.nar, item.nar_size_bytes, references)

    def _position(self) -> int:
        return self._bounded(len(self._items) - 1, "is no place in the manifest")
