"""How much room the store of a device needs while an update comes, on ext4.

The most is there when the manifest gets its name: the contents and images that came, the manifest,
and the stream, which goes afterwards. Each file takes whole blocks. Where the kernel compares
contents it keeps hashes behind each. A folder of the pool is made when it gets its first content,
and takes blocks for names::

    one block      until it is full
    an index       then: a block that leads to leaves, which are halved when they are full
    a row          of full blocks, if it had several in the first image, which has no index

Tested by ``tests/unit/fleet/forecast/test_forecast.py`` with a receiver on plain files, and by
``tests/crash/test_forecast.py`` with what ext4 itself says.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from reconix.fleet.forecast.arrival import Arrival
from reconix.store.generation import Integrity
from reconix.store.images.verity import kept_bytes
from reconix.transfer.receiving.room import Room

_NAME_BYTES = 72
"""Of a content in its folder: eight bytes, and 62 characters in whole words."""
_DOTS_BYTES = 24
_LEAF_FILL = 0.7


@dataclass(frozen=True, slots=True)
class StoreFormat:
    """What the file system of a store is like.

    Attributes:
        block_bytes: of its blocks.
        compares: whether the kernel keeps hashes to compare files with.
    """

    block_bytes: int
    compares: bool

    @classmethod
    def of(cls, integrity: Integrity) -> "StoreFormat":
        """As images of disks have it (``image/ext4.py``)."""
        compares = integrity is Integrity.VERITY
        return cls(4096 if compares else 1024, compares)

    def blocks(self, size_bytes: int) -> int:
        """How many blocks a file takes."""
        return -(-size_bytes // self.block_bytes)

    def stored(self, size_bytes: int) -> int:
        """How many bytes a content or an image takes, with its hashes."""
        hashes = kept_bytes(size_bytes) if self.compares else 0
        return self.blocks(size_bytes) * self.block_bytes + hashes


def peak_room(arrival: Arrival, form: StoreFormat) -> Room:
    """What an update takes of the store when it takes the most."""
    others = list(filter(None, (arrival.manifest_bytes, arrival.stream_bytes)))
    blocks = sum(map(form.blocks, others)) + sum(_folder_growth(arrival, form.block_bytes))
    made = len(arrival.folders.keys() - arrival.there.keys())
    files = sum(map(form.stored, arrival.files))
    inodes = len(arrival.files) + len(others) + made
    return Room(files + blocks * form.block_bytes, inodes)


def stays_room(arrival: Arrival, form: StoreFormat) -> Room:
    """What it still takes when it is received: the stream has gone."""
    return peak_room(replace(arrival, stream_bytes=0), form)


def _folder_growth(arrival: Arrival, block_bytes: int) -> Iterator[int]:
    """How many blocks more each folder of the pool takes."""
    for folder, coming in arrival.folders.items():
        before = arrival.there[folder]
        is_row = _in_a_row(before, block_bytes) > 1
        after = _in_a_row(before + coming, block_bytes)
        if after > 1 and not is_row:
            after = 1 + int(after / _LEAF_FILL)
        yield after - (_in_a_row(before, block_bytes) if before else 0)


def _in_a_row(names: int, block_bytes: int) -> int:
    """How many blocks so many names take, one behind the other."""
    first = (block_bytes - _DOTS_BYTES) // _NAME_BYTES
    return 1 + -(-max(0, names - first) // (block_bytes // _NAME_BYTES))
