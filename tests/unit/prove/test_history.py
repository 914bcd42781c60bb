"""A history is cut at its flushes, and knows what the firmware was told when."""

from tests.unit.prove.test_log import entry

from reconix.prove.history import Asked, Step, history
from reconix.prove.log import print_super

A, B, C = (letter * 512 for letter in (b"a", b"b", b"c"))
FLUSH = entry(0, b"", 1)


def test_an_epoch_is_what_stands_between_two_flushes() -> None:
    log = print_super(0) + entry(1, A) + entry(2, B) + FLUSH + FLUSH + entry(3, C)
    first, last = history(log, (), ()).epochs
    assert [write.offset // 512 for write in first.writes] == [1, 2]
    assert [write.offset // 512 for write in last.writes] == [3]
    assert first.ends < last.begins() < last.ends == len(log)


def test_a_flush_with_data_ends_an_epoch_before_its_data() -> None:
    log = print_super(0) + entry(1, A) + entry(2, B, 1)
    first, last = history(log, (), ()).epochs
    assert [write.offset // 512 for write in first.writes] == [1]
    assert [write.offset // 512 for write in last.writes] == [2]


def test_a_position_belongs_to_the_step_during_which_it_was_reached() -> None:
    found = history(print_super(0), (Step("one", 0, 5, 10), Step("two", 10, 15, 20)), ())
    assert [found.step_of(at) for at in (0, 9, 10, 20)] == [0, 0, 1, None]


def test_a_cut_may_find_each_value_that_the_firmware_had_meanwhile() -> None:
    asked = (Asked(10, b"x"), Asked(20, None))
    found = history(print_super(0), (), asked)
    assert found.next_boots(0, 5) == (None,)
    assert found.next_boots(0, 15) == (None, b"x")
    assert found.next_boots(10, 15) == (b"x",)
    assert found.next_boots(15, 25) == (b"x", None)
