"""Manifests: what belongs to a generation, object by object.

A device has no database. What it has instead is one small file per installed generation that names
every object of its closure with size, digest and references. An object is valid when the manifest
of an installed generation names it; everything else in the store is rubbish from an interruption.

A manifest is closed: whatever an object refers to is in it, and everything in it is reached from
the root. So nobody who holds one needs to ask further.

A device that came back from a newer generation has manifests that a newer agent wrote. Of these it
reads the fields that it knows, which no release takes away.

The byte format is ``docs/spec/manifest.md``. Tested by ``tests/unit/store/test_manifest.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from reconix.base.digests import BadDigest, Digest
from reconix.base.documents import BadDocument, Fields, print_json
from reconix.base.errors import ReconixError
from reconix.store.paths import BadStorePath, StorePath

VERSION = 1
MAX_MANIFEST_BYTES = 64 << 20
"""Nobody needs to read a manifest that is larger; 100,000 objects take about 30 MiB."""


class BadManifest(ReconixError):
    """A manifest contradicts itself or is not written as the format says."""

    exit_code = 23

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="fetch the generation again")


@dataclass(frozen=True, slots=True, order=True)
class StoreObject:
    """What is registered about one store object."""

    path: StorePath
    nar: Digest
    nar_size_bytes: int
    references: tuple[StorePath, ...] = ()  # sorted; may contain the path itself

    def __post_init__(self) -> None:
        if not 0 <= self.nar_size_bytes < 1 << 63:
            raise BadManifest(f"{self.path}: {self.nar_size_bytes} bytes is no size")
        if list(self.references) != sorted(set(self.references)):
            raise BadManifest(f"{self.path}: its references are not sorted, or one stands twice")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A closure: one root and everything that it needs; valid by construction."""

    root: StorePath
    objects: tuple[StoreObject, ...]  # sorted by path

    def __post_init__(self) -> None:
        paths = [item.path for item in self.objects]
        if paths != sorted(set(paths)):
            raise BadManifest(f"{self.root}: its objects are not sorted, or one stands twice")
        by_path = {item.path: item for item in self.objects}
        reached = _reach(self.root, by_path)
        for path in paths:
            if path not in reached:
                raise BadManifest(f"{self.root}: nothing refers to {path}")

    def paths(self) -> frozenset[StorePath]:
        """The names of all objects."""
        return frozenset(item.path for item in self.objects)

    def get(self, path: StorePath) -> StoreObject | None:
        """The object of that name, if it belongs to the closure."""
        for item in self.objects:
            if item.path == path:
                return item
        return None

    @property
    def nar_size_bytes(self) -> int:
        """The size of all objects as archives."""
        return sum(item.nar_size_bytes for item in self.objects)


def _reach(root: StorePath, by_path: Mapping[StorePath, StoreObject]) -> set[StorePath]:
    reached: set[StorePath] = set()
    waiting = [root]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        if path not in by_path:
            raise BadManifest(f"{root}: {path} is needed and not listed")
        reached.add(path)
        waiting.extend(by_path[path].references)
    return reached


def print_manifest(manifest: Manifest) -> bytes:
    """Spell a manifest; equal manifests have equal bytes."""
    return print_json(
        {
            "version": VERSION,
            "root": str(manifest.root),
            "objects": [
                {
                    "path": str(item.path),
                    "nar_sha256": item.nar.hex(),
                    "nar_size_bytes": item.nar_size_bytes,
                    "references": [str(path) for path in item.references],
                }
                for item in manifest.objects
            ],
        }
    )


def parse_manifest(content: bytes, *, source: str) -> Manifest:
    """Read a manifest.

    Args:
        content: the bytes of the file.
        source: where they come from, for messages.

    Raises:
        BadManifest: the content contradicts itself or breaks the format.
    """
    if len(content) > MAX_MANIFEST_BYTES:
        raise BadManifest(f"{source} is larger than {MAX_MANIFEST_BYTES} bytes")
    try:
        fields = Fields.parse(content, source=source)
        is_newer = fields.version() > VERSION
        _expect_names(fields, "objects", "root", "version", more=is_newer)
        return Manifest(
            root=StorePath.parse(fields.text("root")),
            objects=tuple(_parse_object(item, is_newer) for item in fields.objects("objects")),
        )
    except (BadDocument, BadDigest, BadStorePath) as error:
        raise BadManifest(f"{source}: {error}") from error


def _expect_names(fields: Fields, *names: str, more: bool) -> None:
    """Exactly these fields, unless there may be more: a newer agent wrote the manifest."""
    taken = [name for name in fields.names() if name in names or not more]
    if taken != sorted(names):
        found = ", ".join(fields.names())
        raise BadManifest(f"{fields.source}: expected {', '.join(sorted(names))}; found {found}")


def _parse_object(fields: Fields, is_newer: bool) -> StoreObject:
    names = ("nar_sha256", "nar_size_bytes", "path", "references")
    _expect_names(fields, *names, more=is_newer)
    return StoreObject(
        path=StorePath.parse(fields.text("path")),
        nar=Digest.parse(fields.text("nar_sha256")),
        nar_size_bytes=fields.number("nar_size_bytes"),
        references=tuple(StorePath.parse(text) for text in fields.texts("references")),
    )
