"""A device restarts into an update when its system says so."""

import time

import pytest
from tests.device_model import Machine

from reconix.base.documents import BadDocument, JsonInput
from reconix.device.device import Device
from reconix.device.update.window import Window, waits


def at(clock: str) -> time.struct_time:
    return time.strptime(clock, "%H:%M")


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        ("02:00-04:00", ["02:00", "03:59"], ["01:59", "04:00", "23:00"]),
        ("22:30-04:00", ["22:30", "00:00", "03:59"], ["22:29", "04:00", "12:00"]),
        ("00:00-23:59", ["00:00", "23:58"], ["23:59"]),
    ],
)
def test_a_window_holds_its_minutes(window: str, inside: list[str], outside: list[str]) -> None:
    assert all(Window.parse(window).holds(at(clock)) for clock in inside)
    assert not any(Window.parse(window).holds(at(clock)) for clock in outside)


@pytest.mark.parametrize("text", ["", "02:00", "2:00-4:00", "24:00-01:00", "02:00-04:60"])
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(BadDocument):
        Window.parse(text)


def running(machine: Machine, **policy: JsonInput) -> Device:
    """A device that runs a system that says this about updates."""
    told = machine.saying(**policy)
    told.boot()
    return told.device


def test_outside_of_its_window_a_device_waits(machine: Machine) -> None:
    device = running(machine, window="02:00-04:00")
    assert waits(device, at("12:00")) == "the restart waits for its window, 02:00-04:00"
    assert waits(device, at("03:00")) == ""


def test_a_device_that_does_nothing_by_itself_says_so(machine: Machine) -> None:
    device = running(machine, automatic=False)
    assert "systemctl reboot" in waits(device, at("03:00"))


def test_a_system_that_says_nothing_restarts_at_once(machine: Machine) -> None:
    assert waits(running(machine), at("12:00")) == ""
