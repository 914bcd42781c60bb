"""From what a device has found to a device that is as it was installed: over ssh, and as a file."""

import json
from pathlib import Path

import pytest
from tests.device_model import HOST, Machine
from tests.unit.device.conftest import Units
from tests.unit.device.update.test_verify import alter
from tests.unit.fleet.test_delivery import Link, link

from reconix.cli.main import main
from reconix.device.__main__ import main as agent
from reconix.device.update.scrub import scrub
from reconix.device.update.verify import verify
from reconix.fleet.remote import Remote
from reconix.transfer.format.stream import FRAME_BYTES

__all__ = ["link"]


@pytest.fixture
def project(machine: Machine, tmp_path: Path) -> Path:
    """A project that has built what the device runs."""
    place = tmp_path / "project"
    systems = place / "hosts" / HOST / "systems"
    systems.mkdir(parents=True)
    (place / "reconix.toml").write_text('name = "test"\n')
    (systems.parent / "machine.toml").write_text('kernel.package = "linux-image-amd64"\n')
    (systems / "default.toml").touch()
    machine.boot()
    return place


def harm(machine: Machine) -> None:
    """Damage a content and an image, and let the device find it."""
    one = machine.generations["one"]
    alter(machine.place_of(machine.read(one).systems[0].toplevel, "boot.json"))
    alter(machine.registry.image_path(machine.registry.manifests()[0].images[0].sha256))
    scrub(machine.device)


def reconix(machine: Machine, project: Path, *words: str) -> int:
    return main(["--project", str(project), "--store", str(machine.store.root), *words])


def test_w6_a_device_is_repaired_over_ssh(
    machine: Machine, project: Path, link: Link, units: Units, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(machine)
    assert verify(machine.device) != []
    assert reconix(machine, project, "repair", "--to", "device", "--json") == 0
    assert verify(machine.device) == [] and units.calls == []
    said = json.loads(capsys.readouterr().out)
    assert len(said["repaired"]) >= 2 and said["damaged"] == []
    assert reconix(machine, project, "repair", "--to", "device") == 0
    assert "nothing is damaged" in capsys.readouterr().out
    assert len(link.asked()) == 1


def test_n1_a_repair_that_is_cut_is_sent_again(
    machine: Machine, project: Path, link: Link, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconix.fleet.delivery.BACK_OFF_SECONDS", (0.01,))
    monkeypatch.setattr("time.sleep", lambda _: None)
    harm(machine)
    link.cut(700, FRAME_BYTES)
    assert reconix(machine, project, "repair", "--to", "device") == 0
    assert verify(machine.device) == []
    assert len(link.asked()) >= 2


def test_a_status_in_a_file_is_enough_for_a_stream_and_a_stick_for_the_device(
    machine: Machine,
    project: Path,
    tmp_path: Path,
    link: Link,
    capsys: pytest.CaptureFixture[str],
) -> None:
    harm(machine)
    assert agent(["status", "--json"], machine.device) == 0
    status, stick = tmp_path / "status.json", tmp_path / "stick"
    status.write_text(capsys.readouterr().out)
    assert reconix(machine, project, "send", "--repair", str(status), "-o", str(stick)) == 0
    assert "repairs 2 contents and images" in capsys.readouterr().out
    assert reconix(machine, project, "send", "--repair", str(status), "-o", f"{stick}2") == 0
    assert stick.read_bytes() == Path(f"{stick}2").read_bytes()
    assert agent(["receive", str(stick)], machine.device) == 0
    assert verify(machine.device) == []
    capsys.readouterr()
    assert agent(["status", "--json"], machine.device) == 0
    status.write_text(capsys.readouterr().out)
    assert reconix(machine, project, "send", "--repair", str(status), "-o", str(stick)) == 2
    words = ("--repair", str(status), "-o", str(stick), "--base", "1")
    assert reconix(machine, project, "send", *words) == 2


def test_the_status_from_afar_tells_what_is_damaged(
    machine: Machine, project: Path, link: Link, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Remote("device").status().damaged == ()
    harm(machine)
    found = Remote("device").status().damaged
    assert {each.kind for each in found} == {"content", "image"}
    assert reconix(machine, project, "status", "--to", "device") == 0
    said = capsys.readouterr().out
    assert all(f"damaged    {each}" in said for each in found)
    assert reconix(machine, project, "status", "--to", "device", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["damaged"]
    assert [each["digest"] for each in listed] == [each.digest.hex() for each in found]


def test_who_has_not_built_what_a_device_has_cannot_repair_it(
    machine: Machine, project: Path, tmp_path: Path, link: Link
) -> None:
    harm(machine)
    words = ["--project", str(project), "--store", str(tmp_path / "empty")]
    assert main([*words, "repair", "--to", "device"]) == 2
    assert link.asked() == []
