"""Whole disks, written here and through the shell of a rescue system: loop devices, for root."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.image_projects import VALUE, project_with_generation
from tests.loop_disks import OLD, as_root, looped, partition, used_file

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.process import run
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR, BadPartitionTable
from reconix.boot.tables import read_selection
from reconix.cli.main import main
from reconix.fleet.remote import Remote
from reconix.image.block_map import Extent
from reconix.image.layout import MIB
from reconix.image.local_disk import LocalDisk, describe
from reconix.image.rescue_disk import RescueDisk
from reconix.image.target_disk import Target, TargetDisk

pytestmark = as_root
IMAGE_BYTES = 146 << 20
DISK_BYTES = IMAGE_BYTES + (7 << 20)
SSH = """\
#!/bin/sh
for last in "$@"; do :; done
PATH='{programs}' exec /bin/busybox sh -c "$last"
"""


@pytest.fixture
def rescue_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, need: Need) -> None:
    """An ssh that leads to a system with busybox, of which four programs are there."""
    need("busybox", "losetup")
    there, here = tmp_path / "there", tmp_path / "here"
    for folder in (there, here):
        folder.mkdir()
    for name in ("sh", "dd", "blockdev", "sha256sum"):
        (there / name).symlink_to(shutil.which("busybox") or "busybox")
    (here / "ssh").write_text(SSH.format(programs=there))
    (here / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(here), prepend=":")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with looped(used_file(tmp_path / "disk", DISK_BYTES)) as device:
        yield device


WAYS = ("here", "there")


@contextlib.contextmanager
def opened(way: str, disk: Path) -> Iterator[Target]:
    if way == "there":
        yield RescueDisk(Remote("root@192.0.2.1"), str(disk))
        return
    with LocalDisk.open(str(disk)) as target:
        yield target


def described(way: str, disk: Path) -> TargetDisk:
    if way == "there":
        return RescueDisk(Remote("root@192.0.2.1"), str(disk)).describe()
    return describe(disk)


@pytest.mark.parametrize("way", WAYS)
def test_every_target_keeps_what_it_is_given_where_it_belongs(
    way: str, disk: Path, rescue_system: None
) -> None:
    content = {
        Extent(0, 3 * MIB + 4096): os.urandom(3 * MIB + 4096),
        Extent(5 * MIB + 512, 512): os.urandom(512),
        Extent(DISK_BYTES - 64 * 1024, 64 * 1024): os.urandom(64 * 1024),
    }
    with opened(way, disk) as target:
        target.write(
            (extent, [data[at : at + MIB] for at in range(0, len(data), MIB)])
            for extent, data in content.items()
        )
        found = list(target.digests([*content, Extent(4 * MIB, 4096)]))
        target.finish()
    assert found == [*map(Digest.of, content.values()), Digest.of(OLD * 4096)]
    with disk.open("rb") as file:
        for extent, data in content.items():
            file.seek(extent.offset)
            assert file.read(extent.size_bytes) == data
        file.seek(3 * MIB + 4096)
        assert file.read(4096) == OLD * 4096


@pytest.mark.parametrize("way", WAYS)
def test_a_disk_is_described_and_one_in_use_is_refused(
    way: str, disk: Path, tmp_path: Path, rescue_system: None, need: Need
) -> None:
    need("mkfs.ext4")
    found = described(way, disk)
    assert (found.size_bytes, found.sector_bytes, found.parts) == (DISK_BYTES, 512, ())
    with partition(disk, tmp_path) as part:
        assert described(way, disk).on_it == f"{part.name} (8.0 MiB)"
        with pytest.raises(ReconixError, match="is a partition"):
            described(way, part)
        run("mkfs.ext4", "-q", part)
        (tmp_path / "mounted").mkdir()
        run("mount", part, tmp_path / "mounted")
        try:
            with pytest.raises(ReconixError, match=f"is mounted: {tmp_path}/mounted"):
                described(way, disk)
            with pytest.raises(ReconixError, match="is in use"), LocalDisk.open(str(disk)):
                pass
        finally:
            run("umount", tmp_path / "mounted")


@pytest.mark.parametrize("way", WAYS)
def test_other_sectors_are_refused(way: str, tmp_path: Path, rescue_system: None) -> None:
    with (
        looped(used_file(tmp_path / "4k", MIB), "--sector-size", "4096") as device,
        pytest.raises(ReconixError, match="has sectors of 4096 bytes"),
    ):
        described(way, device)


@pytest.mark.parametrize("named", ["/dev/null", "/dev/no-such-disk", "/etc/passwd"])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_no_disk_is_refused(way: str, named: str, rescue_system: None) -> None:
    with pytest.raises(ReconixError, match="is no disk"):
        described(way, Path(named))


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, need: Need) -> Path:
    need("mkfs.ext4", "e2fsck", "debugfs", "losetup")
    return project_with_generation(tmp_path)


def words(project: Path, *more: str) -> list[str]:
    store = project.parent / "store"
    return ["--project", str(project), "--store", str(store), "install", "-g", "1", *more]


def part_of(disk: Path, name: str, into: Path) -> Path:
    with DiskFile(disk) as found:
        part = read_selection(found).tables.named(name)
        into.write_bytes(found.read(part.first * SECTOR, part.size_bytes))
    return into


@pytest.mark.parametrize("way", WAYS)
def test_a_disk_that_was_full_becomes_a_device(
    way: str,
    project: Path,
    disk: Path,
    tmp_path: Path,
    rescue_system: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    to = str(disk) if way == "here" else f"ssh://root@192.0.2.1:2222:{disk}"
    assert main(words(project, "--to", to, "--yes", "--json", "--device", "GW-1")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["disk"] == str(disk) and 0 < told["written_bytes"] < IMAGE_BYTES
    with DiskFile(disk) as found:
        assert "the disk has grown" in " ".join(read_selection(found).faults)
    for name in ("system", "data"):
        run("e2fsck", "-fn", part_of(disk, name, tmp_path / name))
    assert run("debugfs", "-R", "cat /secrets/mqtt", tmp_path / "data") == VALUE
    assert not list(project.rglob("*.bmap")), "an image with secrets in it is not left"


def test_nothing_is_written_without_two_answers(
    project: Path, disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for said in (["no"], ["yes", "sda"], []):
        answers = iter(said)

        def answered(answers: Iterator[str] = answers) -> str:
            for each in answers:
                return each
            raise EOFError

        monkeypatch.setattr("builtins.input", answered)
        assert main(words(project, "--to", str(disk))) == 1
        assert "nothing was written" in capsys.readouterr().err
    assert main(words(project, "--to", str(disk), "--dry-run")) == 0
    assert "an image of gateway fits" in capsys.readouterr().out
    assert Digest.of_file(disk) == Digest.of(OLD * DISK_BYTES)


def test_a_disk_that_is_too_small_is_refused_before_anything_is_made(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with looped(used_file(tmp_path / "small", 8 * MIB)) as small:
        assert main(words(project, "--to", str(small), "--yes")) == 35
    assert "has 8388608 bytes, and the image needs" in capsys.readouterr().err


def test_p3_a_command_that_is_interrupted_leaves_no_disk(
    project: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushes = 0

    def interrupted(self: DiskFile) -> None:
        nonlocal flushes
        flushes += 1
        if flushes == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DiskFile, "flush", interrupted)
        assert main(words(project, "--to", str(disk), "--yes")) == 130
    with DiskFile(disk) as found, pytest.raises(BadPartitionTable):
        read_selection(found)
    assert Digest.of_file(disk) != Digest.of(OLD * DISK_BYTES)
    assert main(words(project, "--to", str(disk), "--yes")) == 0
