"""Which blocks of a file system ever were metadata: those that its journal names.

Everything but the content of files reaches an ext4 file system through its journal, so the list of
journaled blocks tells metadata from content. What is neither journaled nor part of the journal can
be left out when a file system is recovered, which makes that cheap.

Source: Linux, Documentation/filesystems/ext4/journal.rst; numbers are big-endian.
Proven by ``tests/unit/prove/test_journal.py``.
"""

import struct
from collections.abc import Iterable, Iterator

from reconix.prove.ext4 import BadFileSystem

_MAGIC = 0xC03B3998
_DESCRIPTOR, _SUPER = 1, 4
_REVOKE, _64BIT, _CSUM_V3 = 0x1, 0x2, 0x10
_KNOWN = _REVOKE | _64BIT | _CSUM_V3
_SAME_UUID, _LAST = 2, 8
_UUID_BYTES, _TAIL_BYTES = 16, 4


def journaled(blocks: Iterable[bytes]) -> frozenset[int]:
    """The numbers of all blocks that descriptors among these blocks of a journal name.

    Raises:
        BadFileSystem: the journal is of a kind that this cannot read.
    """
    features, descriptors = 0, []
    for block in blocks:
        magic, kind, _ = struct.unpack_from(">III", block)
        if magic == _MAGIC and kind == _SUPER:
            features |= struct.unpack_from(">I", block, 0x28)[0]
        elif magic == _MAGIC and kind == _DESCRIPTOR:
            descriptors.append(block)
    if features & ~_KNOWN:
        raise BadFileSystem(f"a journal with the features {features:x} cannot be read")
    return frozenset(number for block in descriptors for number in _tags(block, features))


def _tags(block: bytes, features: int) -> Iterator[int]:
    at, end = 12, len(block)
    size = 12 if features & _64BIT else 8
    if features & _CSUM_V3:
        size, end = 16, end - _TAIL_BYTES
    while at + size <= end:
        low, flags = struct.unpack_from(">II", block, at)
        (high,) = struct.unpack_from(">I", block, at + 8) if features & _64BIT else (0,)
        yield high << 32 | low
        at += size + (0 if flags & _SAME_UUID else _UUID_BYTES)
        if flags & _LAST:
            return
