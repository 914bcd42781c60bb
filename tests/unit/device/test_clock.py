"""T5: whatever the clock says, and wherever it jumps, a device is updated."""

import itertools
import time
from collections.abc import Iterator

import pytest
from tests.device_model import Machine
from tests.unit.device.conftest import Units

from reconix.boot.trial import Phase
from reconix.device.select.watch import watch
from reconix.device.state.lock import exclusive_rw
from reconix.device.status.read import read_status
from reconix.device.update.apply import apply
from reconix.device.update.receive import receive

NEVER_SET, NOW, FAR = 0.0, 1_800_000_000.0, 4_300_000_000.0  # 1970, 2027, 2106
CLOCKS = [[NEVER_SET], [FAR], [NOW, NEVER_SET], [NEVER_SET, NOW, FAR, NOW]]


def jumping(times: list[float]) -> Iterator[float]:
    """One second more with each look, and from time to time somewhere else."""
    for number in itertools.count():
        yield times[number // 3 % len(times)] + number


@pytest.mark.parametrize("times", CLOCKS, ids=["1970", "2106", "back", "to and fro"])
def test_t5_an_update_is_taken_tried_and_kept(
    machine: Machine, units: Units, monkeypatch: pytest.MonkeyPatch, times: list[float]
) -> None:
    clock = jumping(times)
    monkeypatch.setattr(time, "time", lambda: next(clock))
    machine.boot()
    two = machine.generation("two")
    with exclusive_rw(machine.paths):
        apply(machine.device, receive(machine.device, machine.stream("one", "two").read))
    assert machine.device.recall().phase is Phase.ARMED
    machine.boot()
    watch(machine.device)
    state = machine.device.recall()
    assert (state.phase, state.committed.generation) == (Phase.IDLE, str(two))
    assert read_status(machine.device).state == state
