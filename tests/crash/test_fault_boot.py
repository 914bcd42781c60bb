"""B1, B2, B4, B9 and C2: damage to what boots, generations that are bad, and restarts at any time.

The device is that of ``tests/device_model.py``: a real partition table, real slots, the real agent.
"""

import contextlib
from collections.abc import Callable

import pytest
from tests.device_model import Machine

from reconix.base.documents import JsonInput
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR, DamagedPartitionTable
from reconix.boot.rescue import NothingLeft, find_tables, rescue
from reconix.boot.tables import Copy, Slot, UnknownSlot, read_selection
from reconix.boot.transitions import NotNow
from reconix.boot.trial import Phase, Result, read_state
from reconix.cli import main as on_host
from reconix.device.__main__ import main
from reconix.device.device import Device
from reconix.device.select.watch import watch
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.apply import apply
from reconix.device.update.confirm import confirm
from reconix.device.update.rollback import NothingBefore, rollback
from reconix.device.update.verify import verify

BROKEN: JsonInput = {
    "timeout_seconds": 1,
    "checks": [{"kind": "command", "command": ["/bin/false"]}],
}


def try_out(machine: Machine, name: str) -> None:
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations[name])


def spoil(machine: Machine, lba: int, *, sectors: int = 1) -> None:
    with (machine.place / "disk").open("r+b") as file:
        file.seek(lba * SECTOR)
        file.write(b"\xa5" * SECTOR * sectors)


def spoil_slot(machine: Machine, slot: int) -> None:
    """Change the last thing that the slot's file system holds."""
    used = machine.check_slot(Slot(slot)).slot.size_bytes // SECTOR
    spoil(machine, machine.tables.slot(Slot(slot)).first + used - 1)


# -- B1, B4: what a slot holds ---------------------------------------------------------------------


def test_b1_a_slot_that_was_damaged_after_it_was_written_does_not_take_the_device(
    machine: Machine,
) -> None:
    try_out(machine, "two")
    spoil_slot(machine, 2)
    for _ in range(4):
        with pytest.raises(AssertionError, match="slot 2 would boot"):
            machine.firmware()  # the loader or the kernel does not start; the device is reset
        back = machine.boot()
        assert back.booted.slot == 1
        if not back.restart:
            break
    last = read_state(machine.paths.state).last
    assert last is not None and last.result is Result.FELL_BACK
    machine.finish("two")


def test_b4_an_idle_slot_full_of_rubbish_is_made_new(machine: Machine) -> None:
    part = machine.tables.slot(Slot(2))
    spoil(machine, part.first, sectors=part.sectors)
    machine.finish("two")


def test_b4_damage_in_the_committed_slot_is_named(machine: Machine) -> None:
    spoil_slot(machine, 1)
    (fact,) = verify(machine.device)
    assert fact.startswith("slot-1 does not hold the image of")


# -- B2: partition tables --------------------------------------------------------------------------


@pytest.mark.parametrize("copy", list(Copy))
def test_b2_one_damaged_table_is_repaired_at_the_next_start_and_said(
    machine: Machine, copy: Copy
) -> None:
    whole = (machine.place / "disk").read_bytes()
    spoil(machine, machine.tables.header_at(copy))
    assert machine.boot().booted.slot == 1
    assert (machine.place / "disk").read_bytes() == whole
    assert '"repaired"' in machine.paths.log.read_text()


def spoil_both(machine: Machine) -> bytes:
    whole = (machine.place / "disk").read_bytes()
    for copy in Copy:
        spoil(machine, machine.tables.header_at(copy))
    return whole


@pytest.mark.parametrize("program", [main, on_host.main], ids=["device", "host"])
@pytest.mark.parametrize("slot", [1, 2])
def test_b2_two_damaged_tables_are_made_again_by_hand(
    machine: Machine, slot: int, program: Callable[[list[str]], int]
) -> None:
    whole = spoil_both(machine)
    with pytest.raises(DamagedPartitionTable, match="both partition tables") as caught:
        machine.device.selection()
    assert "reconix rescue" in caught.value.hint
    assert program(["rescue", str(machine.place / "disk"), "--slot", str(slot)]) == 0
    assert machine.selected == slot
    assert machine.device.selection().faults == ()
    first, last = machine.tables.slot(Slot(1)).first, machine.tables.last_usable + 1
    now = (machine.place / "disk").read_bytes()
    inside = slice(first * SECTOR, last * SECTOR)
    assert now[inside] == whole[inside], "no partition was touched"


