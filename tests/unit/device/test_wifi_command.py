"""The unit of a Wi-Fi network has its settings written, with what systemd has given it."""

import stat
from pathlib import Path

import pytest
from tests.device_model import Machine

from reconix.device.__main__ import main
from reconix.device.settings.wifi import Wifi


@pytest.fixture
def said(tmp_path: Path) -> Path:
    place = tmp_path / "workshop.json"
    place.write_bytes(Wifi("workshop", "DE", "wifi").print())
    return place


def write(machine: Machine, said: Path, into: Path) -> int:
    return main(["wifi-settings", str(said), str(into)], machine.device)


def test_the_password_is_in_a_file_for_root_alone(
    machine: Machine, said: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials/wifi").write_bytes(b"correct horse\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert write(machine, said, tmp_path / "out") == 0
    assert 'psk="correct horse"\n' in (tmp_path / "out").read_text()
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o600


@pytest.mark.parametrize("credentials", [None, "", "/nowhere"])
def test_without_it_nothing_is_written_and_it_is_named(
    machine: Machine,
    said: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    credentials: str | None,
) -> None:
    if credentials is None:
        monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    else:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", credentials)
    assert write(machine, said, tmp_path / "out") == 84
    assert "secret wifi is not here, and workshop cannot be joined" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_open_network_needs_none(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "guests.json").write_bytes(Wifi("guests").print())
    assert write(machine, tmp_path / "guests.json", tmp_path / "out") == 0
    assert "key_mgmt=NONE" in (tmp_path / "out").read_text()
