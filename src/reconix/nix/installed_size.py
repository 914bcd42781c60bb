"""How much of a system partition something takes: contents, each once, and images.

A content is stored once, however many systems and files have it. So the size of two systems
together is less than the sum of theirs by all that they share. What the file system takes besides,
for its blocks and its tables, is not counted: it depends on the partition.

Tested by ``tests/unit/nix/test_installed_size.py``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from reconix.nix.images import DeviceImage
from reconix.store.images.nodes import contents


@dataclass(frozen=True, slots=True)
class InstalledSize:
    """What some images and all that they name amount to."""

    contents: int
    contents_bytes: int
    images: int
    images_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.contents_bytes + self.images_bytes


def installed_size(images: Iterable[DeviceImage]) -> InstalledSize:
    """The size of images and their contents, whatever comes twice counted once."""
    sizes: dict[bytes, int] = {}
    found = {image.entry.sha256: image for image in images}.values()
    for image in found:
        for _, tree in image.trees:
            sizes.update(contents(tree))
    images_bytes = sum(image.entry.size_bytes for image in found)
    return InstalledSize(len(sizes), sum(sizes.values()), len(found), images_bytes)
