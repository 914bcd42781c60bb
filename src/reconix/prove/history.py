"""A history: what was done to a disk, cut into epochs by the flushes, with the steps marked in it.

An *epoch* is what was written between two flushes. A disk with a write cache promises only this:
when a flush has ended, everything before it is kept. Of an epoch that was under way at a power cut,
any part may have been kept.

The firmware's variables are not on the disk; they are kept at once. So a history also knows when
the slot of the next boot was asked for, and a state is checked for each value that the variable may
have had at its cut. Likewise it knows from when on a system was known to run well: what boots by
itself must have been proved before the cut.

Tested by ``tests/unit/prove/test_history.py``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from reconix.prove.log import Bytes, Entry, entries
from reconix.prove.proved import Ran


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of the agent.

    Attributes:
        name: what it does.
        begin: how far the log was when it began.
        acknowledged: how far when it said that it was done; from here its effect must stay.
        end: how far when everything was quiet again.
    """

    name: str
    begin: int
    acknowledged: int
    end: int


@dataclass(frozen=True, slots=True)
class Asked:
    """From a point of the log on, the firmware boots this partition next; or what it selects."""

    position: int
    guid: bytes | None


@dataclass(frozen=True, slots=True)
class Epoch:
    """Writes between two flushes.

    Attributes:
        writes: in their order.
        ends: where in the log the flush stands that ends it, or the log ends.
    """

    writes: tuple[Entry, ...]
    ends: int

    def begins(self) -> int:
        """Where in the log its first write stands."""
        return self.writes[0].at if self.writes else self.ends


@dataclass(frozen=True, slots=True)
class History:
    """Everything that happened to a disk."""

    epochs: tuple[Epoch, ...]
    steps: tuple[Step, ...]
    asked: tuple[Asked, ...] = field(default=())
    ran: tuple[Ran, ...] = field(default=())

    def step_of(self, position: int) -> int | None:
        """The number of the step during which the log was at a position."""
        for number, step in enumerate(self.steps):
            if step.begin <= position < step.end:
                return number
        return None

    def next_boots(self, earliest: int, latest: int) -> tuple[bytes | None, ...]:
        """What the firmware may have been told to boot next, for a cut between two positions."""
        before = [each for each in self.asked if each.position <= earliest]
        during = [each for each in self.asked if earliest < each.position <= latest]
        first = before[-1].guid if before else None
        return tuple(dict.fromkeys([first, *(each.guid for each in during)]))

    def ran_before(self, position: int) -> tuple[Ran, ...]:
        """What was known to run at a position."""
        return tuple(each for each in self.ran if each.position <= position)


def history(
    log: Bytes, steps: Iterable[Step], asked: Iterable[Asked], ran: Iterable[Ran] = ()
) -> History:
    """Read a history from a log.

    Raises:
        BadLog: it is not one.
    """
    epochs = tuple(_epochs(list(entries(log)), len(log)))
    return History(epochs, tuple(steps), tuple(asked), tuple(ran))


def _epochs(found: Sequence[Entry], end: int) -> Iterable[Epoch]:
    """Cut at the flushes. FUA is taken as nothing: fewer promises, more states."""
    waiting: list[Entry] = []
    for entry in found:
        if entry.flushes:
            if waiting:
                yield Epoch(tuple(waiting), entry.at)
            waiting = []
        if entry.size_bytes:
            waiting.append(entry)
    if waiting:
        yield Epoch(tuple(waiting), end)
