"""Manifests: what belongs to a generation on a device, image by image.

A device has no database. What it has instead is one small file per installed generation that names
every image of it, by its digest, and the objects that stand in it. An image names the contents of
its files, by theirs. So the digest of a manifest covers every byte of a generation, and whatever no
manifest of an installed generation leads to is rubbish from an interruption.

An object may stand in several images, if several systems need it; it is the same in all.

A device that came back from a newer generation has manifests that a newer agent wrote. Of these it
reads the fields that it knows, which no release takes away.

The byte format is ``docs/spec/manifest.md``. Tested by ``tests/unit/store/test_manifest.py``.
"""

from reconix.base.digests import BadDigest, Digest
from reconix.base.documents import BadDocument, Fields, print_json
from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.store.paths import BadStorePath, StorePath

VERSION = 2
MAX_MANIFEST_BYTES = 16 << 20
"""Nobody needs to read a manifest that is larger; 100,000 objects take about 10 MiB."""
MAX_IMAGES = 256
"""Of one generation."""


class BadManifest(ReconixError):
    """A manifest contradicts itself or is not written as the format says."""

    exit_code = 23

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="fetch the generation again")


@dataclass(frozen=True, slots=True, order=True)
class ImageEntry:
    """An image of a generation."""

    objects: tuple[StorePath, ...]  # what stands in it, sorted
    sha256: Digest
    size_bytes: int

    def __post_init__(self) -> None:
        if not self.objects or list(self.objects) != sorted(set(self.objects)):
            raise BadManifest(f"image {self.sha256.hex()}: its objects are not sorted")
        if not 0 < self.size_bytes < 1 << 32:
            raise BadManifest(f"image {self.sha256.hex()}: {self.size_bytes} bytes is no size")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A generation as images; valid by construction."""

    root: StorePath
    images: tuple[ImageEntry, ...]  # sorted

    def __post_init__(self) -> None:
        if list(self.images) != sorted(self.images) or len(self.images) > MAX_IMAGES:
            raise BadManifest(f"{self.root}: its images are not sorted, or too many")
        if len({entry.sha256 for entry in self.images}) != len(self.images):
            raise BadManifest(f"{self.root}: an image stands twice")
        if self.image_of(self.root) is None:
            raise BadManifest(f"{self.root}: it stands in none of its images")

    @property
    def objects(self) -> tuple[StorePath, ...]:
        """All objects, each once, sorted."""
        return tuple(sorted({path for entry in self.images for path in entry.objects}))

    def image_of(self, path: StorePath) -> ImageEntry | None:
        """The first image in which an object stands, if there is one."""
        return next((entry for entry in self.images if path in entry.objects), None)


def print_manifest(manifest: Manifest) -> bytes:
    """Spell a manifest; equal manifests have equal bytes."""
    return print_json(
        {
            "version": VERSION,
            "root": str(manifest.root),
            "images": [
                {
                    "objects": [str(path) for path in entry.objects],
                    "sha256": entry.sha256.hex(),
                    "size_bytes": entry.size_bytes,
                }
                for entry in manifest.images
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
        if fields.version() < VERSION:
            raise BadManifest(f"{source}: version {fields.version()} was for another disk layout")
        is_newer = fields.version() > VERSION
        _expect_names(fields, "images", "root", "version", more=is_newer)
        return Manifest(
            root=StorePath.parse(fields.text("root")),
            images=tuple(_parse_image(each, is_newer) for each in fields.objects("images")),
        )
    except (BadDocument, BadDigest, BadStorePath) as error:
        raise BadManifest(f"{source}: {error}") from error


def _expect_names(fields: Fields, *names: str, more: bool) -> None:
    """Exactly these fields, unless there may be more: a newer agent wrote the manifest."""
    taken = [name for name in fields.names() if name in names or not more]
    if taken != sorted(names):
        found = ", ".join(fields.names())
        raise BadManifest(f"{fields.source}: expected {', '.join(sorted(names))}; found {found}")


def _parse_image(fields: Fields, is_newer: bool) -> ImageEntry:
    _expect_names(fields, "objects", "sha256", "size_bytes", more=is_newer)
    return ImageEntry(
        objects=tuple(StorePath.parse(text) for text in fields.texts("objects")),
        sha256=Digest.parse(fields.text("sha256")),
        size_bytes=fields.number("size_bytes"),
    )
