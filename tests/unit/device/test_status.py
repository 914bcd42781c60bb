"""The status tells everything, at any time."""

import json
from pathlib import Path

import pytest
from tests.device_model import HOST, Machine
from tests.unit.device.conftest import Units

from reconix.base.documents import JsonInput, print_json
from reconix.device.apply import apply
from reconix.device.choose import choose_always
from reconix.device.status import read_status, status_document, status_lines
from reconix.device.watch import watch
from reconix.device.work import working

BROKEN: JsonInput = {"timeout_seconds": 1, "checks": [{"kind": "unit", "unit": "nginx.service"}]}


def fallen_back(machine: Machine) -> None:
    machine.boot()
    machine.generation("two", health=BROKEN)
    machine.install("two")
    with working(machine.places):
        apply(machine.device, machine.generations["two"])
    machine.boot()
    watch(machine.device)
    machine.boot()


def test_a_new_device_has_nothing_to_tell(machine: Machine) -> None:
    machine.boot()
    lines = status_lines(read_status(machine.device))
    one = machine.generations["one"]
    assert lines == [
        f"host       {HOST} (amd64)",
        f"running    system default, slot 1, {one}",
        f"committed  {one} (slot 1)",
        "previous   none",
        "next boot  system default, slot 1",
        "update     none",
        "sequence   0; nobody looked for updates since the start",
        "last       nothing was tried yet",
    ]


def test_a_fall_back_tells_the_check_and_its_last_words(machine: Machine, units: Units) -> None:
    fallen_back(machine)
    two = machine.generations["two"]
    assert status_lines(read_status(machine.device))[-5:] == [
        f"last       fell-back from {two}",
        "           because: unhealthy: unit nginx.service is active",
        "           | nginx.service is broken: no such page",
        f"left       {two} (unhealthy)",
        "           not taken again unless somebody asks for it",
    ]


def test_the_document_keeps_its_form(machine: Machine, units: Units, tmp_path: Path) -> None:
    fallen_back(machine)
    document = json.loads(print_json(status_document(read_status(machine.device))))
    assert sorted(document) == [
        *("always", "architecture", "booted", "busy", "committed", "events", "faults"),
        *("host", "installed", "last", "left", "looked", "next", "once", "phase", "previous"),
        *("schedule", "sequence", "systems", "trial", "version"),
    ]
    assert document["version"] == 1
    assert document["booted"]["system"] == "default"
    assert document["last"] == {
        "result": "fell-back",
        "generation": str(machine.generations["two"]),
        "verdict": {
            "reason": "unhealthy",
            "what": "unit nginx.service is active",
            "said": "nginx.service is broken: no such page",
        },
    }
    assert [event["event"] for event in document["events"]][-2:] == ["rejected", "fell-back"]


def test_what_boots_next_is_told_before_a_trial(machine: Machine) -> None:
    machine.boot()
    two = machine.generation("two")
    machine.install("two")
    with working(machine.places):
        apply(machine.device, two, system="mqtt")
    status = read_status(machine.device)
    assert (status.next_boot.generation, status.next_boot.system) == (str(two), "mqtt")
    assert "next boot  system mqtt, slot 2, a trial" in status_lines(status)


def test_c1_it_can_be_read_while_another_command_works(machine: Machine) -> None:
    """C1: status during an update."""
    machine.boot()
    assert not read_status(machine.device).busy
    with working(machine.places):
        status = read_status(machine.device)
    assert status.busy
    assert "busy       another command works on this device" in status_lines(status)


def test_a_wish_for_always_is_shown(machine: Machine) -> None:
    machine.boot()
    with working(machine.places):
        choose_always(machine.device, "mqtt")
    assert "always     mqtt (0 of 3 failures)" in status_lines(read_status(machine.device))


def test_a_device_whose_start_failed_tells_that(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.boot()
    machine.places.booted.unlink()
    lines = status_lines(read_status(machine.device))
    assert lines[1] == "running    not known; `systemctl status reconix-start` says why"
