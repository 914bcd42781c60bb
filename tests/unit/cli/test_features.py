"""What a machine can do is seen by doing it, and what it lacks has a remedy."""

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.base.process import CommandFailed
from reconix.build import isolation
from reconix.build.isolation import NotIsolated
from reconix.cli import features
from reconix.cli.features import Finding

Need = Callable[..., None]


def abilities(folder: Path) -> dict[str, Finding]:
    """What this machine can do."""
    return {each.what: each for each in features.abilities(folder / "a" / "store", folder / "kvm")}


def program(folder: Path, name: str, *lines: str) -> None:
    """A program that says something."""
    path = folder / name
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("lines", "version"),
    [
        (["echo 'QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)'"], "7.2.22"),
        (["echo 'mke2fs 1.47.2 (1-Jan-2025)' >&2"], "1.47.2"),
        (["echo 'OpenSSH_9.2p1 Debian-2' >&2"], "9.2p1"),
        (["echo 'OpenSSH 9.2p1, no more' >&2", "exit 1"], "9.2p1"),
        (["echo kmod version 30"], "30"),
        (["echo nothing of this kind", "exit 3"], ""),
    ],
)
def test_a_version_is_what_a_program_says_of_itself(
    lines: list[str], version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "some-program", *lines)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert features.version("some-program") == version


def test_a_program_that_does_not_answer_has_no_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "some-program", "exec sleep 60")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(features, "_SECONDS", 0.2)
    assert features.version("some-program") == ""


@pytest.mark.parametrize("name", ["nix", "nix-store"])
def test_nix_is_not_asked_because_it_would_make_a_store(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, name, f"touch '{tmp_path}/store'")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert {each.what: each for each in features.programs()}[name].is_there
    assert not (tmp_path / "store").exists()


def test_every_program_tells_who_needs_it_or_what_it_is_for() -> None:
    found = list(features.programs())
    assert all(each.needed_by or each.used_for for each in found)
    assert {"mmdebstrap", "mkfs.ext4", "ssh", "qemu-img"} <= {each.what for each in found}


def test_room_is_that_of_the_disk_that_will_hold_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    room = abilities(tmp_path)["room for the store"]
    assert room.found.endswith(f"free in {tmp_path}")
    assert room.is_there == (free >= features.ROOM_BYTES)
    monkeypatch.setattr(features, "ROOM_BYTES", free + (1 << 40))
    room = abilities(tmp_path)["room for the store"]
    assert room.is_missed and "--store" in room.remedy


def test_namespaces_are_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, need: Need) -> None:
    need("unshare")
    can = abilities(tmp_path)["namespaces"]
    assert can.is_there == _can_be_isolated()

    def forbidden() -> None:
        raise NotIsolated("no")

    monkeypatch.setattr(isolation, "check", forbidden)
    cannot = abilities(tmp_path)["namespaces"]
    assert cannot.is_missed and cannot.needed_by == ("build", "image") and cannot.remedy


def _can_be_isolated() -> bool:
    try:
        isolation.check()
    except NotIsolated as error:
        assert isinstance(error.__cause__, CommandFailed)
        return False
    return True


@pytest.mark.parametrize(
    ("lines", "number", "is_enough"),
    [
        (["{user}:100000:65536"], "65536 user numbers", True),
        (["other:1:65536", "{uid}:100000:70000"], "70000 user numbers", True),
        (["{user}:100000:1000"], "1000 user numbers", False),
        (["other:100000:65536", "nonsense", "{user}:x"], "none", False),
        ([], "none", False),
    ],
)
def test_user_numbers_are_those_that_are_granted(
    lines: list[str],
    number: str,
    is_enough: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = pwd.getpwuid(os.geteuid()).pw_name
    granted = tmp_path / "subuid"
    text = "\n".join(lines).format(user=user, uid=os.geteuid())
    granted.write_text(text)
    monkeypatch.setattr(features, "_SUBIDS", (granted, granted))
    found = features._subordinate_ids(user)
    assert (found.found, found.is_there) == (number, is_enough)
    assert "usermod --add-subuids" in found.remedy


def test_kvm_that_is_not_there_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "_KVM", tmp_path / "kvm")
    monkeypatch.setattr("reconix.vm.accelerator._KVM", tmp_path / "kvm")
    kvm = abilities(tmp_path)["KVM"]
    assert not kvm.is_there and not kvm.is_missed and "emulated" in kvm.used_for
