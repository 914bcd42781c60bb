"""A kernel that compares all that it reads: what was altered is an error, never wrong content.

Disks are damaged while the device is off, as a worn one damages itself: a byte of a content, a byte
of an image, two names that lead to each other's content.
"""

import contextlib
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path

import pytest
from tests.vm.project import KEEPS_HOST_KEY, MACHINE, Project
from tests.vm.test_hangs import Box

from reconix.base.process import run
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR
from reconix.boot.tables import read_selection
from reconix.image.layout import SYSTEM
from reconix.nix.chroot import ChrootStore
from reconix.prove.blocks import map_file
from reconix.prove.ext4 import Ext4, Geometry, Inode
from reconix.store.generation import read_generation
from reconix.store.images.verity import BLOCK_BYTES, digest
from reconix.store.paths import StorePath
from reconix.store.tree import File
from reconix.vm import accelerator, firmware
from reconix.vm.machine import BOOT_SECONDS, running
from reconix.vm.qemu import Disk, DiskFormat, Forward, Guest
from reconix.vm.timeouts import scaled

PROGRAMS = ("mmdebstrap", "qemu-system-x86_64", "ssh")
VERIFIED = (MACHINE + KEEPS_HOST_KEY).replace("[disk]", '[disk]\nintegrity = "verity"')
DAMAGED, SWAPPED, TWIN = "usr/bin/factor", "usr/bin/shuf", "usr/bin/tsort"
"""Programs that nothing needs to start."""

MEASURE = """\
import fcntl, glob, os, struct
for path in glob.glob("/run/reconix/system/pool/*/*") + glob.glob("/run/reconix/system/images/*"):
    file = os.open(path, os.O_RDONLY)
    said = fcntl.ioctl(file, 0xc0046686, struct.pack("<HH64s", 0, 64, b""))
    algorithm, size, digest = struct.unpack("<HH64s", said)
    os.close(file)
    name = "".join(path.split("/")[-2:])
    print(algorithm, size, name.startswith("images") or name == digest[:size].hex())
"""
"""What the kernel says of each file, without any code of ours."""


@dataclass(frozen=True)
class Built:
    """A generation with hashes, the disk that it is flashed to, and its contents."""

    project: Project
    generation: StorePath
    image: Path

    def content(self, name: str) -> bytes:
        """What a file of the root has."""
        with ChrootStore(self.project.store) as store:
            toplevel = read_generation(store.store_dir, self.generation).system("default").toplevel
            root = StorePath.parse(str((store.path(toplevel) / "root").readlink()))
            return (store.path(root) / name).read_bytes()

    def images(self) -> Sequence[str]:
        """The images of its system."""
        with ChrootStore(self.project.store) as store:
            system = read_generation(store.store_dir, self.generation).system("default")
            return [sha256.hex() for sha256 in system.images]

    @contextlib.contextmanager
    def booted(self, name: str, *damages: "Damage") -> Iterator[Box]:
        """A device with this disk, as it is after some damages; it may not start."""
        place = self.project.folder / name
        place.mkdir()
        disk = place / "disk.raw"
        run("cp", "--sparse=always", self.image, disk)
        for damage in damages:
            damage(disk)
        guest = Guest(
            firmware.prepare(place / "variables"),
            disks=(Disk(disk, DiskFormat.RAW),),
            forwards=(Forward(22, 0),),
        )
        with running(guest, place, accelerator.choose(place / "accelerator")) as machine:
            yield Box(self.project, self.generation, machine, self.project.login)
        disk.unlink()


Damage = Callable[[Path], None]


@dataclass(frozen=True)
class Off:
    """A disk that nobody writes to."""

    content: mmap
    block_bytes: int = BLOCK_BYTES

    def identifier(self, block: int) -> None:
        """Nothing is compared here."""

    def block(self, number: int) -> bytes:
        return self.content[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]


@contextlib.contextmanager
def system_partition(disk: Path) -> Iterator[tuple[Ext4, int]]:
    """The file system of a disk that is off, and where it begins."""
    with DiskFile(disk) as opened:
        offset = read_selection(opened).tables.named(SYSTEM).first * SECTOR
    with map_file(disk) as content:
        view = Off(content)
        yield Ext4(view, Geometry.read(view, offset)), offset


def found(system: Ext4, *names: str) -> Inode:
    inode = system.lookup(*names)
    assert inode is not None
    return inode


def pool_names(content: bytes) -> tuple[str, str]:
    name = digest(content).hex()
    return name[:2], name[2:]


