"""The commands about secrets: what they take, what they restart, and that no value is shown."""

import json

import pytest
from tests.asking import device_that_asks, files_with, put
from tests.device_model import Machine
from tests.unit.device.conftest import Units
from tests.unit.device.test_main import feed

from reconix.base.secret_values import MAX_BYTES, SecretValue
from reconix.device.__main__ import main
from reconix.device.state.lock import exclusive_rw, exclusive_secrets

VALUE = b"hunter2-\0\xff-\x1b[2J\n"


def receive(machine: Machine, monkeypatch: pytest.MonkeyPatch, sent: bytes, *words: str) -> int:
    feed(monkeypatch, sent)
    return main(["secrets", "receive", "mqtt-password", *words], machine.device)


def test_a_value_arrives_and_what_reads_it_is_started_again(
    machine: Machine,
    units: Units,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asking = device_that_asks(machine)
    units.give_up("air.service")
    sealed = SecretValue("mqtt-password", VALUE).sealed()
    assert receive(asking, monkeypatch, sealed, "--with-digest") == 0
    assert (asking.paths.secrets / "mqtt-password").read_bytes() == VALUE
    assert units.calls[-2:] == ["reset-failed air.service", "restart air.service"]
    said = capsys.readouterr()
    assert said.out == "secret mqtt-password is kept\nair.service was started again\n"
    units.give_up()
    assert receive(asking, monkeypatch, VALUE) == 0
    assert units.calls.count("restart air.service") == 1
    assert "was here already" in capsys.readouterr().out
    assert "hunter2" not in said.out + said.err


def test_n3_a_value_that_is_sent_again_reaches_who_has_not_got_it_the_first_time(
    machine: Machine, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N3: whoever sent it was gone before the units were started again."""
    asking = device_that_asks(machine)
    put(asking, "mqtt-password", VALUE)
    units.give_up("air.service")  # it is listed
    place = asking.paths.credentials / "air.service/mqtt-password"
    place.parent.mkdir(parents=True)
    for has, expected in ((b"old", 1), (VALUE, 0)):
        place.write_bytes(has)
        before = len(units.calls)
        assert receive(asking, monkeypatch, VALUE) == 0
        assert units.calls[before:].count("restart air.service") == expected


def test_no_unit_is_started_that_nobody_wanted_or_that_must_not_be(
    machine: Machine, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = device_that_asks(machine)
    assert receive(asking, monkeypatch, b"one") == 0  # systemd lists none
    units.give_up("air.service")
    assert receive(asking, monkeypatch, b"two", "--no-restart") == 0
    assert not [call for call in units.calls if call.startswith("restart")]


def test_units_of_a_template_are_found(
    machine: Machine, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = device_that_asks(machine)
    feed(monkeypatch, b"hello")
    assert main(["secrets", "receive", "banner"], asking.device) == 0
    asked = [call.split()[-1] for call in units.calls if call.startswith("list-units")]
    assert asked == ["air.service", "web@*.service"]


@pytest.mark.parametrize(
    ("sent", "words", "status"),
    [
        (b"", [], 84),
        (b"x" * (MAX_BYTES + 1), [], 84),
        (SecretValue("mqtt-password", VALUE).sealed()[:-1], ["--with-digest"], 84),
    ],
)
def test_what_is_no_value_changes_nothing(
    machine: Machine,
    units: Units,
    monkeypatch: pytest.MonkeyPatch,
    sent: bytes,
    words: list[str],
    status: int,
) -> None:
    asking = device_that_asks(machine)
    put(asking, "mqtt-password", b"before")
    assert receive(asking, monkeypatch, sent, *words) == status
    assert (asking.paths.secrets / "mqtt-password").read_bytes() == b"before"


@pytest.mark.parametrize("name", ["", "a/b", "../identity.json"])
def test_what_is_no_name_is_refused(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    feed(monkeypatch, b"x")
    assert main(["secrets", "receive", name], machine.device) in (2, 84)
    assert main(["secrets", "remove", name], machine.device) in (2, 84)


def test_a_unit_that_does_not_start_is_told_and_the_value_stays(
    machine: Machine,
    units: Units,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asking = device_that_asks(machine)
    units.give_up("air.service")
    units.refuse("restart")
    assert receive(asking, monkeypatch, VALUE) == 85
    assert "mqtt-password is kept, but air.service does not start" in capsys.readouterr().err
    assert (asking.paths.secrets / "mqtt-password").read_bytes() == VALUE


def test_an_update_that_takes_long_holds_no_secret_up(
    machine: Machine, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = device_that_asks(machine)
    with exclusive_rw(asking.paths):
        assert receive(asking, monkeypatch, VALUE) == 0


def test_two_at_once_wait_for_each_other(
    machine: Machine, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = device_that_asks(machine)
    monkeypatch.setattr("reconix.device.state.lock._SECRETS_SECONDS", 0.0)
    with exclusive_secrets(asking.paths):
        assert receive(asking, monkeypatch, VALUE) == 72


def test_they_are_listed_without_a_value(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    asking = device_that_asks(machine)
    put(asking, "banner", VALUE)
    assert main(["secrets", "list"], asking.device) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("banner: written ")
    assert lines[1] == "mqtt-password: MISSING, for air.service of default, mqtt"
    assert main(["secrets", "list", "--json"], asking.device) == 0
    said = capsys.readouterr().out
    banner, password = json.loads(said)["secrets"]
    assert (banner["here"], password["here"], password["written"]) == (True, False, None)
    assert "hunter2" not in said + "".join(lines)


def test_a_value_is_forgotten(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    asking = device_that_asks(machine)
    put(asking, "banner", VALUE)
    for said in ("secret banner is removed\n", "there was no secret banner\n"):
        assert main(["secrets", "remove", "banner"], asking.device) == 0
        assert capsys.readouterr().out == said
    assert files_with(asking.place, b"hunter2") == []


def test_a_reset_tells_which_secrets_go(
    machine: Machine, units: Units, capsys: pytest.CaptureFixture[str]
) -> None:
    asking = device_that_asks(machine)
    put(asking, "wifi", VALUE)
    assert main(["reset", "--no-reboot"], asking.device) == 0
    assert "secret wifi will be erased as well" in capsys.readouterr().out
    assert main(["reset", "--no-reboot", "--system", "mqtt"], asking.device) == 0
    assert "wifi" not in capsys.readouterr().out


def test_a_key_is_made_by_the_unit(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["make-key"], machine.device) == 0
    assert capsys.readouterr().out == "made the key of this device\n"
    assert main(["make-key"], machine.device) == 0
    assert capsys.readouterr().out == ""
