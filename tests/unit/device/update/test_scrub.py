"""Scrubbing a device: a little each time, over boots and beside other commands."""

import json
from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.unit.device.update.test_verify import alter

from reconix.device.__main__ import main
from reconix.device.state.lock import exclusive
from reconix.device.state.scrubbed import MAX_DAMAGED, read_scrubbed
from reconix.device.status.json import status_document
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines
from reconix.device.update.scrub import look_again, scrub
from reconix.store.tree import File, Node


def test_a_whole_pass_says_when_it_has_ended(machine: Machine) -> None:
    machine.boot()
    done = scrub(machine.device, now=1234.5)
    assert done.read_bytes > 1000 and done.scrubbed == read_scrubbed(machine.paths)
    assert (done.scrubbed.finished, done.scrubbed.percent) == (1234, 0)
    assert done.scrubbed.damaged == ()


def test_it_goes_on_where_it_has_ended_in_the_next_boot_too(machine: Machine) -> None:
    machine.boot()
    scrub(machine.device, limit_bytes=1)
    first = read_scrubbed(machine.paths)
    machine.boot()
    assert read_scrubbed(machine.paths) == first and first is not None and first.place
    scrub(machine.device, limit_bytes=1)
    second = read_scrubbed(machine.paths)
    assert second is not None and second.place > first.place


def test_w6_what_is_damaged_is_told_until_it_is_repaired(machine: Machine) -> None:
    toplevel = machine.boot().booted.toplevel
    place = machine.place_of(toplevel, "boot.json")
    content = place.read_bytes()
    alter(place)
    scrub(machine.device)
    machine.paths.scrub_now.unlink()  # as at the next boot
    status = read_status(machine.device)
    assert any(f"{toplevel}/boot.json" in line for line in status_lines(status))
    said = json.loads(json.dumps(status_document(status)))["scrub"]
    assert [each["files"] for each in said["damaged"]] == [[f"{toplevel}/boot.json"]]
    look_again(machine.device)
    assert len(known(machine)) == 1
    place.write_bytes(content)
    assert len(known(machine)) == 1
    look_again(machine.device)
    assert known(machine) == []


def known(machine: Machine) -> list[str]:
    found = read_scrubbed(machine.paths)
    assert found is not None
    return list(map(str, found.damaged))


def test_a_pass_forgets_what_it_finds_whole(machine: Machine) -> None:
    place = machine.place_of(machine.boot().booted.toplevel, "boot.json")
    content = place.read_bytes()
    alter(place)
    scrub(machine.device)
    place.write_bytes(content)
    scrub(machine.device)
    assert known(machine) == []


def test_very_much_damage_is_counted(machine: Machine) -> None:
    pages: dict[str, Node] = {f"p/{n}": File(b"page %d\n" % n * 50) for n in range(MAX_DAMAGED)}
    machine = Machine.make(machine.place.with_name("many"), machine.store, extra=pages)
    machine.boot()
    everything = list(machine.registry.pool.digests())
    for digest in everything:
        alter(machine.registry.pool.path(digest))
    found = scrub(machine.device).scrubbed
    assert len(found.damaged) == MAX_DAMAGED and found.others == len(everything) - MAX_DAMAGED > 0


def test_reading_needs_no_lock_and_writing_waits_for_another_time(machine: Machine) -> None:
    machine.boot()
    with exclusive(machine.paths):
        scrub(machine.device, limit_bytes=1)
    assert not machine.paths.scrub.exists()
    scrub(machine.device, limit_bytes=1)
    assert machine.paths.scrub.exists()


def test_a_place_is_written_to_the_disk_once_a_boot(machine: Machine) -> None:
    machine.boot()
    scrub(machine.device, limit_bytes=1)
    written = machine.paths.scrub.read_bytes()
    scrub(machine.device, limit_bytes=1)
    assert machine.paths.scrub.read_bytes() == written != machine.paths.scrub_now.read_bytes()


def test_the_command_reads_nothing_while_another_one_changes_the_device(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.boot()
    with exclusive(machine.paths):
        assert main(["scrub"], machine.device) == 0
    assert "another command" in capsys.readouterr().out
    assert read_scrubbed(machine.paths) is None


def test_the_command_says_what_it_has_found(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    toplevel = machine.boot().booted.toplevel
    assert main(["scrub", "--at-most", "1"], machine.device) == 0
    assert "0 damaged" in capsys.readouterr().out
    alter(Path(machine.place_of(toplevel, "boot.json")))
    assert main(["scrub"], machine.device) == 20
    assert f"{toplevel}/boot.json" in capsys.readouterr().out
