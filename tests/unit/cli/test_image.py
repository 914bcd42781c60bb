"""``reconix image --device``: what one device has of its own is in its image, and in no other."""

import stat
from pathlib import Path

import pytest
from tests.asking import files_with
from tests.conftest import Need
from tests.device_model import HOST
from tests.image_projects import OTHER, VALUE, project_with_generation

from reconix.base.digests import Digest
from reconix.base.process import run
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR
from reconix.boot.tables import read_selection
from reconix.cli.main import main


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a generation in its store."""
    return project_with_generation(tmp_path)


def image(project: Path, *words: str) -> Path:
    out = project.parent / f"{'-'.join(words) or 'any'}.img"
    store = project.parent / "store"
    before = ["--project", str(project), "--store", str(store)]
    assert main([*before, "image", "-g", "1", "-o", str(out), *words]) == 0
    return out


def data_of(disk: Path) -> Path:
    with DiskFile(disk) as opened:
        data = read_selection(opened).tables.named("data")
    place = disk.with_suffix(".data")
    with disk.open("rb") as file:
        file.seek(data.first * SECTOR)
        place.write_bytes(file.read(data.size_bytes))
    return place


def shown(data: Path, path: str) -> bytes:
    return run("debugfs", "-R", f"cat {path}", data)


def test_each_device_has_its_own_secrets_and_key(
    project: Path, need: Need, capsys: pytest.CaptureFixture[str]
) -> None:
    need("mkfs.ext4")
    disk = image(project, "--device", "GW-1")
    one, two = data_of(disk), data_of(image(project, "--device", "GW-2"))
    assert (shown(one, "/secrets/mqtt"), shown(two, "/secrets/mqtt")) == (VALUE, OTHER)
    for serial, data in (("GW-1", one), ("GW-2", two)):
        key = (project / "keys/devices" / HOST / serial).read_bytes()
        assert len(key) == 32 and shown(data, "/device-key") == key
        assert f'serial\\": \\"{serial}'.encode() in shown(data, "/identity.json")
    assert shown(one, "/device-key") != shown(two, "/device-key")
    assert stat.S_IMODE(disk.stat().st_mode) == 0o600
    said = capsys.readouterr()
    assert "secret token has no value in secrets/: it is not written" in said.err
    assert "hunter2" not in said.out + said.err


def test_the_same_device_has_the_same_image_again(project: Path, need: Need) -> None:
    need("mkfs.ext4")
    once = Digest.of_file(image(project, "--device", "GW-1"))
    assert Digest.of_file(image(project, "--device", "GW-1")) == once


def test_an_image_for_any_device_has_none_and_says_so(
    project: Path, need: Need, capsys: pytest.CaptureFixture[str]
) -> None:
    need("mkfs.ext4")
    disk = image(project)
    assert "secrets come with --device SERIAL" in capsys.readouterr().err
    assert files_with(project.parent, b"hunter2") == [project / "secrets/mqtt"]
    assert stat.S_IMODE(disk.stat().st_mode) & 0o044
    assert not (project / "keys/devices").exists()


def test_a_value_that_cannot_be_used_makes_no_image(
    project: Path, need: Need, capsys: pytest.CaptureFixture[str]
) -> None:
    need("mkfs.ext4")
    (project / "secrets/mqtt").write_bytes(b"")
    out = project.parent / "out.img"
    before = ["--project", str(project), "--store", str(project.parent / "store")]
    words = ["image", "-g", "1", "-o", str(out), "--device", "GW-1"]
    assert main([*before, *words]) == 84
    assert "the value of secret mqtt is empty" in capsys.readouterr().err
    assert not out.exists()
