"""Crash states: which parts of an epoch a disk may have kept when the power went.

Everything before the epoch is kept. Of the epoch itself any part may be: writes are cut into
*pieces* of at most 4 KiB, because no disk promises more, and any subset of them is a state. Of the
last piece only the first sectors may have arrived, or, if it is a single sector, its first bytes.

A write cannot be overtaken by an earlier one to the same place: what a disk has accepted it gives
back when it is read. All other orders are subsets.

Where an epoch has few pieces, all subsets are taken. Where it has many, the telling ones come first
(each prefix, each piece missing alone, each piece alone), then as many as are wanted at random. The
same seed gives the same states.

Tested by ``tests/unit/prove/test_states.py``.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconix.prove.history import Epoch
from reconix.prove.log import Entry

PIECE_BYTES = 4096
SECTOR = 512
EXHAUSTIVE_PIECES = 6
_MIN_QUOTA = 4
_PATIENCE = 64
_MAX_QUOTA = 1 << 16


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a write that a disk keeps or not.

    Attributes:
        entry: of which write.
        skip: where in its data the part begins.
        size_bytes: how much it is.
    """

    entry: Entry
    skip: int
    size_bytes: int

    @property
    def offset(self) -> int:
        """Where on the disk it belongs."""
        return self.entry.offset + self.skip


@dataclass(frozen=True, slots=True)
class Cut:
    """A crash state: everything before an epoch, and these of its pieces.

    Attributes:
        epoch: its number; the number of all epochs for the disk at the end.
        kept: the numbers of the pieces that were kept, ascending.
        torn_bytes: how much of the last of them has arrived, if not all.
    """

    epoch: int
    kept: tuple[int, ...] = ()
    torn_bytes: int | None = None


def pieces(epoch: Epoch) -> tuple[Piece, ...]:
    """Cut the writes of an epoch where the disk may cut them."""
    return tuple(
        Piece(entry, begin - entry.offset, end - begin)
        for entry in epoch.writes
        for begin, end in _borders(entry.offset, entry.offset + entry.size_bytes)
    )


def _borders(begin: int, end: int) -> Iterator[tuple[int, int]]:
    while begin < end:
        border = min(end, begin // PIECE_BYTES * PIECE_BYTES + PIECE_BYTES)
        yield begin, border
        begin = border


def choose(epochs: Sequence[Sequence[Piece]], *, wanted: int, seed: int) -> list[Cut]:
    """Choose crash states of all epochs, in their order.

    Args:
        epochs: the pieces of each.
        wanted: how many; fewer if there are no more, and more if even a handful of
            each epoch is more.
        seed: of what is left to chance.
    """
    quota = _MIN_QUOTA
    while True:
        found = [
            cut
            for number, parts in enumerate(epochs)
            for cut in _of_epoch(number, parts, quota, random.Random(f"{seed} {number}"))
        ]
        found.append(Cut(len(epochs)))
        if len(found) >= wanted or quota >= _MAX_QUOTA:
            return found
        quota += quota // _MIN_QUOTA


def _of_epoch(
    number: int, parts: Sequence[Piece], quota: int, chance: random.Random
) -> Iterator[Cut]:
    seen: set[Cut] = set()
    repeated = 0
    for cut in _candidates(number, parts, chance):
        if len(seen) >= quota or repeated >= _PATIENCE:
            return
        if cut in seen:
            repeated += 1
            continue
        repeated = 0
        seen.add(cut)
        yield cut


def _candidates(number: int, parts: Sequence[Piece], chance: random.Random) -> Iterator[Cut]:
    """The states of an epoch, the telling ones mixed with random ones; without an end."""
    yield Cut(number)
    for kept in itertools.chain(_of_writes(parts), _telling(len(parts))):
        yield Cut(number, kept)
        yield _torn(number, kept, parts, chance)
        if len(parts) > EXHAUSTIVE_PIECES:
            yield from _random(number, parts, chance)
    yield _torn(number, tuple(range(len(parts))), parts, chance)
    while True:
        yield from _random(number, parts, chance)


def _of_writes(parts: Sequence[Piece]) -> Iterator[tuple[int, ...]]:
    """All proper subsets of whole writes, if there are few."""
    writes = list(dict.fromkeys(part.entry for part in parts))
    if len(writes) <= EXHAUSTIVE_PIECES:
        for chosen in _subsets(len(writes)):
            entries = {writes[each] for each in chosen}
            yield tuple(each for each, part in enumerate(parts) if part.entry in entries)


def _random(number: int, parts: Sequence[Piece], chance: random.Random) -> Iterator[Cut]:
    count, likely = len(parts), chance.choice((0.2, 0.5, 0.9))
    kept = tuple(each for each in range(count) if chance.random() < likely)
    if 0 < len(kept) < count:
        yield Cut(number, kept)
    if kept:
        yield _torn(number, kept, parts, chance)


def _telling(count: int) -> Iterator[tuple[int, ...]]:
    """All proper subsets if there are few; else prefixes, all but one, and single ones."""
    if count <= EXHAUSTIVE_PIECES:
        yield from _subsets(count)
        return
    everything = tuple(range(count))
    for each in everything:
        yield everything[each + 1 :] if each == 0 else everything[:each]
        yield everything[:each] + everything[each + 1 :]
        yield (each,)


def _subsets(count: int) -> Iterator[tuple[int, ...]]:
    for size in range(1, count):
        yield from itertools.combinations(range(count), size)


def _torn(number: int, kept: tuple[int, ...], parts: Sequence[Piece], chance: random.Random) -> Cut:
    size = parts[kept[-1]].size_bytes
    if size > SECTOR:
        return Cut(number, kept, SECTOR * chance.randrange(1, size // SECTOR))
    return Cut(number, kept, chance.randrange(1, SECTOR))
