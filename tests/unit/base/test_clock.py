"""Looking again and again leaves time to what is waited for."""

from dataclasses import dataclass, field
from itertools import islice

from reconix.base.clock import Clock, turns


@dataclass
class Turned:
    """A clock that is turned by hand, and the pauses that were made by it."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.pause)


def test_quick_turns_have_the_pause_between_them_that_is_asked_for() -> None:
    by_hand = Turned()
    assert len([*islice(turns(3, clock=by_hand.clock()), 4)]) == 4
    assert by_hand.pauses == [3, 3, 3]


def test_slow_turns_take_no_more_than_their_share() -> None:
    by_hand = Turned()
    for _ in islice(turns(1, share=1 / 4, clock=by_hand.clock()), 2):
        by_hand.now += 5
    assert by_hand.pauses == [15]


def test_they_end_with_the_time_and_there_is_always_one() -> None:
    by_hand = Turned()
    assert len([*turns(2, seconds=5, clock=by_hand.clock())]) == 4
    assert by_hand.now == 6
    assert len([*turns(2, seconds=0, clock=by_hand.clock())]) == 1
