"""The schedule is followed at its changes, and what somebody chose stays until the next."""

import time
from dataclasses import replace

import pytest
from tests.device_model import Machine
from tests.turned_clock import TurnedClock
from tests.unit.device.conftest import Units

from reconix.base.documents import print_json
from reconix.device.__main__ import main
from reconix.device.device import Device
from reconix.device.select.choose import choose_always, choose_once
from reconix.device.select.follow import Due, due, note_due
from reconix.device.select.watch import mark_bad, watch
from reconix.device.state.lock import exclusive_rw
from reconix.device.state.running import BootReason
from reconix.device.status.json import status_document
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines
from reconix.device.update.apply import apply
from reconix.store.tree import File

DAY = 24 * 60
HOURS = [{"system": "mqtt", "begin": d * DAY + 360, "end": d * DAY + 1320} for d in range(7)]
DOCUMENT = {
    "version": 1,
    "hours": HOURS,
    "otherwise": "default",
    "default": "default",
    "confirm_within_seconds": 600,
}
MORNING, NIGHT = 1767571200 + 8 * 3600, 1767571200 + 23 * 3600


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture
def updated(machine: Machine, units: Units) -> Machine:
    """A device that has just confirmed a generation with a schedule, in its default system."""
    machine.generation("two", extra={"schedule.json": File(print_json(DOCUMENT))})
    machine.boot()
    machine.install("two")
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations["two"])
    machine.boot()
    assert watch(machine.device)
    return machine


@pytest.fixture
def scheduled(updated: Machine) -> Machine:
    """A device that runs the default system of a generation with a schedule."""
    updated.boot()
    return updated


def test_an_update_is_no_choice_of_a_system(updated: Machine) -> None:
    assert due(updated.device, MORNING) == Due("mqtt", start="mqtt")


def test_nor_is_what_runs_after_an_update_that_failed(updated: Machine) -> None:
    updated.generation("three", extra={"schedule.json": File(print_json(DOCUMENT))})
    updated.install("three")
    with exclusive_rw(updated.paths):
        apply(updated.device, updated.generations["three"])
    updated.boot()
    mark_bad(updated.device, "it shall fail")
    assert updated.boot().booted.reason is BootReason.FELL_BACK
    assert due(updated.device, MORNING) == Due("mqtt", start="mqtt")


def start(machine: Machine, found: Due | None) -> None:
    """Do what the command does, but for the restart itself; then restart."""
    assert found is not None and found.start is not None
    with exclusive_rw(machine.paths):
        choose_once(machine.device, found.start)
    note_due(machine.paths, found)
    assert machine.boot().booted.system == found.start


def test_what_is_wanted_after_a_start_is_started(scheduled: Machine) -> None:
    assert due(scheduled.device, MORNING) == Due("mqtt", "mqtt")
    assert due(scheduled.device, NIGHT) == Due("default")


def test_it_is_followed_at_each_change(scheduled: Machine) -> None:
    start(scheduled, due(scheduled.device, MORNING))
    again = due(scheduled.device, MORNING + 60)
    assert again == Due("mqtt")
    note_due(scheduled.paths, again)
    scheduled.paths.is_confirmed.touch()
    start(scheduled, due(scheduled.device, NIGHT))


def test_a_clock_that_jumps_is_followed_like_one_that_goes(scheduled: Machine) -> None:
    note_due(scheduled.paths, Due("default"))  # so the clock said at the start
    assert due(scheduled.device, MORNING) == Due("mqtt", "mqtt")
    note_due(scheduled.paths, Due("mqtt"))
    assert due(scheduled.device, MORNING - 1) == Due("mqtt")


def test_what_somebody_chose_stays_until_the_next_change(scheduled: Machine) -> None:
    with exclusive_rw(scheduled.paths):
        choose_once(scheduled.device, "mqtt")
    scheduled.boot()
    scheduled.paths.is_confirmed.touch()
    found = due(scheduled.device, NIGHT)
    assert found == Due("default")
    note_due(scheduled.paths, found)
    assert due(scheduled.device, MORNING) == Due("mqtt")
    note_due(scheduled.paths, Due("mqtt"))
    assert due(scheduled.device, NIGHT) == Due("default", "default")


def after(seconds: float, machine: Machine) -> Device:
    """The device when that much time has passed."""
    clock = TurnedClock(machine.device.clock.now() + seconds).clock
    return replace(machine.device, clock=clock)


def test_what_is_not_confirmed_in_time_is_left_until_the_next_change(scheduled: Machine) -> None:
    start(scheduled, due(scheduled.device, MORNING))
    found = due(after(601, scheduled), MORNING + 601)
    assert found == Due("mqtt", "default", rests=True)
    start(scheduled, found)
    assert due(scheduled.device, MORNING + 700) == Due("mqtt"), "also after a restart"
    note_due(scheduled.paths, Due("default"))
    assert due(scheduled.device, MORNING) == Due("mqtt", "mqtt"), "the next day"


def test_what_is_confirmed_stays(scheduled: Machine) -> None:
    start(scheduled, due(scheduled.device, MORNING))
    assert main(["confirm"], scheduled.device) == 0
    assert due(after(601, scheduled), MORNING + 601) == Due("mqtt")


def test_what_is_wanted_always_goes_before_the_schedule(scheduled: Machine) -> None:
    with exclusive_rw(scheduled.paths):
        choose_always(scheduled.device, "mqtt")
    scheduled.boot()
    assert due(scheduled.device, NIGHT) == Due("default")


def test_a_trial_goes_before_the_schedule_which_asks_again(
    scheduled: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduled.generation("three", extra={"schedule.json": File(print_json(DOCUMENT))})
    scheduled.install("three")
    with exclusive_rw(scheduled.paths):
        apply(scheduled.device, scheduled.generations["three"])
    monkeypatch.setattr("time.time", lambda: float(MORNING))
    assert main(["schedule"], scheduled.device) == 74
    assert not scheduled.paths.schedule.exists()


def test_the_command_restarts_into_what_is_wanted(
    scheduled: Machine, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: float(MORNING))
    assert main(["schedule"], scheduled.device) == 0
    assert units.calls[-1] == "reboot"
    assert scheduled.boot().booted.system == "mqtt"


def test_status_names_the_next_switch(scheduled: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: float(MORNING))
    status = read_status(scheduled.device)
    line = "schedule   wants mqtt; from Mon 2026-01-05 22:00: default"
    assert line in status_lines(status)
    document = status_document(status)
    assert isinstance(document, dict)
    assert document["schedule"] == {
        "wanted": "mqtt",
        "next": {"at": MORNING + 14 * 3600, "system": "default"},
        "rests": False,
        "seconds_to_confirm": None,
    }


def test_without_a_schedule_nothing_happens(machine: Machine) -> None:
    machine.boot()
    assert due(machine.device, MORNING) is None
    assert main(["schedule"], machine.device) == 0
