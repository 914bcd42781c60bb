"""A device starts, tries, keeps and comes back."""

import json
import os

import pytest
from tests.device_model import Machine
from tests.heard import Heard
from tests.unit.device.conftest import Units

from reconix.base import progress
from reconix.base.documents import print_json
from reconix.boot.gpt import SECTOR
from reconix.boot.oneshots.load_option import LoadOption, print_load_option, print_text
from reconix.boot.oneshots.variables import GLOBAL, LOADER, FirmwareRefuses, Variables
from reconix.boot.tables import Copy, Slot
from reconix.boot.trial import Phase, Reason, Result, Verdict, read_state
from reconix.device.hardware.reset_reason import ResetReason
from reconix.device.select.boot_plan import Boot, Facts
from reconix.device.select.choose import choose_always, choose_once
from reconix.device.select.start import read_facts, start
from reconix.device.state.choice import Choice, read_choice, write_choice
from reconix.device.state.events import read_events
from reconix.device.state.lock import exclusive_rw
from reconix.device.state.running import (
    BootReason,
    read_boot_id,
    read_running,
    read_toplevel,
)
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines
from reconix.device.update.apply import apply
from reconix.device.update.confirm import confirm, keep_system
from reconix.store.layout import OtherLayout
from reconix.store.tree import File


def arm(machine: Machine, name: str) -> None:
    machine.install(name)
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations[name])


def test_a_new_device_finds_out_what_it_is(machine: Machine) -> None:
    started = machine.boot()
    booted = read_running(machine.paths.booted)
    assert booted == started.booted
    assert (booted.system, booted.slot, booted.generation) == (
        "default",
        1,
        machine.generations["one"],
    )
    assert "SYSTEM=default\n" in (machine.paths.run / "booted").read_text()
    assert read_state(machine.paths.state).phase is Phase.IDLE


def test_an_ordinary_boot_writes_nothing(machine: Machine) -> None:
    machine.boot()
    before = machine.paths.state.stat().st_mtime_ns
    disk = (machine.place / "disk").stat().st_mtime_ns
    machine.boot()
    assert machine.paths.state.stat().st_mtime_ns == before
    assert (machine.place / "disk").stat().st_mtime_ns == disk
    assert not machine.paths.choice.exists()


def test_the_first_start_makes_the_key_of_the_device(machine: Machine) -> None:
    machine.boot()
    key = machine.paths.device_key.read_bytes()
    assert len(key) == 32
    machine.boot()
    assert machine.paths.device_key.read_bytes() == key


@pytest.mark.parametrize("random", [bytes, BlockingIOError])
def test_no_start_waits_for_random_bytes_or_fails_of_a_key(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, random: type[BaseException] | type[bytes]
) -> None:
    def getrandom(_size: int, flags: int) -> bytes:
        assert flags == os.GRND_NONBLOCK
        if issubclass(random, BaseException):
            raise random
        return b"r"

    monkeypatch.setattr(os, "getrandom", getrandom)
    if random is bytes:
        machine.paths.device_key.mkdir()
    machine.boot()
    assert not machine.paths.device_key.is_file(), "its unit says what is the matter"


def test_only_a_trial_and_not_what_was_confirmed_must_be_proven(machine: Machine) -> None:
    machine.boot()
    assert not machine.paths.is_unproven.exists()
    machine.generation("two")
    arm(machine, "two")
    machine.boot()
    assert machine.paths.is_unproven.exists()
    with exclusive_rw(machine.paths):
        confirm(machine.device)
    machine.boot()
    assert not machine.paths.is_unproven.exists()


def test_a_trial_runs_once_and_is_kept_when_confirmed(machine: Machine) -> None:
    machine.boot()
    two = machine.generation("two")
    arm(machine, "two")
    started = machine.boot()
    assert (started.booted.slot, started.booted.generation) == (2, two)
    assert machine.paths.is_unproven.exists()
    assert not machine.paths.is_committed.exists()
    assert machine.selected == 1
    with exclusive_rw(machine.paths):
        assert confirm(machine.device)
    assert machine.selected == 2
    assert machine.boot().booted.generation == two
    assert machine.paths.is_committed.exists()
    last = read_state(machine.paths.state).last
    assert last is not None and last.result is Result.CONFIRMED


