"""A folder of streams: which there are, how they are named, and the index that lists them.

What was published stays, so names keep streams of other builds apart.

Tested by ``tests/unit/cli/test_publish.py``.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.files import open_regular, write_durably
from reconix.build.pins import Pin, Pins
from reconix.nix.chroot import ChrootStore
from reconix.transfer.format.catalog import INDEX, Offer, print_index
from reconix.transfer.format.stream import MAX_BASES, StreamReader

_SUFFIX = ".rcx"
_MARK = 8


def last_before(pins: Pins, store: ChrootStore, target: Pin, count: int) -> list[Pin]:
    """The last generations before a target that a stream can start from, the oldest first."""
    before = [pin for pin in pins.all() if pin.number < target.number]
    usable = [pin for pin in before if pin.path != target.path and store.is_valid(pin.path)]
    return usable[len(usable) - min(len(usable), count) :]


def starts(bases: Sequence[Pin], *, together: bool, full: bool) -> Iterator[Sequence[Pin]]:
    """What each stream starts from; nothing for the one that needs nothing."""
    at_once = MAX_BASES if together else 1
    yield from (bases[begin : begin + at_once] for begin in range(0, len(bases), at_once))
    if full:
        yield []


def file_name(host: str, bases: Sequence[Pin], target: Pin) -> str:
    """The name of a stream; the beginnings of the paths keep streams of other builds apart."""
    start = f"{_numbers(bases)}.{_mark(bases)}" if bases else "full"
    return f"{host}-{start}-{target.number}.{target.path.hash[:_MARK]}{_SUFFIX}"


def _numbers(bases: Sequence[Pin]) -> str:
    first, last = bases[0].number, bases[-1].number
    return f"{first}" if len(bases) == 1 else f"{first}to{last}"


def _mark(bases: Sequence[Pin]) -> str:
    if len(bases) == 1:
        return bases[0].path.hash[:_MARK]
    return Digest.of("".join(sorted(str(base.path) for base in bases)).encode()).hex()[:_MARK]


def write_index(folder: Path) -> list[Offer]:
    """List all streams of a folder in its index."""
    offers = [_offer(path) for path in sorted(folder.glob(f"*{_SUFFIX}"))]
    write_durably(folder / INDEX, print_index(offers))
    return offers


def _offer(path: Path) -> Offer:
    with open_regular(path) as file:
        return Offer.of(path.name, path.stat().st_size, StreamReader(file.read).header)
