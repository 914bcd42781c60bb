"""W1: a device takes no other disk for its own, in whatever order they are plugged in.

Its disk was written over ssh, by ``reconix install``, while it was started from another one.
Beside it are a full copy of its disk and a disk of another host whose ``data`` holds photos. The
device has its own identity and its own data, says what it sees, and writes to neither.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.vm.device import Device, ssh_words
from tests.vm.project import KEEPS_HOST_KEY, MACHINE, MINIFY, Project

from reconix.base.process import run
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR
from reconix.boot.tables import Slot
from reconix.image.ext4 import make_ext4
from reconix.image.layout import MIB, Sizes, plan
from reconix.image.new_files import read_folder
from reconix.vm import accelerator, firmware
from reconix.vm.machine import BOOT_SECONDS, running
from reconix.vm.qemu import Disk, Forward, Guest

PROGRAMS = ("mmdebstrap", "qemu-system-x86_64", "ssh", "mkfs.ext4", "debugfs")
FOREIGN_BYTES = 64 * MIB
SMALL = f'{MINIFY}keep = ["package:coreutils", "package:util-linux"]\n'
"""All of it goes over ssh, and is read back there."""


def copy(source: Path, target: Path) -> Path:
    run("cp", "--sparse=always", source, target)
    return target


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def foreign_disk(folder: Path) -> Path:
    """The disk of another host, with photos of somebody."""
    photos = folder / "photos"
    photos.mkdir(mode=0o755)
    (photos / "holidays.jpeg").write_bytes(b"\xff\xd8" * 999)
    tables = plan("camera", size_bytes=FOREIGN_BYTES, sizes=Sizes(2, 4 * MIB, 16 * MIB))
    disk = folder / "foreign.img"
    disk.touch()
    run("truncate", "-s", str(FOREIGN_BYTES), disk)
    with DiskFile(disk) as opened:
        for write in tables.writes(Slot(1)):
            opened.write(write.offset, write.content)
        for name in ("system", "data"):
            part = tables.named(name)
            made = folder / f"{name}.ext4"
            make_ext4(made, read_folder(photos), label=name, size_bytes=part.size_bytes)
            opened.write(part.first * SECTOR, made.read_bytes())
    return disk


@dataclass(frozen=True)
class Bench:
    """A device, and what is plugged in beside it."""

    project: Project
    folder: Path

    @contextmanager
    def on(self, *disks: str) -> Iterator[Device]:
        """The device with these disks, in this order; each has a serial number of its own.

        Its firmware tries them in that order: what it knew of an order before is forgotten.
        """
        (self.folder / "variables").unlink(missing_ok=True)
        guest = Guest(
            firmware.prepare(self.folder / "variables"),
            disks=tuple(Disk(self.folder / f"{name}.img", serial=name) for name in disks),
            forwards=(Forward(22, 0),),
        )
        with running(guest, self.folder, accelerator.choose(self.folder / "how")) as machine:
            machine.wait_for_ssh(self.project.login, seconds=BOOT_SECONDS)
            device = Device(machine, self.project.login)
            device.wait_until("systemctl is-active multi-user.target", "it does not come up")
            yield device
            device.tell("systemctl poweroff")
            machine.wait_until_off(seconds=BOOT_SECONDS)


def install_from_elsewhere(bench: Bench) -> None:
    """Start from a medium, and have the host written to the blank disk beside it."""
    medium = copy(bench.project.image(), bench.folder / "medium.img")
    with (bench.folder / "own.img").open("xb") as blank:
        blank.truncate(medium.stat().st_size)
    with bench.on("medium", "own") as device:
        words = ssh_words(device, bench.project.folder / "key", "ssh://root@127.0.0.1:/dev/vdb")
        said = bench.project.reconix("install", "--yes", *words)
        assert said.number("written_bytes") < medium.stat().st_size


IDENTITY = "cat /etc/machine-id /run/reconix/data/machine-id; stat -c %i /run/reconix/data/shared"
DISK = "basename $(dirname $(readlink -f /sys/dev/block/$(mountpoint -d {})))"


@pytest.mark.vm
@pytest.mark.archive
def test_w1_no_other_disk_is_taken_for_that_of_the_device(tmp_path: Path, need: Need) -> None:
    need(*PROGRAMS)
    project = Project.make(tmp_path / "project", MACHINE + KEEPS_HOST_KEY + SMALL)
    project.reconix("lock")
    bench = Bench(project, tmp_path / "bench")
    bench.folder.mkdir()
    install_from_elsewhere(bench)
    with bench.on("own") as device:
        identity = device.ask(IDENTITY)
        assert device.ask("cat /run/reconix/system/reconix/hardware") == "serial:own"
    beside = [foreign_disk(bench.folder), copy(bench.folder / "own.img", bench.folder / "copy.img")]
    before = [digest(path) for path in beside]
    for order in (("copy", "own", "foreign"), ("foreign", "own", "copy")):
        with bench.on(*order) as device:
            node = f"vd{'abc'[order.index('own')]}"
            for part in ("system", "data"):
                assert device.ask(DISK.format(f"/run/reconix/{part}")) == node
            assert device.ask(IDENTITY) == identity
            others = device.status().object("disk").objects("others")
            said = {each.text("path"): each.flag("copy") for each in others}
            assert said == {
                f"/dev/vd{'abc'[order.index(name)]}": name == "copy" for name in ("copy", "foreign")
            }
            assert device.ask("reconix-device receive < /dev/null; echo $?") == "33"
        assert [digest(path) for path in beside] == before
