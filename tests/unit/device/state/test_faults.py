"""What the start could not do is told, and what brought it is not kept."""

import json

import pytest
from tests.device_model import Machine
from tests.unit.device.conftest import Units

from reconix.base.documents import print_json
from reconix.boot.trial import Phase, Reason, read_state
from reconix.device.select.watch import watch
from reconix.device.state.lock import exclusive_rw
from reconix.device.status.json import status_document
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines
from reconix.device.update.apply import apply

LOST = "/var/lib/web is not kept: it cannot be filled: No space left on device\n"
NO_DATA = "data is not mounted: nothing is kept\n"


def try_two(machine: Machine, *, before: str, after: str) -> bool:
    """Whether a trial is kept, with what its initrd and the one before could not do."""
    machine.boot()
    if before:
        machine.paths.faults.write_text(before)
    machine.generation("two")
    machine.install("two")
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations["two"])
    machine.boot()
    if after:
        machine.paths.faults.write_text(after)
    return watch(machine.device)


@pytest.mark.parametrize("fault", [LOST, NO_DATA])
def test_a_generation_that_brings_a_fault_is_left_with_the_reason(
    machine: Machine, units: Units, fault: str
) -> None:
    assert not try_two(machine, before="", after=fault)
    state = read_state(machine.paths.state)
    assert state.phase is Phase.REJECTED
    assert state.verdict is not None and state.verdict.reason is Reason.UNHEALTHY
    assert state.verdict.output == fault.strip()


def test_a_generation_is_not_blamed_for_what_was_so_before(machine: Machine, units: Units) -> None:
    assert try_two(machine, before=NO_DATA, after=NO_DATA)


def test_one_fault_more_is_one_too_many(machine: Machine, units: Units) -> None:
    assert not try_two(machine, before=NO_DATA, after=NO_DATA + LOST)


def test_what_was_mended_is_no_excuse_for_later(machine: Machine, units: Units) -> None:
    assert try_two(machine, before=NO_DATA, after="")
    machine.generation("one more")
    machine.install("one more")
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations["one more"])
    machine.boot()
    machine.paths.faults.write_text(NO_DATA)
    assert not watch(machine.device)


def test_the_fault_of_a_committed_generation_is_told(machine: Machine, units: Units) -> None:
    machine.boot()
    machine.paths.faults.write_text(LOST)
    status = read_status(machine.device)
    assert f"fault      {LOST.strip()}" in status_lines(status)
    assert json.loads(print_json(status_document(status)))["faults"] == [LOST.strip()]
    assert watch(machine.device), "it is no trial"
