"""What is written counts each time, what is different once, and the journal is no content."""

from reconix.prove.blocks import Disk, View
from reconix.prove.history import Epoch, History, Step
from reconix.prove.log import Entry, Flag
from reconix.prove.write_amplification import Part, PartWrites, Places, Writes, measure

BLOCK = 4096
NEW = b"n" * BLOCK
IMAGE = b"o" * (9 * BLOCK)
PLAIN = Flag(0)


def measured(*writes: tuple[int, int, Flag], log: bytes = NEW) -> Writes:
    """One operation that writes the beginning of the log to places of the disk."""
    entries = tuple(
        Entry(number, offset, size, flags, 0) for number, (offset, size, flags) in enumerate(writes)
    )
    recorded = History((Epoch(entries, 9),), (Step("update", 0, 9, 9),))
    places = Places(BLOCK, range(8), {7: Part.JOURNAL, 6: Part.CONTENTS})
    (found,) = measure(Disk(IMAGE, log, BLOCK), recorded, lambda disk: places)
    return found


def names(written_bytes: int, changed_bytes: int) -> Writes:
    """An operation that writes where nothing special lies."""
    return Writes("update", (PartWrites(Part.NAMES, written_bytes, changed_bytes),))


def test_each_write_counts_and_each_change_once() -> None:
    found = measured((0, BLOCK, PLAIN), (0, BLOCK, PLAIN), (BLOCK, BLOCK, PLAIN))
    assert found == names(3 * BLOCK, 2 * BLOCK)
    assert found.ratio == 1.5


def test_what_is_written_as_it_was_is_no_change() -> None:
    assert measured((0, BLOCK, PLAIN), log=IMAGE[:BLOCK]) == names(BLOCK, 0)


def test_a_sector_wears_a_whole_block() -> None:
    assert measured((512, 512, PLAIN)) == names(BLOCK, BLOCK)


def test_small_blocks_share_a_page_only_if_they_come_in_one_request() -> None:
    assert measured((0, 2048, PLAIN)) == names(BLOCK, BLOCK)
    assert measured((0, 1024, PLAIN), (1024, 1024, PLAIN)) == names(2 * BLOCK, BLOCK)


def test_the_journal_is_written_and_is_no_content() -> None:
    (found,) = measured((7 * BLOCK, BLOCK, PLAIN)).parts
    assert found == PartWrites(Part.JOURNAL, BLOCK, 0)


def test_each_write_counts_for_what_lies_there() -> None:
    found = measured((6 * BLOCK, BLOCK, PLAIN), (6 * BLOCK, 512, PLAIN), (8 * BLOCK, 512, PLAIN))
    assert found.parts == (
        PartWrites(Part.CONTENTS, 2 * BLOCK, BLOCK),
        PartWrites(Part.ELSEWHERE, BLOCK, BLOCK),
    )
    assert found.system_bytes == 2 * BLOCK


def test_what_lies_where_is_asked_when_everything_is_quiet() -> None:
    """The first step ends with its acknowledgement, and the disk tells of it with the second."""
    entries = tuple(Entry(number, 6 * BLOCK, BLOCK, PLAIN, 0) for number in (0, 5))
    steps = Step("receive", 0, 5, 5), Step("register", 5, 6, 9)
    asked: list[bytes] = []

    def places(disk: View) -> Places:
        asked.append(disk.block(6))
        return Places(BLOCK, range(8), {6: Part.IMAGES})

    found = measure(Disk(IMAGE, NEW, BLOCK), History((Epoch(entries, 9),), steps), places)
    assert asked == [NEW]
    assert [writes.parts[0].part for writes in found] == [Part.IMAGES, Part.IMAGES]


def test_what_is_discarded_is_not_written() -> None:
    assert measured((0, BLOCK, Flag.DISCARD)).written_bytes == 0


def test_operations_are_added_up_part_by_part() -> None:
    journal = Writes("more", (PartWrites(Part.JOURNAL, 3, 0),))
    total = Writes.sum("all", [names(3, 2), names(1, 2), journal])
    parts = PartWrites(Part.NAMES, 4, 4), PartWrites(Part.JOURNAL, 3, 0)
    assert total == Writes("all", parts)
    assert (total.written_bytes, total.changed_bytes, total.ratio) == (7, 4, 1.75)
    assert Writes("nothing", ()).ratio == 0
