"""Which blocks were metadata is read from the descriptors of a journal, in each of its formats."""

import struct

import pytest

from reconix.prove.ext4 import BadFileSystem
from reconix.prove.journal import journaled

BLOCK = 1024


def superblock(features: int) -> bytes:
    head = struct.pack(">III", 0xC03B3998, 4, 1)
    return (head.ljust(0x28, b"\0") + struct.pack(">I", features)).ljust(BLOCK, b"\0")


def descriptor(tags: bytes) -> bytes:
    return (struct.pack(">III", 0xC03B3998, 1, 7) + tags).ljust(BLOCK, b"\0")


def test_tags_of_a_large_file_system_without_checksums() -> None:
    tags = struct.pack(">IHHI", 5, 0, 0, 1) + bytes(16) + struct.pack(">IHHI", 6, 0, 2 | 8, 0)
    assert journaled([superblock(0x2), descriptor(tags)]) == {5 | 1 << 32, 6}


def test_tags_of_a_small_one() -> None:
    tags = struct.pack(">IHH", 5, 0, 0) + bytes(16) + struct.pack(">IHH", 9, 0, 2 | 8)
    assert journaled([superblock(0), descriptor(tags)]) == {5, 9}


def test_tags_with_checksums() -> None:
    tags = struct.pack(">IIII", 5, 0, 0, 1) + bytes(16) + struct.pack(">IIII", 6, 2 | 8, 0, 1)
    assert journaled([superblock(0x12), descriptor(tags)]) == {5, 6}


def test_other_blocks_of_a_journal_name_nothing() -> None:
    commit = struct.pack(">III", 0xC03B3998, 2, 7).ljust(BLOCK, b"\xff")
    assert journaled([superblock(0x2), commit, b"\xff" * BLOCK]) == frozenset()


def test_a_journal_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(BadFileSystem, match="features 20"):
        journaled([superblock(0x20)])
