"""What is written counts each time, what is different once, and the journal is no content."""

from reconix.prove.blocks import Disk
from reconix.prove.history import Epoch, History, Step
from reconix.prove.log import Entry, Flag
from reconix.prove.write_amplification import Writes, measure

BLOCK = 4096
NEW = b"n" * BLOCK
IMAGE = b"o" * (8 * BLOCK)
PLAIN = Flag(0)


def measured(*writes: tuple[int, int, Flag], log: bytes = NEW) -> Writes:
    """One operation that writes the beginning of the log to places of the disk."""
    entries = tuple(
        Entry(number, offset, size, flags, 0) for number, (offset, size, flags) in enumerate(writes)
    )
    recorded = History((Epoch(entries, 9),), (Step("update", 0, 9, 9),))
    (found,) = measure(Disk(IMAGE, log, BLOCK), recorded, frozenset({7}))
    return found


def test_each_write_counts_and_each_change_once() -> None:
    found = measured((0, BLOCK, PLAIN), (0, BLOCK, PLAIN), (BLOCK, BLOCK, PLAIN))
    assert found == Writes("update", 3 * BLOCK, 2 * BLOCK)
    assert found.ratio == 1.5


def test_what_is_written_as_it_was_is_no_change() -> None:
    assert measured((0, BLOCK, PLAIN), log=IMAGE[:BLOCK]) == Writes("update", BLOCK, 0)


def test_a_sector_wears_a_whole_block() -> None:
    assert measured((512, 512, PLAIN)) == Writes("update", BLOCK, BLOCK)


def test_small_blocks_share_a_page_only_if_they_come_in_one_request() -> None:
    assert measured((0, 2048, PLAIN)) == Writes("update", BLOCK, BLOCK)
    assert measured((0, 1024, PLAIN), (1024, 1024, PLAIN)) == Writes("update", 2 * BLOCK, BLOCK)


def test_the_journal_is_written_and_is_no_content() -> None:
    assert measured((7 * BLOCK, BLOCK, PLAIN)) == Writes("update", BLOCK, 0)


def test_what_is_discarded_is_not_written() -> None:
    assert measured((0, BLOCK, Flag.DISCARD)).written_bytes == 0


def test_operations_are_added_up() -> None:
    total = Writes.sum("all", [Writes("a", 3, 2), Writes("b", 1, 2)])
    assert (total, total.ratio) == (Writes("all", 4, 4), 1.0)
    assert Writes("nothing", 0, 0).ratio == 0
