"""T2, freeze: a device cannot notice it, but says what whoever looks at it needs to."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.project_files import enough
from tests.turned_clock import TurnedClock

from reconix.base.documents import print_json
from reconix.device.state import last_check
from reconix.device.state.last_check import LastCheck
from reconix.device.status.json import status_document
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines
from reconix.device.update.repository import Repository, check
from reconix.transfer.format.catalog import INDEX, Offer, print_index

HOUR = 3600


def mirror(machine: Machine, place: Path, sequence: int, host: str = "gateway") -> Repository:
    """A folder that offers one stream, to the generation that the device has."""
    place.mkdir(exist_ok=True)
    target = machine.generations["one"]
    offer = Offer("a.rcx", 5, host, "amd64", (), target, sequence)
    (place / INDEX).write_bytes(print_index([offer]))
    return Repository(str(place))


def test_t2_what_a_frozen_mirror_offers_is_told_with_its_age(
    machine: Machine, tmp_path: Path
) -> None:
    machine.boot()
    time = TurnedClock()
    device = replace(machine.device, clock=time.clock)
    assert check(device, mirror(machine, tmp_path / "mirror", 0)).offered == 0
    time.turn(30 * HOUR)
    status = read_status(device)
    line = f"sequence   0; 1800 minutes ago {tmp_path / 'mirror'} had 0"
    assert line in status_lines(status)
    document = json.loads(print_json(status_document(status)))
    assert document["looked"]["seconds_ago"] == 30 * HOUR


def test_a_repository_with_nothing_for_this_host_is_told(machine: Machine, tmp_path: Path) -> None:
    machine.boot()
    assert check(machine.device, mirror(machine, tmp_path / "mirror", 9, "other")).offered is None
    lines = status_lines(read_status(machine.device))
    assert any(line.endswith("had nothing for this host") for line in lines)


def test_a_check_writes_nothing_to_the_disk(machine: Machine, tmp_path: Path) -> None:
    machine.boot()
    before = written(machine.paths.system)
    check(machine.device, mirror(machine, tmp_path / "mirror", 0))
    assert written(machine.paths.system) == before


def written(folder: Path) -> dict[Path, tuple[int, int]]:
    """When each path was changed and how large it is; to read it may change another time."""
    found = {path: path.lstat() for path in folder.rglob("*")}
    enough(found, at_least=10, what="files and folders")
    return {path: (status.st_ctime_ns, status.st_size) for path, status in found.items()}


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"x" * 5000, b'{"where": 1}'])
def test_what_cannot_be_read_was_not_seen(machine: Machine, content: bytes) -> None:
    machine.paths.last_check.write_bytes(content)
    assert last_check.read(machine.paths) is None


def test_a_time_that_is_yet_to_come_is_now() -> None:
    assert LastCheck("x", 1, 1 << 40).seconds_before(0) == 0
