"""A firmware whose memory is read-only, full or forgetful: nothing is lost, and it is said.

The variables are files in a folder; where the folder is a file system of its own, it can be made
read-only and full for real.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.unit.device.conftest import Units

from reconix.base.process import run
from reconix.boot.oneshots.variables import FirmwareRefuses
from reconix.boot.slots import WrongImage
from reconix.boot.trial import Phase, Reason, Result, State, read_state
from reconix.device.select.choose import choose_always, choose_once
from reconix.device.select.watch import watch
from reconix.device.state.choice import read_choice
from reconix.device.state.lock import exclusive_rw
from reconix.device.state.running import BootReason
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines
from reconix.device.update.apply import apply
from reconix.device.update.rollback import rollback


@contextlib.contextmanager
def memory(machine: Machine, options: str) -> Iterator[None]:
    """Replace the memory of the firmware by one of these properties; what was in it stays."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    place = machine.paths.efivars
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    run("mount", "-t", "tmpfs", "-o", "size=64k", "memory", place)
    try:
        for name, content in before.items():
            (place / name).write_bytes(content)
        if options == "full":
            fill(place)
        else:
            run("mount", "-o", "remount,ro", place)
        yield
    finally:
        run("umount", place)


def fill(place: Path, *, but_pages: int = 0) -> None:
    """Leave room for so many variables."""
    filler = place / "Filler-00000000-0000-0000-0000-000000000000"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    os.truncate(filler, filler.stat().st_size - but_pages * 4096)


@pytest.fixture
def ready(machine: Machine) -> Machine:
    """A device that runs generation one; generation two is installed."""
    machine.boot()
    machine.generation("two")
    machine.install("two")
    return machine


def try_two(machine: Machine) -> None:
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations["two"])


def state(machine: Machine) -> State:
    return read_state(machine.paths.state)


def assert_said(machine: Machine) -> None:
    last = state(machine).last
    assert last is not None and last.verdict is not None
    assert (last.result, last.verdict.reason) == (Result.FELL_BACK, Reason.FIRMWARE)
    assert any("because: firmware" in line for line in status_lines(read_status(machine.device)))


@pytest.mark.parametrize("kind", ["read-only", "full"])
def test_a_memory_that_takes_nothing_ends_the_update_before_the_restart(
    ready: Machine, kind: str
) -> None:
    with memory(ready, kind):
        with pytest.raises(FirmwareRefuses) as caught:
            try_two(ready)
        assert caught.value.exit_code == 39
        assert state(ready).phase is Phase.IDLE
        assert_said(ready)
    assert ready.boot().booted.generation == ready.generations["one"]


def test_an_update_that_the_firmware_refused_can_be_repeated(ready: Machine) -> None:
    with memory(ready, "full"), pytest.raises(FirmwareRefuses):
        try_two(ready)
    try_two(ready)
    assert ready.boot().booted.generation == ready.generations["two"]


def test_a_memory_that_forgets_is_found_out_and_no_second_trial_is_made(ready: Machine) -> None:
    try_two(ready)
    shutil.rmtree(ready.paths.efivars)
    ready.paths.efivars.mkdir()
    back = ready.boot()
    assert (back.booted.generation, back.restart) == (ready.generations["one"], False)
    assert_said(ready)


def test_a_device_whose_memory_becomes_read_only_in_a_trial_still_starts(ready: Machine) -> None:
    try_two(ready)
    ready.boot()  # and the power goes: the trial would be repeated
    ready.firmware()
    from reconix.device.select.start import start

    with memory(ready, "read-only"):
        back = start(ready.device)
    assert (back.booted.slot, back.restart) == (1, False)
    assert_said(ready)


def test_a_healthy_generation_is_kept_also_by_a_firmware_that_takes_nothing_any_more(
    ready: Machine, units: Units
) -> None:
    try_two(ready)
    ready.boot()
    with memory(ready, "read-only"):
        assert watch(ready.device)
    assert ready.selected == 2


