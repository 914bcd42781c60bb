"""What is written counts each time, what is different once, and the journal is no content."""

from reconix.prove.cells import Disk
from reconix.prove.history import Epoch, History, Step
from reconix.prove.log import Entry, Flag
from reconix.prove.wear import Wear, measure

CELL = 4096
NEW = b"n" * CELL
IMAGE = b"o" * (8 * CELL)
PLAIN = Flag(0)


def worn(*writes: tuple[int, int, Flag], log: bytes = NEW) -> Wear:
    """One operation that writes the beginning of the log to places of the disk."""
    entries = tuple(
        Entry(number, offset, size, flags, 0) for number, (offset, size, flags) in enumerate(writes)
    )
    recorded = History((Epoch(entries, 9),), (Step("update", 0, 9, 9),))
    (found,) = measure(Disk(IMAGE, log, CELL), recorded, frozenset({7}))
    return found


def test_each_write_counts_and_each_change_once() -> None:
    found = worn((0, CELL, PLAIN), (0, CELL, PLAIN), (CELL, CELL, PLAIN))
    assert found == Wear("update", 3 * CELL, 2 * CELL)
    assert found.ratio == 1.5


def test_what_is_written_as_it_was_is_no_change() -> None:
    assert worn((0, CELL, PLAIN), log=IMAGE[:CELL]) == Wear("update", CELL, 0)


def test_a_sector_wears_a_whole_block() -> None:
    assert worn((512, 512, PLAIN)) == Wear("update", CELL, CELL)


def test_small_blocks_share_a_page_only_if_they_come_in_one_request() -> None:
    assert worn((0, 2048, PLAIN)) == Wear("update", CELL, CELL)
    assert worn((0, 1024, PLAIN), (1024, 1024, PLAIN)) == Wear("update", 2 * CELL, CELL)


def test_the_journal_is_written_and_is_no_content() -> None:
    assert worn((7 * CELL, CELL, PLAIN)) == Wear("update", CELL, 0)


def test_what_is_discarded_is_not_written() -> None:
    assert worn((0, CELL, Flag.DISCARD)).written_bytes == 0


def test_operations_are_added_up() -> None:
    total = Wear.sum("all", [Wear("a", 3, 2), Wear("b", 1, 2)])
    assert (total, total.ratio) == (Wear("all", 4, 4), 1.0)
    assert Wear("nothing", 0, 0).ratio == 0
