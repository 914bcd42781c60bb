"""Crash states: all of a small epoch, the telling ones of a large one, the same each time."""

from reconix.prove.history import Epoch
from reconix.prove.log import Entry, Flag
from reconix.prove.states import SECTOR, Cut, choose, pieces


def write(offset: int, size: int, at: int = 0) -> Entry:
    return Entry(at, offset, size, Flag(0), 0)


def epoch(*writes: Entry) -> Epoch:
    return Epoch(writes, 0)


def test_a_write_is_cut_at_each_4_kib_of_the_disk() -> None:
    parts = pieces(epoch(write(3 * SECTOR, 8192)))
    assert [(part.offset, part.size_bytes) for part in parts] == [
        (1536, 2560),
        (4096, 4096),
        (8192, 1536),
    ]
    assert [part.skip for part in parts] == [0, 2560, 6656]


def test_every_subset_of_a_few_writes_is_a_state() -> None:
    parts = pieces(epoch(*(write(number * 4096, 512, number) for number in range(4))))
    found = {cut.kept for cut in choose([parts], wanted=1000, seed=1) if cut.torn_bytes is None}
    assert {kept for kept in found if kept} == {
        tuple(number for number in range(4) if mask >> number & 1) for mask in range(1, 15)
    }
    assert Cut(0) in choose([parts], wanted=1, seed=1)
    assert Cut(1) in choose([parts], wanted=1, seed=1)


def test_of_many_pieces_each_is_missing_once_and_alone_once() -> None:
    parts = pieces(epoch(write(0, 40 * 4096)))
    found = {cut.kept for cut in choose([parts], wanted=2000, seed=1)}
    for number in range(40):
        assert tuple(each for each in range(40) if each != number) in found
        assert (number,) in found


def test_the_last_piece_is_torn_at_sectors_and_a_single_sector_within() -> None:
    parts = pieces(epoch(write(0, 4096, 0), write(8192, 512, 1)))
    torn = {
        (cut.kept[-1], cut.torn_bytes)
        for cut in choose([parts], wanted=3000, seed=1)
        if cut.torn_bytes
    }
    assert {size for last, size in torn if last == 0} == set(range(512, 4096, 512))
    assert {size for last, size in torn if last == 1} <= set(range(1, 512))
    assert len({size for last, size in torn if last == 1}) > 20


def test_the_same_seed_gives_the_same_states_and_none_twice() -> None:
    parts = [pieces(epoch(write(0, 30 * 4096))) for _ in range(3)]
    one = choose(parts, wanted=500, seed=1)
    assert one == choose(parts, wanted=500, seed=1) != choose(parts, wanted=500, seed=2)
    assert len(set(one)) == len(one) >= 500
    assert [cut.epoch for cut in one] == sorted(cut.epoch for cut in one)
