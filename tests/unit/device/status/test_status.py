"""The status tells everything, at any time."""

import json
from pathlib import Path

import pytest
from tests.device_model import HOST, Machine
from tests.status_parts import part
from tests.unit.device.conftest import Units

from reconix.base.documents import JsonInput, print_json
from reconix.device.select.choose import choose_always, choose_once
from reconix.device.select.watch import watch
from reconix.device.state.lock import exclusive_rw
from reconix.device.status.json import status_document
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines
from reconix.device.update.apply import apply
from reconix.device.update.confirm import confirm

BROKEN: JsonInput = {"timeout_seconds": 1, "checks": [{"kind": "unit", "unit": "nginx.service"}]}


def try_broken(machine: Machine) -> None:
    """Let a device try a generation that is not healthy."""
    machine.boot()
    machine.generation("two", health=BROKEN)
    machine.install("two")
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations["two"])
    machine.boot()


def fallen_back(machine: Machine) -> None:
    try_broken(machine)
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
        "sequence   0; no update check since boot",
        "last       nothing was tried yet",
    ]


def test_a_fall_back_tells_the_check_and_its_last_words(machine: Machine, units: Units) -> None:
    fallen_back(machine)
    two = machine.generations["two"]
    lines = status_lines(read_status(machine.device))
    assert [*part(lines, "last"), *part(lines, "left")] == [
        f"last       fell-back from {two}",
        "           because: unhealthy: unit nginx.service is active",
        "           | nginx.service is broken: no such page",
        f"left       {two} (unhealthy)",
        "           not retried unless somebody asks for it",
    ]


def test_the_document_keeps_its_form(machine: Machine, units: Units, tmp_path: Path) -> None:
    fallen_back(machine)
    document = json.loads(print_json(status_document(read_status(machine.device))))
    assert sorted(document) == [
        *("always", "architecture", "booted", "busy", "committed", "disk", "events", "faults"),
        *("host", "installed", "integrity", "last", "layout", "left", "left_system", "looked"),
        *("missed", "missing_secrets", "next", "once", "phase", "previous"),
        *("room", "schedule", "scrub", "sequence", "systems", "trial", "unproven", "untried"),
        *("version", "wear"),
    ]
    assert (document["version"], document["layout"]) == (1, 2)
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
    with exclusive_rw(machine.paths):
        apply(machine.device, two, system="mqtt")
    status = read_status(machine.device)
    assert (status.next_boot.generation, status.next_boot.system) == (str(two), "mqtt")
    assert "next boot  system mqtt, slot 2, a trial" in status_lines(status)


def test_c1_it_can_be_read_while_another_command_works(machine: Machine) -> None:
    """C1: status during an update."""
    machine.boot()
    assert not read_status(machine.device).busy
    with exclusive_rw(machine.paths):
        status = read_status(machine.device)
    assert status.busy
    assert "busy       another command is running on this device" in status_lines(status)


def test_a_wish_for_always_is_shown(machine: Machine) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_always(machine.device, "mqtt")
    assert "always     mqtt (0 of 3 failures)" in status_lines(read_status(machine.device))


def test_a_device_whose_start_failed_tells_that(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.boot()
    machine.paths.booted.unlink()
    lines = status_lines(read_status(machine.device))
    assert lines[1] == "running    not known; `systemctl status reconix-start` says why"


def left_lines(machine: Machine) -> list[str]:
    """What the status says of the system that was left."""
    lines = status_lines(read_status(machine.device))
    begins = [at for at, line in enumerate(lines) if line.startswith("left       system")]
    return lines[begins[0] : begins[0] + 3] if begins else []


@pytest.fixture
def sick(machine: Machine) -> Machine:
    """A device whose system ``mqtt`` is wanted always, and is not healthy."""
    try_broken(machine)
    with exclusive_rw(machine.paths):
        confirm(machine.device)
        choose_always(machine.device, "mqtt")
    return machine


def test_why_a_system_that_is_wanted_always_was_left_is_told(sick: Machine, units: Units) -> None:
    for _ in range(3):
        assert sick.boot().booted.system == "mqtt"
        assert not watch(sick.device)
        assert sick.boot().booted.system == "default"
    assert left_lines(sick) == [
        "left       system mqtt",
        "           because: unhealthy: unit nginx.service is active",
        "           | nginx.service is broken: no such page",
    ]
    document = status_document(read_status(sick.device))
    assert isinstance(document, dict) and isinstance(document["left_system"], dict)
    assert document["left_system"]["system"] == "mqtt"


def test_a_panic_is_not_taken_for_what_was_said_the_time_before(
    sick: Machine, units: Units
) -> None:
    sick.boot()
    watch(sick.device)
    sick.boot()
    sick.boot()  # mqtt again, and its kernel panics
    pstore = sick.paths.sysfs / "fs/pstore"
    pstore.mkdir(parents=True)
    (pstore / "dmesg-efi-1").write_text("Panic#1 Part1\nKernel panic - not syncing: too hot")
    assert sick.boot().booted.system == "default"
    assert left_lines(sick)[1:] == [
        "           because: panic",
        "           | Kernel panic - not syncing: too hot",
    ]


def test_a_system_that_is_healthy_again_was_not_left(sick: Machine, units: Units) -> None:
    sick.boot()
    watch(sick.device)
    sick.boot()
    sick.boot()
    units.activate("multi-user.target", "nginx.service")
    assert watch(sick.device)
    assert not left_lines(sick)


def test_a_system_that_was_chosen_once_and_did_not_come_up_is_told(machine: Machine) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_once(machine.device, "mqtt")
    machine.firmware()  # and it ends before its agent runs
    machine.boot()
    assert left_lines(machine) == ["left       system mqtt", "           because: unknown"]
    machine.boot()
    assert left_lines(machine), "until it is healthy, or another one was left"
