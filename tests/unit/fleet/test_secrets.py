"""Secrets are sent to the agent itself, through a program in place of ssh."""

import os
from pathlib import Path

import pytest
from tests.asking import device_that_asks, files_with, put
from tests.device_model import Machine
from tests.unit.device.conftest import Units
from tests.unit.fleet.test_delivery import Link

from reconix.base.documents import BadDocument, print_json
from reconix.base.secret_values import SecretValue
from reconix.fleet.remote import NotReached, Refused, Remote
from reconix.fleet.secrets import OldAgent, ask, parse_secrets, remove, send

VALUE = b"hunter2-\0\xff\n" * 9
SECRET = SecretValue("mqtt-password", VALUE)


@pytest.fixture
def asking(machine: Machine) -> Machine:
    return device_that_asks(machine)


@pytest.fixture
def link(asking: Machine, units: Units, tmp_path: Path) -> Link:
    assert os.environ["PATH"].startswith(str(tmp_path / "bin"))
    return Link(tmp_path / "bin", asking.place)


def test_a_value_arrives_and_is_on_no_command_line(asking: Machine, link: Link) -> None:
    remote = Remote("device")
    assert ask(remote).lacks("mqtt-password")
    send(remote, SECRET, restarts=True)
    found = ask(remote)
    assert (found.host, found.serial, found.lacks("mqtt-password")) == ("gateway", "", False)
    assert found.secrets["mqtt-password"].written
    assert (asking.paths.secrets / "mqtt-password").read_bytes() == VALUE
    assert files_with(asking.place.parent, b"hunter2") == [asking.paths.secrets / "mqtt-password"]
    assert link.words()[1] == "secrets receive mqtt-password --with-digest"
    remove(remote, "mqtt-password")
    assert ask(remote).lacks("mqtt-password")


@pytest.mark.parametrize("after", [0, 1, 31, 32, 40, 100])
def test_a_value_that_the_link_cuts_is_not_taken(asking: Machine, link: Link, after: int) -> None:
    put(asking, "mqtt-password", b"before")
    link.cut(after)
    with pytest.raises(NotReached):
        send(Remote("device"), SECRET, restarts=True)
    assert (asking.paths.secrets / "mqtt-password").read_bytes() == b"before"
    send(Remote("device"), SECRET, restarts=True)
    assert (asking.paths.secrets / "mqtt-password").read_bytes() == VALUE


def test_a_value_that_is_altered_on_the_way_is_not_taken(asking: Machine, link: Link) -> None:
    link.alter(35)
    with pytest.raises(Refused, match="did not arrive as it was sent") as failure:
        send(Remote("device"), SECRET, restarts=True)
    assert failure.value.exit_code == 84
    assert not asking.paths.secrets.exists()


def test_a_unit_that_does_not_start_is_told(asking: Machine, link: Link, units: Units) -> None:
    units.give_up("air.service")
    units.refuse("restart")
    with pytest.raises(Refused, match="is kept, but") as failure:
        send(Remote("device"), SECRET, restarts=True)
    assert failure.value.exit_code == 85
    send(Remote("device"), SecretValue("mqtt-password", b"next"), restarts=False)


def test_an_agent_that_knows_no_secrets_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\necho \"invalid choice: 'secrets'\" >&2; exit 2\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(OldAgent) as failure:
        ask(Remote("device"))
    assert "deploy a generation" in failure.value.hint


GOOD = {"name": "a", "here": True, "written": None, "fault": None}


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"host": 3},
        {"serial": "x" * 65},
        {"secrets": [{**GOOD, "name": "a\x1b[2J"}]},
        {"secrets": [{**GOOD, "here": "yes"}]},
        {"secrets": {}},
    ],
)
def test_what_a_device_says_in_another_form_is_refused(change: dict[str, object]) -> None:
    document = {"version": 1, "host": "gateway", "serial": None, "secrets": [GOOD]}
    assert not parse_secrets(print_json(document), source="x").lacks("a")
    with pytest.raises(BadDocument):
        parse_secrets(print_json({**document, **change}), source="x")
