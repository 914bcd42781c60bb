"""Values on ``data``: for root alone, one at a time, and whatever else lies there is told."""

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.asking import ASKED, put
from tests.device_model import Machine

from reconix.base.secret_values import BadSecret, SecretValue
from reconix.device.state.data import NoData
from reconix.device.state.lock import exclusive_secrets
from reconix.device.state.secrets import (
    KEY_BYTES,
    keep,
    kept_secrets,
    make_device_key,
    missing,
    remove,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_value_is_kept_for_root_alone_whatever_the_umask_is(machine: Machine) -> None:
    before = os.umask(0)
    try:
        assert put(machine, "mqtt-password", b"hunter2\n")
    finally:
        os.umask(before)
    folder = machine.paths.secrets
    assert (folder / "mqtt-password").read_bytes() == b"hunter2\n"
    assert (mode(folder), mode(folder / "mqtt-password")) == (0o700, 0o600)
    assert [kept.name for kept in kept_secrets(machine.paths)] == ["mqtt-password"]


def test_the_same_value_again_writes_nothing(machine: Machine) -> None:
    assert put(machine, "mqtt-password", b"one")
    before = (machine.paths.secrets / "mqtt-password").stat().st_ino
    assert not put(machine, "mqtt-password", b"one")
    assert (machine.paths.secrets / "mqtt-password").stat().st_ino == before
    assert put(machine, "mqtt-password", b"two")


def test_what_a_cut_has_left_is_removed_by_the_next_command(machine: Machine) -> None:
    put(machine, "mqtt-password", b"one")
    (machine.paths.secrets / ".other.new").write_bytes(b"half of")
    assert [kept.name for kept in kept_secrets(machine.paths)] == ["mqtt-password"]
    put(machine, "mqtt-password", b"two")
    assert names(machine.paths.secrets) == ["mqtt-password"]


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link": (lambda place: place.symlink_to("/etc/passwd"), "it is not a file"),
    "a folder": (lambda place: place.mkdir(), "it is not a file"),
    "a pipe": (lambda place: os.mkfifo(place), "it is not a file"),
    "nothing": (lambda place: place.touch(), "it is empty"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_value_is_told_and_missing(machine: Machine, fault: str) -> None:
    put(machine, "banner", b"hello")
    place = machine.paths.secrets / "mqtt-password"
    make, told = FAULTS[fault]
    make(place)
    assert [kept.fault for kept in kept_secrets(machine.paths)] == ["", told]
    assert missing(machine.paths, ASKED) == (ASKED[0],)
    if place.is_dir():
        with pytest.raises(BadSecret, match="is a folder"):
            put(machine, "mqtt-password", b"x")
    else:
        put(machine, "mqtt-password", b"x")
        assert not place.is_symlink()
        assert missing(machine.paths, ASKED) == ()


def test_another_owner_or_mode_is_told_and_mended_by_the_next_value(machine: Machine) -> None:
    put(machine, "banner", b"hello")
    place = machine.paths.secrets / "banner"
    place.chmod(0o644)
    assert [kept.note for kept in kept_secrets(machine.paths)] == [
        "others may read it: its mode is 0644"
    ]
    assert missing(machine.paths, ASKED[1:]) == ()
    assert put(machine, "banner", b"hello")
    assert mode(place) == 0o600
    if os.geteuid() == 0:
        os.chown(place, 1000, 1000)
        assert [kept.note for kept in kept_secrets(machine.paths)] == ["it belongs to UID 1000"]


def test_a_link_in_place_of_the_folder_leads_nowhere(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    machine.paths.secrets.symlink_to(tmp_path / "elsewhere")
    put(machine, "banner", b"hello")
    assert names(tmp_path / "elsewhere") == []
    assert not machine.paths.secrets.is_symlink()


def test_a_value_is_removed_and_a_name_leads_nowhere_else(machine: Machine) -> None:
    put(machine, "banner", b"hello")
    with exclusive_secrets(machine.paths):
        with pytest.raises(BadSecret):
            remove(machine.paths, "../identity.json")
        assert remove(machine.paths, "banner")
        assert not remove(machine.paths, "banner")
    assert kept_secrets(machine.paths) == ()


def test_without_the_partition_nothing_is_kept(machine: Machine) -> None:
    unmounted = replace(machine.paths, shared=True)
    with pytest.raises(NoData):
        keep(unmounted, SecretValue("banner", b"hello"))
    with pytest.raises(NoData):
        make_device_key(unmounted)


def test_a_device_makes_its_key_once(machine: Machine) -> None:
    key = machine.paths.device_key
    assert make_device_key(machine.paths)
    made = key.read_bytes()
    assert (len(made), len(set(made)) > 8, mode(key)) == (KEY_BYTES, True, 0o600)
    assert not make_device_key(machine.paths)
    assert key.read_bytes() == made


def test_an_empty_key_is_none_and_anything_else_is_left_alone(machine: Machine) -> None:
    key = machine.paths.device_key
    key.touch()
    assert make_device_key(machine.paths)
    key.write_bytes(b"longer than a key of today, by a newer release")
    with pytest.raises(BadSecret, match="is no device key"):
        make_device_key(machine.paths)
    key.unlink()
    key.symlink_to("/dev/null")
    with pytest.raises(BadSecret):
        make_device_key(machine.paths)
