"""``reconix image --device``: what one device has of its own is in its image, and in no other."""

import stat
from pathlib import Path

import pytest
from tests.asking import files_with
from tests.conftest import Need
from tests.device_model import HOST, MIB, SLOT_BYTES, Machine

from reconix.base.digests import Digest
from reconix.base.process import run
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR
from reconix.boot.tables import read_selection
from reconix.build.pins import Pins
from reconix.cli.main import main
from reconix.image.layout import Sizes, plan
from reconix.nix.chroot import ChrootStore

MACHINE = """\
kernel.package = "linux-image-amd64"
boot.slot_size = "36M"
disk = { system_size = "64M", data_size = "8M" }
[devices.GW-1]
[devices.GW-2]
[secrets.mqtt]
units = ["air.service"]
[secrets.token]
units = ["air.service"]
"""
VALUE, OTHER = b"hunter2-\0\xff\n", b"other-device-4711"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a generation in its store."""
    place = tmp_path / "project"
    systems = place / "hosts" / HOST / "systems"
    systems.mkdir(parents=True)
    (place / "reconix.toml").write_text('name = "test"\n')
    (systems.parent / "machine.toml").write_text(MACHINE)
    (systems / "default.toml").touch()
    for name, value in (("mqtt", VALUE), ("GW-2/mqtt", OTHER)):
        file = place / "secrets" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(value)
        file.chmod(0o600)
    with ChrootStore(tmp_path / "store") as store:
        tables = plan(HOST, size_bytes=76 * MIB, sizes=Sizes(2, SLOT_BYTES, MIB, MIB))
        one = Machine(tmp_path / "none", store, tables).generation("one")
        Pins(store.root, "test", HOST).add(one)
    return place


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
