"""The key of a device is made once, random, and stays out of version control."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.unit.signing.test_identities import project

from reconix.base.errors import UsageError
from reconix.base.files import BadFile
from reconix.base.process import run
from reconix.project.files import ProjectFiles
from reconix.signing.device_keys import key_of

__all__ = ["project"]


def test_a_device_has_one_key_and_another_device_another(project: ProjectFiles) -> None:
    once = key_of(project, project.host(None), "GW-0001")
    assert (len(once), key_of(project, project.host(None), "GW-0001")) == (32, once)
    assert key_of(project, project.host(None), "GW-0002") != once
    file = project.folder / "keys/devices/gw/GW-0001"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_same_number_of_another_host_is_another_device(project: ProjectFiles) -> None:
    host = project.host(None)
    other = replace(host, name="pump")
    assert key_of(project, host, "0001") != key_of(project, other, "0001")


def test_git_ignores_them(project: ProjectFiles, need: Need) -> None:
    need("git")
    for serial in ("GW-0001", "A_b-3"):
        key_of(project, project.host(None), serial)
    run("git", "init", "-q", project.folder)
    words = ("git", "-C", project.folder, "ls-files", "--others", "--exclude-standard")
    assert not {"keys/devices/gw/GW-0001", "keys/devices/gw/A_b-3"} & set(
        run(*words).decode().split()
    )


def test_what_is_no_key_is_refused_and_left_alone(project: ProjectFiles, tmp_path: Path) -> None:
    key_of(project, project.host(None), "GW-0001")
    file = project.folder / "keys/devices/gw/GW-0001"
    file.write_bytes(b"short")
    with pytest.raises(UsageError, match="is not the key of a device"):
        key_of(project, project.host(None), "GW-0001")
    assert file.read_bytes() == b"short"
    file.unlink()
    file.symlink_to(tmp_path / "none")
    with pytest.raises(BadFile):
        key_of(project, project.host(None), "GW-0001")