def flip(*names: str, at: int) -> Damage:
    """One bit of a file changes."""

    def damage(disk: Path) -> None:
        with system_partition(disk) as (system, offset):
            block = system.runs(found(system, *names))[0].physical + at // BLOCK_BYTES
            (byte,) = system.block(block)[at % BLOCK_BYTES :][:1]
        put(disk, offset + block * BLOCK_BYTES + at % BLOCK_BYTES, bytes([byte ^ 1]))

    return damage


def swap(one: Sequence[str], other: Sequence[str]) -> Damage:
    """Each of two names leads to the file of the other one."""

    def damage(disk: Path) -> None:
        with system_partition(disk) as (system, offset):
            records = [offset + record_of(system, names) for names in (one, other)]
            inodes = [found(system, *names).number for names in (other, one)]
        for place, inode in zip(records, inodes, strict=True):
            put(disk, place, struct.pack("<I", inode))

    return damage


def record_of(system: Ext4, names: Sequence[str]) -> int:
    """Where in the file system a folder has a name: its number of the inode stands first."""
    *folder, name = names
    for part in system.runs(found(system, *folder)):
        for block in range(part.physical, part.physical + part.count):
            at = system.block(block).find(name.encode())
            if at >= 0:
                return block * BLOCK_BYTES + at - 8
    raise AssertionError(f"no folder has {names}")


def put(disk: Path, place: int, content: bytes) -> None:
    with disk.open("r+b") as file:
        file.seek(place)
        file.write(content)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    project = Project.make(tmp_path_factory.mktemp("project"), VERIFIED)
    project.reconix("lock")
    project.reconix("build")
    made = project.reconix("image")
    return Built(project, StorePath.parse(made.text("generation")), Path(made.text("image")))


@pytest.fixture(autouse=True)
def _programs(need: Callable[..., None]) -> None:
    need(*PROGRAMS)


@pytest.mark.vm
@pytest.mark.archive
def test_every_file_is_compared_from_the_first_start_on_and_after_an_update(built: Built) -> None:
    with built.booted("sound") as box:
        assert box.status().object("integrity").flag("verity")
        measured = box.answer("python3", "-c", MEASURE).decode().splitlines()
        assert set(measured) == {"1 32 True"}
        assert len(measured) > 1000
        box.keep(box.broken({"note": File(b"another one, and more than stands in an image" * 9)}))
        after = box.answer("python3", "-c", MEASURE).decode().splitlines()
        assert set(after) == {"1 32 True"}
        assert len(after) > len(measured)
        box.run("reconix-device", "verify")
        assert box.status().object("integrity").texts("damaged") == []


@pytest.mark.vm
@pytest.mark.archive
def test_w7_an_altered_content_is_an_error_and_never_its_bytes(built: Built) -> None:
    contents = {name: built.content(name) for name in (DAMAGED, SWAPPED, TWIN)}
    places = {name: ("pool", *pool_names(content)) for name, content in contents.items()}
    at = 2 * BLOCK_BYTES + 77
    damages = flip(*places[DAMAGED], at=at), swap(places[SWAPPED], places[TWIN])
    with built.booted("damaged", *damages) as box:
        assert box.status().object("integrity").texts("damaged") == []
        said = box.answer("sh", "-c", f"cat /{DAMAGED}; echo $?")
        assert said.endswith(b"1\n")
        assert len(said) < len(contents[DAMAGED])
        assert contents[DAMAGED].startswith(said[:-2])
        for name in (SWAPPED, TWIN):
            assert box.answer("sh", "-c", f"cat /{name}; echo $?") == b"1\n"
        named = box.status().object("integrity").texts("damaged")
        assert [path.partition("-debian-root/")[2] for path in named] == sorted(contents)
        complaints = box.answer("sh", "-c", "reconix-device verify 2>&1; true")
        assert all(digest(content).hex().encode() in complaints for content in contents.values())


@pytest.mark.vm
@pytest.mark.archive
def test_a_system_of_which_an_image_was_altered_is_not_started(built: Built) -> None:
    image = built.images()[0]
    with built.booted("wrong-image", flip("images", image, at=2000)) as box:
        box.machine.console.wait(f"the image {image} was altered", seconds=BOOT_SECONDS)
        box.machine.console.wait("restarting in 5 seconds", seconds=BOOT_SECONDS)
        deadline = time.monotonic() + scaled(BOOT_SECONDS)
        while box.machine.console.log.read_bytes().count(b"was altered") < 2:
            assert time.monotonic() < deadline, "it does not restart"
            time.sleep(1)
        assert b"systemd[1]" not in box.machine.console.log.read_bytes()
