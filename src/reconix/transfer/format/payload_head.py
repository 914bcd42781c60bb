"""What comes before the objects in a payload: the target's manifest, costs, and needed tools.

A manifest names every object of a generation; between two generations nearly all of it stays. So it
is told by its difference to what the bases have in common (``bases.py``): so many objects stay, so
many go, these are new. References are positions in the new list.

For each object that is sent follows what it costs on the disk; the device refuses before it has
written anything if there is no room. Programs and libraries that are needed to pack content again
(``codecs/tools.py``) are named for the same reason.

The format, byte by byte: ``docs/spec/stream.md``, *Payload*. Tested by
``tests/unit/transfer/format/test_payload_head.py``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reconix.base.digests import Digest
from reconix.store.manifest import BadManifest, Manifest, StoreObject
from reconix.store.paths import BadStorePath, StorePath, base32_decode, base32_encode
from reconix.transfer.codecs.renames import NO_RENAMES, Renames
from reconix.transfer.codecs.tools import NO_TOOLS, Tool
from reconix.transfer.format.bases import View
from reconix.transfer.format.packing import Channels
from reconix.transfer.format.plan import MAX_INODES, counted, parse_bytes
from reconix.transfer.format.stream import unzigzag, varint, zigzag

MAX_PAYLOAD_HEAD_BYTES = 4 << 20
"""Of the payload, before the first object: until it is read a device can keep it only in memory."""
MAX_OBJECTS = 8192
MAX_REFERENCES = 1 << 16
"""Together they bound the memory that a manifest takes; those of the base count, too."""

_MAX_NAME_BYTES = 255
_HASH_BYTES = 20
_DIGEST_BYTES = 32
_UNNAMED = "unnamed"  # until its name is read


@dataclass(frozen=True, slots=True)
class Need:
    """One object that is in the stream, and what it costs on the disk."""

    index: int  # in the manifest of the target
    content_bytes: int
    space_bytes: int
    inodes: int


@dataclass(frozen=True, slots=True)
class PayloadHead:
    """What a device must know before the first object."""

    manifest: Manifest
    needs: tuple[Need, ...]
    tools: Tool = NO_TOOLS
    renames: Renames = NO_RENAMES  # told by the manifest, and not spelled again


def print_payload_head(head: PayloadHead, view: View) -> bytes:
    """Spell a head for devices of which this is seen."""
    numbers = [len(head.needs)]
    before = -1
    for need in head.needs:
        numbers += (need.index - before - 1, need.content_bytes, need.space_bytes, need.inodes)
        before = need.index
    numbers.append(head.tools.value)
    return _print_manifest(head.manifest, view) + b"".join(map(varint, numbers))


def _print_manifest(manifest: Manifest, view: View) -> bytes:
    steps = list(_steps(view.staying, manifest.objects))
    added = [item for step in steps for item in step[2]]
    stood = pairs(view.staying, manifest.objects)
    places = {item: number for number, item in enumerate(view.staying)}
    renames = Renames.of((old.path, new.path) for new, old in stood.items())
    index = {item.path: number for number, item in enumerate(manifest.objects)}
    parts = [varint(len(steps))]
    for keep, drop, here in steps:
        parts += [varint(keep), varint(drop), varint(len(here)), *map(_print_hashes, here)]
    for item in added:
        old = stood.get(item)
        parts.append(
            varint(0) + counted(item.path.name.encode()) if old is None else varint(1 + places[old])
        )
        parts.append(varint(zigzag(item.nar_size_bytes - (old.nar_size_bytes if old else 0))))
    for item in added:
        old = stood.get(item)
        if old is not None and _followed(old, renames) == item.references:
            parts.append(varint(0))
        else:
            parts.append(varint(1 + len(item.references)))
            parts += [varint(index[path]) for path in item.references]
    return b"".join([*parts, varint(index[manifest.root])])


def _print_hashes(item: StoreObject) -> bytes:
    return base32_decode(item.path.hash, _HASH_BYTES) + item.nar.value


def _followed(old: StoreObject, renames: Renames) -> tuple[StorePath, ...]:
    """What an object refers to when all of it has got new names."""
    return tuple(sorted(map(renames.follow, old.references)))


def pairs(
    old: Sequence[StoreObject], new: Sequence[StoreObject]
) -> Mapping[StoreObject, StoreObject]:
    """For new objects, the old ones for which they stand: those of the same name that go."""
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


def parse_payload_head(payload: Channels, view: View) -> PayloadHead:
    """Read what comes before the objects.

    Args:
        payload: the payload, from its beginning.
        view: what is seen of the device's base.

    Raises:
        BadStream: it breaks the format or its limits.
    """
    manifest, renames = _parse_manifest(payload, view)
    count = payload.number()
    if count > len(manifest.objects):
        raise payload.wrong(f"{count} objects are sent, more than the target has")
    needs = tuple(_parse_needs(payload, count))
    if needs and needs[-1].index >= len(manifest.objects):
        raise payload.wrong("the list of sent objects is not one")
    if any(need.inodes > MAX_INODES for need in needs):
        raise payload.wrong(f"an object with more than {MAX_INODES} files")
    tools = payload.number()
    if tools & ~sum(Tool):
        raise payload.wrong(f"tools {tools:#x} are needed, which nobody knows")
    return PayloadHead(manifest, needs, Tool(tools), renames)


def _parse_needs(payload: Channels, count: int) -> Iterator[Need]:
    index = -1
    for _ in range(count):
        index += 1 + payload.number()
        yield Need(index, *(payload.number() for _ in range(3)))


def _parse_manifest(payload: Channels, view: View) -> tuple[Manifest, Renames]:
    parser = _Parser(payload, view.staying)
    try:
        return parser.parse(), parser.renames
    except (BadManifest, BadStorePath) as error:
        raise payload.wrong(f"the manifest in the stream: {error}") from error


class _Parser:
    """Makes a manifest from what may stay."""

    def __init__(self, payload: Channels, old: tuple[StoreObject, ...]) -> None:
        self._payload = payload
        self._old = old
        self._used = 0
        self._items: list[StoreObject] = []
        self._added: list[int] = []
        self._references_left = MAX_REFERENCES
        self.renames = NO_RENAMES

    def parse(self) -> Manifest:
        """The manifest; then ``renames`` are known, too."""
        for _ in range(self._bounded(MAX_OBJECTS, "steps in the manifest")):
            self._step()
        stood = [self._describe(position) for position in self._added]
        added = [self._items[position].path for position in self._added]
        both = zip(stood, added, strict=True)
        self.renames = Renames.of((old.path, new) for old, new in both if old)
        for position, old in zip(self._added, stood, strict=True):
            self._refer(position, old)
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
            hash_part = base32_encode(self._payload.take(_HASH_BYTES))
            digest = Digest(self._payload.take(_DIGEST_BYTES))
            self._added.append(len(self._items))
            self._items.append(StoreObject(StorePath(hash_part, _UNNAMED), digest, 0))

    def _describe(self, position: int) -> StoreObject | None:
        """Complete an object but for its references; give the old one for which it stands."""
        item = self._items[position]
        place = self._bounded(len(self._old), "is no place in the base's manifest")
        old = self._old[place - 1] if place else None
        name = old.path.name if old else self._name()
        size = unzigzag(self._payload.number()) + (old.nar_size_bytes if old else 0)
        self._items[position] = StoreObject(StorePath(item.path.hash, name), item.nar, size)
        return old

    def _name(self) -> str:
        return parse_bytes(self._payload, _MAX_NAME_BYTES, "a name").decode("ascii", "replace")

    def _refer(self, position: int, old: StoreObject | None) -> None:
        item = self._items[position]
        count = self._bounded(self._references_left + 1, "references in the manifest")
        if count:
            references = tuple(self._items[self._position()].path for _ in range(count - 1))
        elif old is not None:
            references = _followed(old, self.renames)
        else:
            raise self._payload.wrong("an object that stands for none refers to what that does")
        self._spend_references(len(references))
        self._items[position] = replace(item, references=references)

    def _spend_references(self, count: int) -> None:
        self._references_left -= count
        if self._references_left < 0:
            raise self._payload.wrong(f"more than {MAX_REFERENCES} references in the manifest")

    def _position(self) -> int:
        return self._bounded(len(self._items) - 1, "is no place in the manifest")