@pytest.mark.parametrize("copy", list(Copy))
def test_b2_one_complete_copy_of_the_arrays_is_enough(machine: Machine, copy: Copy) -> None:
    spoil_both(machine)
    spoil(machine, machine.tables.array_at(Slot(2), copy))
    with DiskFile(machine.place / "disk") as disk:
        found = find_tables(disk)
    assert (found.slots, found.others) == (machine.tables.slots, machine.tables.others)


def test_b2_without_a_complete_copy_nothing_is_guessed(machine: Machine) -> None:
    spoil_both(machine)
    for copy in Copy:
        spoil(machine, machine.tables.array_at(Slot(2), copy))
    before = (machine.place / "disk").read_bytes()
    with DiskFile(machine.place / "disk") as disk, pytest.raises(NothingLeft):
        rescue(disk, Slot(1))
    assert (machine.place / "disk").read_bytes() == before


def test_b2_a_rescue_does_not_change_what_a_usable_table_selects(machine: Machine) -> None:
    with DiskFile(machine.place / "disk") as disk:
        assert rescue(disk, Slot(2)) == ()
        assert read_selection(disk).slot == 1


def test_b2_a_slot_that_there_is_not_cannot_be_selected(machine: Machine) -> None:
    spoil_both(machine)
    with DiskFile(machine.place / "disk") as disk, pytest.raises(UnknownSlot):
        rescue(disk, Slot(3))


# -- B9: nothing that could be kept ----------------------------------------------------------------


def test_b9_bad_generations_one_after_the_other_leave_the_committed_one(machine: Machine) -> None:
    """There is no way to oscillate: each is tried once, and nothing is tried by itself."""
    for name in ("bad", "worse"):
        machine.generation(name, health=BROKEN)
        machine.install(name)
        try_out(machine, name)
        assert machine.boot().booted.generation == machine.generations[name]
        assert not watch(machine.device)
        back = machine.boot()
        assert (back.booted.slot, back.restart) == (1, False)
    boots = [machine.boot() for _ in range(5)]
    assert {(boot.booted.slot, boot.restart) for boot in boots} == {(1, False)}


def test_b9_a_previous_generation_that_has_become_bad_is_not_gone_back_to(
    machine: Machine,
) -> None:
    machine.finish("two")
    with exclusive_rw(machine.paths):
        rollback(machine.device)
    assert machine.boot().booted.generation == machine.generations["one"]
    # It hangs this time, and the next: each is counted on the disk, and then it is left.
    boots = [machine.boot() for _ in range(4)]
    assert boots[-1].booted.generation == machine.generations["two"]
    assert not boots[-1].restart
    state = read_state(machine.paths.state)
    assert (state.phase, state.committed.slot) == (Phase.IDLE, machine.selected)


# -- C2: restarts that nobody asked for ------------------------------------------------------------


def _apply(machine: Machine, device: Device) -> None:
    apply(device, machine.generations["two"])


def _roll_back(_: Machine, device: Device) -> None:
    with contextlib.suppress(NothingBefore):  # it has come back by itself already
        rollback(device)


STAGES: tuple[tuple[str, Callable[[Machine, Device], object]], ...] = (
    ("apply", _apply),
    ("apply again", _apply),
    ("rollback", _roll_back),
    ("apply after it", _apply),
)


@pytest.mark.parametrize("restarts", [1, 2, 3])
@pytest.mark.parametrize("count", range(1, len(STAGES) + 1))
def test_c2_restarts_between_any_two_stages_end_in_a_generation_that_is_whole(
    machine: Machine, count: int, restarts: int
) -> None:
    for _, stage in STAGES[:count]:
        if read_state(machine.paths.state).phase in (Phase.IDLE, Phase.ARMED, Phase.WRITTEN):
            with exclusive_rw(machine.paths):
                stage(machine, machine.device)
        for _ in range(restarts):
            machine.boot()
            machine.check_committed()
    machine.finish("two")


def test_c2_a_restart_in_a_trial_before_its_verdict_ends_the_trial(machine: Machine) -> None:
    try_out(machine, "two")
    machine.boot()
    assert machine.boot().booted.slot == 1
    with pytest.raises(NotNow), exclusive_rw(machine.paths):
        confirm(machine.device)
