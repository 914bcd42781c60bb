"""Refusing a generation that demands more of a disk than it can.

A generation may demand that the kernel compares all that is read with its hashes. No file system
can have hashes that was not made for them, and the systems of such a generation would not start on
it. So it is refused before it is registered. Where hashes can be had, everything that came has
them already (``contents.py``, ``images.py``).

Tested by ``tests/unit/transfer/receiving/test_integrity.py``.
"""

from reconix.base.errors import ReconixError
from reconix.store import fsverity
from reconix.store.generation import FILE_NAME, MAX_BYTES, Integrity, parse_generation
from reconix.store.images.nodes import ImageFile
from reconix.store.manifest import Manifest
from reconix.store.paths import StorePath
from reconix.store.registry import Registry


class NoIntegrity(ReconixError):
    """A generation wants the kernel to compare, and the disk has nothing to compare with."""

    exit_code = 34

    def __init__(self, target: StorePath) -> None:
        super().__init__(
            f"{target} demands that the kernel compares what it reads, and this disk cannot have "
            "hashes",
            hint="no update can change that: flash an image that was made with "
            '[disk] integrity = "verity"',
        )


def expect_integrity(manifest: Manifest, registry: Registry) -> None:
    """Check, before a generation is registered, that the disk can have what it demands.

    Args:
        manifest: of the generation; its images and contents are there.
        registry: where.

    Raises:
        NoIntegrity: it cannot.
        BadGeneration: the generation makes no sense.
    """
    content = _described(manifest, registry)
    if content is None:
        return
    generation = parse_generation(content, manifest.root)
    demands = generation.integrity is Integrity.VERITY
    if demands and not fsverity.is_supported(registry.system_root):
        raise NoIntegrity(manifest.root)


def _described(manifest: Manifest, registry: Registry) -> bytes | None:
    """What the root says of itself; nothing if it is no generation."""
    entry = manifest.image_of(manifest.root)
    assert entry is not None, "a manifest has its root"
    place = manifest.root.basename.encode(), FILE_NAME.encode()
    found = registry.open_image(entry).look(*place)
    if not isinstance(found, ImageFile) or found.size_bytes > MAX_BYTES:
        return None
    return found.content if found.is_inline else registry.pool.read(found.content, found.size_bytes)
