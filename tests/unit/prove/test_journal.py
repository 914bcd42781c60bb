"""Which blocks were metadata is read from the descriptors of a journal, in each of its formats."""

import struct

import pytest

from reconix.prove.ext4 import BadFileSystem
from reconix.prove.journal import journaled, replayed

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


# -- what a replay reads ---------------------------------------------------------------------------

COUNT = 10


def block(kind: int, sequence: int, rest: bytes = b"") -> bytes:
    return (struct.pack(">III", 0xC03B3998, kind, sequence) + rest).ljust(BLOCK, b"\0")


def journal(*, start: int, **blocks: bytes) -> tuple[int, ...] | None:
    """The answer for a journal of ten blocks that is to be replayed from a block with number 7."""
    fields = struct.pack(">IIIII", BLOCK, COUNT, 1, 7, start)
    head = (struct.pack(">III", 0xC03B3998, 4, 0) + fields).ljust(BLOCK, b"\0")
    content = {0: head} | {int(name[1:]): found for name, found in blocks.items()}
    return replayed(lambda number: content.get(number, bytes(BLOCK)), COUNT)


TWO = struct.pack(">IHH", 5, 0, 0) + bytes(16) + struct.pack(">IHH", 9, 0, 2 | 8)
DESCRIPTOR, COMMIT, REVOCATION = 1, 2, 5


def test_a_clean_journal_is_not_read() -> None:
    assert journal(start=0, b1=block(DESCRIPTOR, 7, TWO)) == (0,)


def test_transactions_are_read_up_to_the_first_without_a_commit() -> None:
    whole = {"b3": block(DESCRIPTOR, 7, TWO), "b6": block(COMMIT, 7)}
    assert journal(start=3, **whole) == (0, 3, 4, 5, 6)
    assert journal(start=3, **whole, b7=block(DESCRIPTOR, 8, TWO)) == (0, 3, 4, 5, 6)
    assert journal(start=3, **whole, b7=block(COMMIT, 6)) == (0, 3, 4, 5, 6), "an older one"


def test_revocations_belong_to_their_transaction() -> None:
    assert journal(start=3, b3=block(REVOCATION, 7), b4=block(COMMIT, 7)) == (0, 3, 4)


def test_a_journal_is_a_ring() -> None:
    found = journal(start=8, b8=block(DESCRIPTOR, 7, TWO), b2=block(COMMIT, 7))
    assert found == (0, 8, 9, 1, 2)


def test_a_journal_without_end_is_read_once() -> None:
    commits = {f"b{number}": block(COMMIT, 6 + number) for number in range(1, COUNT)}
    assert journal(start=1, **commits) == tuple(range(COUNT))


def test_of_what_is_no_journal_anything_may_matter() -> None:
    assert replayed(lambda number: bytes(BLOCK), COUNT) is None
    assert journal(start=COUNT) is None