def test_a_wish_that_cannot_be_told_is_in_the_log_and_the_device_starts(ready: Machine) -> None:
    with exclusive_rw(ready.paths):
        choose_always(ready.device, "mqtt")
    ready.boot()
    ready.firmware()
    from reconix.device.select.start import start

    with memory(ready, "full"):
        assert start(ready.device).booted.system == "default"
    assert "firmware-refused" in ready.paths.log.read_text()


def test_an_ordinary_boot_needs_no_memory_at_all(ready: Machine, tmp_path: Path) -> None:
    shutil.rmtree(ready.paths.efivars)
    ready.paths.efivars.mkdir()
    before = ready.paths.state.read_bytes()
    assert ready.boot().booted.generation == ready.generations["one"]
    assert ready.paths.state.read_bytes() == before


@pytest.mark.parametrize("wish", [None, "mqtt"], ids=["nothing", "a system"])
def test_slot_and_system_are_armed_together_or_not_at_all(ready: Machine, wish: str | None) -> None:
    """Wherever the memory ends: what would have booted next without the update is what boots."""
    with exclusive_rw(ready.paths):
        choose_always(ready.device, "default") if wish is None else choose_once(ready.device, wish)
    before = (ready.device.firmware.asked_for(), read_choice(ready.paths.choice))
    refused = 0
    for room in range(5):
        with memory(ready, "ro"):
            run("mount", "-o", "remount,rw", ready.paths.efivars)
            fill(ready.paths.efivars, but_pages=room)
            try:
                with exclusive_rw(ready.paths):
                    apply(ready.device, ready.generations["two"], system="mqtt")
            except FirmwareRefuses:
                refused += 1
                after = (ready.device.firmware.asked_for(), read_choice(ready.paths.choice))
                assert after == before
                assert ready.device.firmware.next_slot(ready.device.selection()) is None
            else:
                assert ready.device.firmware.asked_for() == "mqtt"
                assert ready.device.firmware.next_slot(ready.device.selection()) is not None
                break
    assert refused == (3 if wish is None else 2)


def test_what_is_cancelled_leaves_neither_the_slot_nor_the_system_armed(ready: Machine) -> None:
    with exclusive_rw(ready.paths):
        apply(ready.device, ready.generations["two"], system="mqtt")
        rollback(ready.device)
    assert ready.device.firmware.asked_for() is None
    started = ready.boot()
    assert (started.booted.system, started.booted.reason) == ("default", BootReason.COMMITTED)


def test_what_takes_the_place_of_an_armed_update_does_not_inherit_its_system(
    ready: Machine,
) -> None:
    """The new one cannot be written; the old one was taken back before."""
    ready.generation("three")
    ready.install("three")
    boot = ready.read(ready.generations["three"]).boot
    entry = ready.place_of(boot, "loader", "entries", "mqtt.conf")
    entry.chmod(0o600)
    entry.write_bytes(entry.read_bytes().replace(b"gpt", b"rw "))
    with exclusive_rw(ready.paths):
        apply(ready.device, ready.generations["two"], system="mqtt")
        with pytest.raises(WrongImage):
            apply(ready.device, ready.generations["three"])
    assert ready.boot().booted.system == "default"


def test_a_system_that_is_wanted_always_is_wanted_again_after_a_cancelled_update(
    ready: Machine, units: Units
) -> None:
    with exclusive_rw(ready.paths):
        choose_always(ready.device, "mqtt")
        apply(ready.device, ready.generations["two"], system="default")
        rollback(ready.device)
    assert ready.boot().booted.system == "mqtt"


def test_an_armed_update_that_cannot_be_armed_with_another_system_is_as_it_was(
    ready: Machine,
) -> None:
    """Nothing can be taken back either, so nothing is said to be."""
    with exclusive_rw(ready.paths):
        apply(ready.device, ready.generations["two"], system="mqtt")
    with memory(ready, "read-only"), exclusive_rw(ready.paths), pytest.raises(FirmwareRefuses):
        apply(ready.device, ready.generations["two"], system="default")
    assert (state(ready).phase, ready.device.firmware.asked_for()) == (Phase.ARMED, "mqtt")
    started = ready.boot()
    assert (started.booted.generation, started.booted.system) == (ready.generations["two"], "mqtt")
