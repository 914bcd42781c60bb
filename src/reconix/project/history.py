"""What became of a host from one generation to the next.

Told is what is known without much work: sizes that a build has measured, packages that dpkg's
status in the store names, systems whose store path is another one.

Tested by ``tests/unit/project/test_history.py``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from reconix.build.inspect import generations
from reconix.build.inspect.generations import Difference
from reconix.build.measured import Measured
from reconix.build.pins import Pin, Pins
from reconix.nix.chroot import ChrootStore


@dataclass(frozen=True, slots=True)
class Built:
    """A generation and what was new in it.

    Attributes:
        pin: the generation.
        built_at: when, in seconds since 1970.
        size_bytes: what a device needs for it, if that was measured.
        changed: what is different from the one before, if both are here and it was asked for.
        before: the number of that one.
    """

    pin: Pin
    built_at: float
    size_bytes: int | None
    changed: Difference | None = None
    before: int | None = None


def history(store: ChrootStore, pins: Pins, *, explained: int) -> Iterator[Built]:
    """The generations of a host, the oldest first.

    Args:
        store: has what was not removed.
        pins: of the host.
        explained: of how many of the newest it is told what has changed.
    """
    measured, numbered = Measured(store), pins.all()
    ends: list[tuple[Pin | None, Pin]] = [(None, pin) for pin in numbered[:1]]
    ends += pairwise(numbered)
    for index, (before, pin) in enumerate(ends):
        is_here = store.is_valid(pin.path)
        known = measured.known_generation(pin.path) if is_here else None
        is_told = is_here and len(ends) - index <= explained
        changed = None
        if is_told and before is not None and store.is_valid(before.path):
            changed = generations.difference(store, before.path, pin.path)
        yield Built(
            pin,
            pins.built_at(pin),
            known.size.total_bytes if known else None,
            changed,
            before.number if before and changed else None,
        )
