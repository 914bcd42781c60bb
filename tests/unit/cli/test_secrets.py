"""``reconix secrets`` as a user types it; at the other end of ssh is the agent itself."""

import io
import json
import os
import sys
from pathlib import Path

import pytest
from tests.asking import ASKED, device_that_asks
from tests.device_model import HOST, Machine
from tests.heard import Heard
from tests.unit.device.conftest import Units
from tests.unit.fleet.conftest import machine, new_machine, store, units
from tests.unit.fleet.test_delivery import Link

from reconix.cli.main import main
from reconix.cli.secret_values import warn_of_lacking
from reconix.config.load import load
from reconix.device.identity import FILE_NAME, Identity, print_signed
from reconix.fleet.remote import Remote

__all__ = ["machine", "new_machine", "store", "units"]
VALUE = b"hunter2-\0\xff\n"
MACHINE = 'kernel.package = "linux-image-amd64"\n[devices.GW-1]\n[devices.GW-2]\n'


@pytest.fixture
def asking(machine: Machine) -> Machine:
    return device_that_asks(machine)


@pytest.fixture
def link(asking: Machine, units: Units, tmp_path: Path) -> Link:
    assert os.environ["PATH"].startswith(str(tmp_path / "bin"))
    return Link(tmp_path / "bin", asking.place)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose host asks for what the device asks for."""
    place = tmp_path / "project"
    systems = place / "hosts" / HOST / "systems"
    systems.mkdir(parents=True)
    (place / "secrets").mkdir()
    (place / "reconix.toml").write_text('name = "test"\n')
    (systems.parent / "machine.toml").write_text(MACHINE)
    lines = [
        f"[secrets.{each.name}]\nunits = {json.dumps(each.units)}\n"
        f"required = {json.dumps(each.is_required)}\n"
        for each in ASKED
    ]
    (systems / "default.toml").write_text("".join(lines))
    return place


def write(project: Path, name: str, content: bytes = VALUE) -> None:
    path = project / "secrets" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)


def secrets(project: Path, *words: str) -> int:
    return main(["--project", str(project), "secrets", *words])


def test_what_is_asked_for_is_listed_with_where_its_value_is(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, "mqtt-password")
    write(project, "GW-1/banner")
    assert secrets(project, "list") == 0
    assert capsys.readouterr().out.splitlines() == [
        "banner (not required): for air.service, web@.service of default; "
        "here: no value, but for GW-1",
        "mqtt-password: for air.service of default; here: secrets/mqtt-password",
    ]
    (project / "secrets/mqtt-password").chmod(0o640)
    assert secrets(project, "list", "--device", "GW-1", "--json") == 0
    told = capsys.readouterr()
    assert f"others may read {project}/secrets/mqtt-password (mode 0640)" in told.err
    said = json.loads(told.out)
    assert said["device"] == "GW-1"
    files = [each["file"] for each in said["secrets"]]
    assert files == [f"{project}/secrets/GW-1/banner", f"{project}/secrets/mqtt-password"]


def test_all_that_have_a_value_are_sent_and_the_others_told(
    project: Path, asking: Machine, link: Link, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, "mqtt-password")
    assert secrets(project, "push", "--to", "device") == 0
    said = capsys.readouterr()
    assert said.out == "device: mqtt-password\n"
    assert "secret banner has no value here: it is not sent" in said.err
    assert (asking.paths.secrets / "mqtt-password").read_bytes() == VALUE
    assert secrets(project, "list", "--to", "device") == 0
    banner, password = capsys.readouterr().out.splitlines()
    assert banner.endswith("; on the device: none")
    assert "; on the device: written " in password
    assert "hunter2" not in said.out + said.err + password


def test_a_value_comes_from_standard_input(
    project: Path, asking: Machine, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(VALUE)))
    assert secrets(project, "push", "--stdin", "banner", "--to", "device") == 0
    assert (asking.paths.secrets / "banner").read_bytes() == VALUE


MISTAKES = {
    "no device": (["push", "--stdin", "banner"], 78, "hint: "),
    "no such secret": (["push", "baner", "--to", "device"], 2, "did you mean banner?"),
    "no value": (["push", "banner", "--to", "device"], 84, "has no value here"),
    "for another device": (
        ["push", "mqtt-password", "--to", "device"],
        84,
        "has no value here, but for GW-1",
    ),
    "two of them": (["push", "--stdin", "banner", "mqtt-password", "--to", "device"], 2, "one"),
    "no such serial": (["list", "--device", "GW-3"], 2, "has no device GW-3"),
    "remove what": (["remove", "--to", "device"], 2, "which?"),
    "no such host": (["list", "--host", "pump"], 2, "there is no host"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_and_nothing_is_sent(
    project: Path,
    asking: Machine,
    link: Link,
    capsys: pytest.CaptureFixture[str],
    mistake: str,
) -> None:
    write(project, "GW-1/mqtt-password")
    words, status, told = MISTAKES[mistake]
    assert secrets(project, *words) == status
    assert told in capsys.readouterr().err
    assert not asking.paths.secrets.exists()


def test_a_value_for_one_device_goes_to_no_other(
    project: Path, asking: Machine, link: Link, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, "GW-1/mqtt-password")
    document = Identity(HOST, "GW-2", None, {}, ()).print()
    (asking.paths.data / FILE_NAME).write_bytes(print_signed(document, ()))
    assert secrets(project, "push", "--device", "GW-1", "--to", "device") == 2
    assert "device is GW-2, not GW-1" in capsys.readouterr().err
    assert not asking.paths.secrets.exists()
    document = Identity(HOST, "GW-1", None, {}, ()).print()
    (asking.paths.data / FILE_NAME).write_bytes(print_signed(document, ()))
    assert secrets(project, "push", "--device", "GW-1", "--to", "device") == 0
    assert (asking.paths.secrets / "mqtt-password").read_bytes() == VALUE


def test_a_device_of_another_host_gets_nothing(
    project: Path, asking: Machine, link: Link, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "hosts" / HOST).rename(project / "hosts/pump")
    write(project, "mqtt-password")
    assert secrets(project, "push", "--to", "device") == 2
    assert f"device is a {HOST}, not a pump" in capsys.readouterr().err
    assert not asking.paths.secrets.exists()


def test_a_value_is_removed_from_a_device(project: Path, asking: Machine, link: Link) -> None:
    write(project, "mqtt-password")
    assert secrets(project, "push", "--to", "device") == 0
    assert secrets(project, "remove", "mqtt-password", "--to", "device") == 0
    assert list(asking.paths.secrets.iterdir()) == []


def test_an_update_is_preceded_by_what_the_device_lacks(
    project: Path, asking: Machine, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = load(project).hosts[HOST]
    told = Heard()
    monkeypatch.setattr("reconix.base.progress._listener", told)
    warn_of_lacking(Remote("device"), host)
    assert told.notes == [
        "warning: device has no secret mqtt-password, which air.service of default needs; "
        "a trial fails without it: reconix secrets push mqtt-password"
    ]
    write(project, "mqtt-password")
    assert secrets(project, "push", "--to", "device") == 0
    monkeypatch.setattr("reconix.base.progress._listener", again := Heard())
    warn_of_lacking(Remote("device"), host)
    assert again.notes == []


@pytest.mark.parametrize("name", [HOST, "GW-1"])
def test_a_folder_that_is_meant_for_two_is_for_none(
    project: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = project / "hosts/pump/systems"
    other.mkdir(parents=True)
    kernel = 'kernel.package = "linux-image-amd64"'
    (other.parent / "machine.toml").write_text(f"{kernel}\n[devices.{name}]\n")
    (other / "default.toml").touch()
    assert secrets(project, "list", "--host", HOST) == 0
    write(project, f"{name}/mqtt-password")
    assert secrets(project, "list", "--host", HOST) == 2
    assert f"secrets/{name} could be for 2" in capsys.readouterr().err
