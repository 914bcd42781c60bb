"""What ext4 keeps behind a content, so that the kernel compares each block that is read.

The kernel takes the hashes of a file from the file itself, from where nobody can read because it
is behind the end::

    0                          the content
    next multiple of 65,536    the hashes: whole blocks, the highest level first
    next block                 the descriptor, whose SHA-256 is the digest of the content
    last 4 bytes of its block  how large the descriptor is

An inode with the flag can never be written again. A content that is as large as a block has no
hashes, only a descriptor.

Source: Linux, fs/ext4/verity.c; Documentation/filesystems/fsverity.rst.
Tested by ``tests/compat/test_ext4_verity.py``, and by the kernel in ``tests/vm/test_integrity.py``.
"""

import struct

from reconix.store.images.verity import BLOCK_BYTES, VerityHash

VERITY_FLAG = 0x00100000
"""In an inode: there are hashes, and the kernel compares."""

_ALIGNMENT_BYTES = 1 << 16


def begin_of_hashes(size_bytes: int) -> int:
    """Where in a file of that size its hashes begin."""
    return size_bytes + -size_bytes % _ALIGNMENT_BYTES


def print_hashes(content: VerityHash) -> bytes:
    """What is behind a content: whole blocks."""
    descriptor = content.descriptor()
    size = struct.pack("<I", len(descriptor))
    return content.tree() + descriptor.ljust(BLOCK_BYTES - len(size), b"\0") + size
