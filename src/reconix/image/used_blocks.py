"""Which bytes of a new ext4 file system are in use.

The bitmaps say it: superblocks and their copies, descriptors, bitmaps, inodes, the journal, files
and folders. All of that must be on a disk as it is in the image, zeros too: what the disk held
before would be taken for inodes, or for something that the journal still has to do. What is free is
read by nobody before it is written.

Source: Linux, Documentation/filesystems/ext4. The bitmaps are complete: our file systems have
neither checksums of metadata nor ``uninit_bg`` (``image/ext4.py``).
Tested by ``tests/compat/test_bmaptool.py`` with e2fsck on a disk that was full of something else.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from reconix.image.block_map import Extent
from reconix.image.populate import Volume

_BEFORE_BLOCKS = 1024
"""Where a boot loader may lie, before the superblock; with blocks of 1 KiB no bitmap counts it."""


def used_extents(image: Path) -> Iterator[Extent]:
    """The bytes that are in use, from the first on; what lies side by side may be several."""
    yield Extent(0, _BEFORE_BLOCKS)
    size = image.stat().st_size
    descriptor = os.open(image, os.O_RDONLY | os.O_CLOEXEC)
    try:
        volume = Volume(descriptor)
    finally:
        os.close(descriptor)
    for run in volume.blocks.used():
        offset = run.first * volume.block_bytes
        end = min(size, offset + run.length * volume.block_bytes)
        if offset < end:  # the bitmap of the last group ends behind the last block
            yield Extent(offset, end - offset)
