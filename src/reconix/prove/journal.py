"""Which blocks of a file system ever were metadata: those that its journal names.

Everything but the content of files reaches an ext4 file system through its journal, so the list of
journaled blocks tells metadata from content. What is neither journaled nor part of the journal can
be left out when a file system is recovered, which makes that cheap.

Of the journal itself a replay reads little: from the place that its superblock names on, whole
transactions with consecutive numbers, up to the first that has no commit block. What follows is
without effect, so two states that differ only there recover to the same.

Source: Linux, Documentation/filesystems/ext4/journal.rst; numbers are big-endian.
Tested by ``tests/unit/prove/test_journal.py``.
"""

import struct
from collections.abc import Callable, Iterable, Iterator

from reconix.prove.ext4 import BadFileSystem

_MAGIC = 0xC03B3998
_DESCRIPTOR, _COMMIT, _SUPER, _REVOCATION = 1, 2, 4, 5
_IN_TRANSACTION = (_DESCRIPTOR, _COMMIT, _REVOCATION)
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


def replayed(block: Callable[[int], bytes], count: int) -> tuple[int, ...] | None:
    """Which blocks of a journal its replay depends on, by their number in it.

    Args:
        block: gives each of them.
        count: how many there are.

    Returns:
        Their numbers; ``None`` if this journal cannot be read, and it may depend on any.
    """
    head = block(0)
    magic, kind, _, _, end, first, sequence, start = struct.unpack_from(">8I", head)
    (features,) = struct.unpack_from(">I", head, 0x28)
    if magic != _MAGIC or kind != _SUPER or features & ~_KNOWN or not first < end <= count:
        return None
    if not start:
        return (0,)
    found, waiting = [0], list[int]()
    while len(found) + len(waiting) <= end:
        if not first <= start < end:
            return None
        content = block(start)
        magic, kind, number = struct.unpack_from(">III", content)
        if magic != _MAGIC or number != sequence or kind not in _IN_TRANSACTION:
            break
        following = sum(1 for _ in _tags(content, features)) if kind == _DESCRIPTOR else 0
        span = [first + (start - first + each) % (end - first) for each in range(following + 2)]
        waiting += span[:-1]
        start = span[-1]
        if kind == _COMMIT:
            found, waiting, sequence = found + waiting, [], sequence + 1
    return tuple(found)


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
