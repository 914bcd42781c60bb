import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.device_status import DOCUMENT, NEW, OLD, STATUS, TOLD, VERDICT

from reconix.base.documents import BadDocument, print_json
from reconix.boot.tables import Slot
from reconix.device.hardware import flash_wear as hardware
from reconix.device.next_boot import NextBoot
from reconix.device.state.choice import Choice, LeftSystem
from reconix.device.state.missed import Missed, MissedPaths
from reconix.device.status.json import status_document
from reconix.device.status.room import FileSystemRoom, PartitionsRoom
from reconix.fleet.delivery import Delivery
from reconix.fleet.remote import (
    DeviceRoom,
    DeviceStatus,
    Ended,
    FlashWear,
    FreeRoom,
    NotReached,
    Refused,
    Remote,
    parse_status,
)
from reconix.store.layout import OtherLayout


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `ssh` that writes down its words and runs what follows from the file `agent`."""
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > '{tmp_path}/words'\n. '{tmp_path}/agent'\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def test_the_status_of_a_device_is_read_by_its_fields() -> None:
    last = Ended("fell-back", str(NEW), "unhealthy", "nginx.service", "bad directive")
    expected = DeviceStatus(
        "gateway", "boot-1", "default", OLD, "idle", "", last, (str(OLD),), layout=2, runs=str(OLD)
    )
    assert expected == STATUS


def test_why_a_system_was_left_and_what_leads_elsewhere_are_read() -> None:
    ahead = NextBoot(str(OLD), "default", Slot(1), astray="a menu")
    choice = Choice(left=LeftSystem("mqtt", VERDICT))
    document = status_document(replace(TOLD, next_boot=ahead, choice=choice))
    found = parse_status(print_json(document), source="test")
    assert found.astray == "a menu"
    assert found.left == Ended("left", "mqtt", "unhealthy", "nginx.service", "bad directive")


def test_room_and_wear_are_read_as_the_agent_prints_them() -> None:
    system = FileSystemRoom(2 << 30, 1 << 30, 65_536, 60_000, 1024)
    told = replace(
        TOLD,
        room=PartitionsRoom(system, None),
        flash_wear=hardware.FlashWear(30, hardware.Reserve.NORMAL),
    )
    found = parse_status(print_json(status_document(told)), source="test")
    assert found.room == DeviceRoom(FreeRoom(2 << 30, 1 << 30, 65_536, 60_000), None)
    assert found.wear == FlashWear(30, "normal")


def test_what_was_missed_is_read_as_the_agent_prints_it() -> None:
    missed = MissedPaths(str(NEW), "default", (Missed("/usr/bin/ss", 5, "sh", "x.service"),), 1, 2)
    document = status_document(replace(TOLD, missed=missed))
    found = parse_status(print_json(document), source="test")
    assert found.missed == missed
    assert (found.missed_by(NEW), found.missed_by(OLD)) == (missed.lines(), [])


@pytest.mark.parametrize("change", [{"version": 2}, {"host": 1}, {"committed": None}])
def test_a_status_of_another_form_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BadDocument):
        parse_status(print_json({**json.loads(print_json(DOCUMENT)), **change}), source="test")


def test_ssh_gets_the_options_and_the_quoted_command(device: Path) -> None:
    (device / "agent").write_text(f"cat <<'END'\n{print_json(DOCUMENT).decode()}END\n")
    assert Remote("root@192.0.2.1", ("-p", "2222")).status() == STATUS
    words = (device / "words").read_text().splitlines()
    assert words[:2] == ["-p", "2222"]
    assert words[-3:] == ["root@192.0.2.1", "--", "reconix-device status --json"]


def test_a_device_that_does_not_answer_is_not_taken_for_one_that_refuses(device: Path) -> None:
    (device / "agent").write_text("echo no route >&2; exit 255\n")
    with pytest.raises(NotReached, match=r"cannot reach gateway\.example: no route"):
        Remote("gateway.example").status()


def test_a_refusal_keeps_the_reason_and_the_exit_status_of_the_agent(device: Path) -> None:
    (device / "agent").write_text("echo 'the disk is full' >&2; exit 55\n")
    with (
        pytest.raises(Refused, match="the disk is full") as caught,
        Remote("gateway.example").agent("receive") as sink,
    ):
        for _ in range(100):
            sink.write(b"x" * 100_000)
    assert caught.value.exit_code == 55


@pytest.mark.parametrize(("said", "layout"), [(None, 1), (3, 3)])
def test_w3_nothing_is_sent_to_a_disk_of_another_layout(
    device: Path, said: int | None, layout: int
) -> None:
    """Agents before layout 2 do not say which one they have."""
    document = json.loads(print_json(DOCUMENT)) | {"layout": said}
    if said is None:
        del document["layout"]
    (device / "agent").write_text(f"cat <<'END'\n{print_json(document).decode()}END\n")
    remote = Remote("root@192.0.2.1")
    with pytest.raises(OtherLayout, match=f"of root@192.0.2.1 has layout {layout};"):
        Delivery.begin(remote, "gateway", NEW)
    assert (device / "words").read_text().splitlines()[-1] == "reconix-device status --json"
