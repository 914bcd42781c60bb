"""What an update brings to the store of a device that has one generation.

Both generations are known to the last byte, so is what comes: each content that the old one has
not, once; each image; the manifest; and the stream itself, which is kept until all of it is there.
A content that only a third generation on the device has counts as new.

Tested by ``tests/unit/fleet/forecast/test_forecast.py``.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconix.nix.images import DeviceGeneration
from reconix.store.images.nodes import ImageFile, walk
from reconix.store.manifest import print_manifest
from reconix.transfer.sending.send import Sent


@dataclass(frozen=True, slots=True)
class Arrival:
    """What comes, and where it comes to.

    Attributes:
        new: size of each content that comes, by digest.
        images: size of each image that comes.
        there: how many contents each folder of the pool has before, by the first byte of digests.
        nodes: files, links and folders of both generations.
        manifest_bytes: of the manifest of the new one.
        stream_bytes: of the stream.
    """

    new: Mapping[bytes, int] = field(default_factory=dict)
    images: tuple[int, ...] = ()
    there: Counter[int] = field(default_factory=Counter)
    nodes: int = 0
    manifest_bytes: int = 0
    stream_bytes: int = 0

    @classmethod
    def of(cls, sent: Sent) -> "Arrival":
        """What a stream brings to a device that has its base."""
        base, target = next(iter(sent.bases), None), sent.target
        had, old_nodes = _read(base) if base else ({}, 0)
        found, nodes = _read(target)
        known = {each.sha256 for each in base.manifest.images} if base else set()
        return cls(
            {digest: size for digest, size in found.items() if digest not in had},
            tuple(each.size_bytes for each in target.manifest.images if each.sha256 not in known),
            Counter(digest[0] for digest in had),
            old_nodes + nodes,
            len(print_manifest(target.manifest)),
            sent.size_bytes,
        )

    @property
    def folders(self) -> Counter[int]:
        """How many contents come to each folder of the pool."""
        return Counter(digest[0] for digest in self.new)

    @property
    def files(self) -> tuple[int, ...]:
        """The sizes of all that stays in pool and images."""
        return (*self.new.values(), *self.images)


def _read(generation: DeviceGeneration) -> tuple[dict[bytes, int], int]:
    """Size of each content by digest, and how many nodes there are."""
    found, nodes = dict[bytes, int](), 0
    for node in (each for tree in generation.trees.values() for each in walk(tree)):
        nodes += 1
        if isinstance(node, ImageFile) and not node.is_inline:
            found[node.content] = node.size_bytes
    return found, nodes