def test_a_trial_that_is_cut_short_is_repeated_and_then_left(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    arm(machine, "two")
    assert machine.boot().booted.slot == 2  # and the power goes
    again = machine.boot()
    assert (again.booted.slot, again.restart) == (1, True)
    assert machine.boot().booted.slot == 2  # and goes again
    back = machine.boot()
    assert (back.booted.slot, back.restart) == (1, False)
    last = read_state(machine.paths.state).last
    assert last is not None and last.verdict is not None
    assert (last.result, last.verdict.reason) == (Result.FELL_BACK, Reason.UNKNOWN)


def test_b8_a_trial_that_is_cut_short_is_repeated_as_often_as_its_system_says(
    machine: Machine,
) -> None:
    """B8, also with power cuts of the old generation in between: the count is on the disk."""
    limits = {"receive": True, "trial_timeout_seconds": 60, "trial_attempts": 4}
    machine.boot()
    machine.generation("two", extra={"update.json": File(print_json(limits))})
    arm(machine, "two")
    slots = []
    while (started := machine.boot()).restart or started.booted.slot == 2:
        slots.append(started.booted.slot)
    assert slots == [2, 1, 2, 1, 2, 1, 2]
    last = read_state(machine.paths.state).last
    assert last is not None and last.result is Result.FELL_BACK


def test_a_panic_is_not_repeated(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    arm(machine, "two")
    machine.boot()
    pstore = machine.paths.sysfs / "fs/pstore"
    pstore.mkdir(parents=True)
    (pstore / "dmesg-efi-1").write_text("Panic#1 Part1\nKernel panic - not syncing: no init")
    back = machine.boot()
    assert (back.booted.slot, back.restart) == (1, False)
    last = read_state(machine.paths.state).last
    assert last is not None and last.verdict is not None
    assert last.verdict == Verdict(Reason.PANIC, output="Kernel panic - not syncing: no init")
    assert list(pstore.iterdir()) == []
    told = [(event.name, event.text) for event in read_events(machine.paths.log)]
    assert ("panic", "Kernel panic - not syncing: no init") in told


def test_each_boot_knows_why_it_is_what_it_is(machine: Machine, units: Units) -> None:
    def boots() -> BootReason:
        return machine.boot().booted.reason

    assert boots() is BootReason.COMMITTED
    machine.generation("two")
    arm(machine, "two")
    assert [boots() for _ in range(4)] == [
        *(BootReason.TRIAL, BootReason.INTERRUPTED),
        *(BootReason.TRIAL, BootReason.FELL_BACK),
    ]
    assert boots() is BootReason.COMMITTED
    with exclusive_rw(machine.paths):
        choose_once(machine.device, "mqtt")
    assert boots() is BootReason.ONCE
    with exclusive_rw(machine.paths):
        choose_always(machine.device, "mqtt")
    assert boots() is BootReason.ALWAYS
    assert read_running(machine.paths.booted).reason is BootReason.ALWAYS
    lines = status_lines(read_status(machine.device))
    assert "           because: chosen always" in lines
    assert boots() is BootReason.ALWAYS_FAILED


def test_a_second_start_in_the_same_boot_changes_nothing(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    arm(machine, "two")
    again = start(machine.device)
    assert (again.booted, again.restart) == (read_running(machine.paths.booted), False)
    assert read_state(machine.paths.state).phase is Phase.ARMED


def test_a_system_that_was_chosen_once_and_did_not_come_up_is_remembered(
    machine: Machine, units: Units
) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_once(machine.device, "mqtt")
    machine.firmware()  # and the power goes before its agent has begun
    assert machine.boot().booted.system == "default"
    left = read_choice(machine.paths.choice).left
    assert left is not None and left.system == "mqtt"


def test_a_note_of_the_boot_before_is_not_taken_for_one_of_this_boot(machine: Machine) -> None:
    """Wherever ``/run`` was not emptied."""
    before = machine.boot().booted
    noted = machine.paths.booted.read_bytes()
    machine.firmware()
    machine.paths.booted.write_bytes(noted)
    found = start(machine.device).booted
    assert found.toplevel == before.toplevel
    assert found.boot_id != before.boot_id


def test_b2_what_a_start_repairs_is_told_one_by_one(machine: Machine) -> None:
    machine.boot()
    with (machine.place / "disk").open("r+b") as disk:
        disk.seek(machine.tables.header_at(Copy.BACKUP) * SECTOR)
        disk.write(bytes(SECTOR))
    machine.boot()
    found = read_events(machine.paths.log)
    assert [event.name for event in found] == ["repaired"] * len(found)
    assert any(event.text.startswith("the backup header") for event in found)


def test_a_firmware_that_does_not_tell_what_it_booted_booted_what_is_selected(
    machine: Machine,
) -> None:
    machine.boot()
    machine.generation("two")
    machine.install("two")
    machine.finish("two")
    machine.firmware()
    machine.variables.remove("LoaderDevicePartUUID", LOADER)
    booted = start(machine.device).booted
    assert (booted.slot, booted.generation) == (2, machine.generations["two"])
    assert machine.paths.is_committed.read_bytes() == b""


def facts(machine: Machine) -> Facts:
    """What a start decides on after firmware and initrd."""
    machine.firmware()
    return facts_now(machine)


def facts_now(machine: Machine) -> Facts:
    device, paths = machine.device, machine.paths
    selection, partition = device.selection(), device.firmware.booted_partition()
    slot = selection.tables.slot_with(partition)
    assert slot is not None
    boot = Boot(read_boot_id(paths), read_toplevel(paths), slot, selection.slot)
    return read_facts(device, selection, boot)


def test_a_start_knows_the_generations_of_what_is_committed_and_of_what_runs(
    machine: Machine,
) -> None:
    machine.boot()
    one, two = machine.generations["one"], machine.generation("two")
    assert {name: each.path for name, each in facts(machine).generations.items()} == {str(one): one}
    arm(machine, "two")
    found = facts(machine)
    assert {name: each.path for name, each in found.generations.items()} == {
        str(one): one,
        str(two): two,
    }
    assert (found.is_remembered, found.is_table_damaged) == (True, False)


def test_a_generation_that_cannot_be_read_is_told_and_stops_no_start(machine: Machine) -> None:
    machine.boot()
    machine.firmware()
    file = machine.place_of(machine.generations["one"], "generation.json")
    file.chmod(0o600)
    file.write_text(file.read_text().replace('"systems"', '"sistems"'))
    told = Heard()
    progress.listen(told)
    assert start(machine.device).booted.slot == 1
    assert any("'systems' is missing" in note for note in told.notes)


def test_a_disk_of_another_layout_is_told_by_a_start_that_changes_nothing(
    machine: Machine,
) -> None:
    """What is committed runs on: the way back from here is a disk image, not a restart."""
    machine.boot()
    machine.firmware()
    machine.paths.layout.write_text("1\n")
    before = sorted(path.stat().st_mtime_ns for path in machine.paths.home.rglob("*"))
    with pytest.raises(OtherLayout, match="has layout 1; this release needs layout 2"):
        start(machine.device)
    assert machine.paths.is_committed.exists() and not machine.paths.booted.exists()
    assert sorted(path.stat().st_mtime_ns for path in machine.paths.home.rglob("*")) == before


def test_a_firmware_that_forgot_what_it_was_given_is_the_reason_for_coming_back(
    machine: Machine,
) -> None:
    machine.boot()
    machine.generation("two")
    arm(machine, "two")
    for name in machine.variables.names(GLOBAL):
        machine.variables.remove(name, GLOBAL)
    before = facts(machine).reset_reason
    assert before.reason is Reason.FIRMWARE
    assert before.output.startswith("it did not keep") and 'one_shot = "disk"' in before.output


def test_a_firmware_that_knows_what_it_was_given_is_not_the_reason(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    assert facts(machine).reset_reason == ResetReason(Reason.UNKNOWN)
    arm(machine, "two")
    machine.variables.remove("BootNext", GLOBAL)
    assert facts(machine).reset_reason == ResetReason(Reason.UNKNOWN)


def test_a_firmware_that_forgot_during_the_trial_is_not_the_reason_for_its_end(
    machine: Machine,
) -> None:
    machine.boot()
    machine.generation("two")
    arm(machine, "two")
    assert machine.boot().booted.slot == 2
    for name in machine.variables.names(GLOBAL):
        machine.variables.remove(name, GLOBAL)
    found = facts(machine)
    assert (found.boot.slot, found.state.phase) == (1, Phase.ON_TRIAL)
    assert found.reset_reason == ResetReason(Reason.UNKNOWN)


def test_a_firmware_that_refuses_to_be_asked_is_recorded_and_nothing_restarts(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_always(machine.device, "mqtt")
    machine.boot()
    machine.firmware()

    def refuse(*_: object) -> None:
        raise FirmwareRefuses("LoaderEntryOneShot", why="full")

    monkeypatch.setattr(Variables, "set", refuse)
    started = start(machine.device)
    assert (started.booted.system, started.restart) == ("default", False)
    last = read_events(machine.paths.log)[-1]
    assert last.name == "firmware-refused" and "LoaderEntryOneShot: full" in last.text


def test_a_trial_that_was_cut_short_is_made_again_with_its_system(machine: Machine) -> None:
    machine.boot()
    two = machine.generation("two")
    machine.install("two")
    with exclusive_rw(machine.paths):
        apply(machine.device, two, system="mqtt")
    assert machine.boot().booted.system == "mqtt"
    assert machine.boot().restart
    again = machine.boot().booted
    assert (again.slot, again.system) == (2, "mqtt")


def test_what_ended_a_trial_is_known_although_the_state_was_lost(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    arm(machine, "two")
    machine.boot()
    machine.paths.state.write_text("")
    pstore = machine.paths.sysfs / "fs/pstore"
    pstore.mkdir(parents=True)
    (pstore / "dmesg-efi-1").write_text("Panic#1 Part1\nKernel panic - not syncing: no init")
    assert machine.boot().booted.slot == 1
    last = read_state(machine.paths.state).last
    assert last is not None
    assert last.verdict == Verdict(Reason.PANIC, output="Kernel panic - not syncing: no init")


def test_state_that_cannot_be_read_is_found_out_from_the_disk(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    arm(machine, "two")
    machine.boot()
    with exclusive_rw(machine.paths):
        confirm(machine.device)
    machine.paths.state.write_text(json.dumps({"version": 99}))
    assert machine.boot().booted.generation == machine.generations["two"]
    assert read_state(machine.paths.state).committed.slot == 2


def set_by_others(machine: Machine) -> None:
    """As any Linux that was on this machine before leaves it."""
    machine.variables.set("LoaderConfigTimeout", LOADER, print_text("menu-force"))
    machine.variables.set("LoaderEntryDefault", LOADER, print_text("mqtt.conf"))


def test_w2_settings_of_others_are_removed_and_told(machine: Machine) -> None:
    machine.boot()
    set_by_others(machine)
    ahead = read_status(machine.device).next_boot
    assert (ahead.system, ahead.astray) == (
        "mqtt",
        "the boot loader waits in its menu (LoaderConfigTimeout: menu-force)",
    )
    machine.boot()
    status = read_status(machine.device)
    assert (status.next_boot.system, status.next_boot.astray) == ("default", "")
    told = [(event.name, event.text.partition(":")[0]) for event in status.events[-2:]]
    assert set(told) == {
        ("setting-removed", "LoaderConfigTimeout"),
        ("setting-removed", "LoaderEntryDefault"),
    }
    assert machine.variables.names(LOADER) == ["LoaderDevicePartUUID"]


def test_w2_what_the_agent_has_asked_for_is_not_removed(machine: Machine, units: Units) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_always(machine.device, "mqtt")
    machine.boot()
    with exclusive_rw(machine.paths):
        keep_system(machine.device)
    assert machine.boot().booted.system == "mqtt"
    assert not read_events(machine.paths.log)


def test_w2_what_was_asked_for_once_is_not_foreign_and_another_system_is(
    machine: Machine, units: Units
) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_once(machine.device, "mqtt")
    machine.firmware()
    for system, count in (("mqtt", 0), ("default", 1)):
        machine.variables.set("LoaderEntryOneShot", LOADER, print_text(f"{system}.conf"))
        assert len(facts_now(machine).foreign_settings) == count


def test_w2_what_starts_a_slot_that_is_not_selected_is_foreign(machine: Machine) -> None:
    machine.boot()
    machine.firmware()
    machine.variables.set("BootOrder", GLOBAL, b"\x09\0")
    for number, count in ((1, 0), (2, 1)):
        part = machine.tables.slot(Slot(number))
        option = LoadOption("x", number, part.first, part.sectors, part.guid, "EFI/BOOT/X.EFI")
        machine.variables.set("Boot0009", GLOBAL, print_load_option(option))
        assert len(facts_now(machine).foreign_settings) == count


def test_a_choice_of_a_system_that_is_gone_is_no_system_that_was_left(machine: Machine) -> None:
    machine.boot()
    write_choice(machine.paths.choice, Choice(once="gone"))
    assert machine.boot().booted.system == "default"
    assert read_choice(machine.paths.choice).left is None


def test_w2_a_trial_that_somebody_has_disarmed_is_not_told_to_be_next(machine: Machine) -> None:
    """With ``efibootmgr --delete-bootnext``."""
    machine.boot()
    machine.generation("two")
    arm(machine, "two")
    assert read_status(machine.device).next_boot.is_trial
    machine.variables.remove("BootNext", GLOBAL)
    assert not read_status(machine.device).next_boot.is_trial
