"""R1, R2, V1, W6: the disk is full, or fails, at every write of an update, or keeps something else.

Disk full is real: the system partition is a small ext4, filled so that a little more room is left
each time. A failing disk is an error that the kernel would give, at each step that reaches it; and
a real one, a loop device that keeps only so much of what ext4 writes back.
A bit that flips is flipped on the medium, below the file system and what the kernel has cached of
it. Afterwards the old generation boots, and with a disk that works again the update is finished.
"""

import contextlib
import errno
import io
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest
from tests.cuts import every_step
from tests.device_model import MIB, Machine
from tests.small_device import need_recording

from reconix.base.errors import ReconixError
from reconix.base.files import remove_tree, sync_file_system
from reconix.base.process import run, succeeds
from reconix.device.device import Device
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.apply import apply
from reconix.device.update.receive import receive
from reconix.device.update.repair import repair
from reconix.device.update.scrub import scrub
from reconix.device.update.verify import verify
from reconix.nix.chroot import ChrootStore
from reconix.store.tree import File
from reconix.transfer.receiving.contents import WrittenDifferently
from reconix.transfer.sending.repair import create_repair

Need = Callable[..., None]
KIB = 1 << 10


class Failing:
    """The steps of the agent succeed up to one, which gives an error, and all later ones too."""

    def __init__(self, allowed: int, number: int) -> None:
        self._allowed, self._number = allowed, number
        self._stack = contextlib.ExitStack()
        self.steps = 0

    def __enter__(self) -> Self:
        self._stack.enter_context(every_step(self._step))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _step(self) -> None:
        self.steps += 1
        if self.steps > self._allowed:
            raise OSError(self._number, os.strerror(self._number))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A device that runs generation one; generation two is built."""
    with ChrootStore(tmp_path / "build") as store:
        machine = Machine.make(tmp_path / "device", store)
        machine.generation("two")
        machine.boot()
        yield machine


def update(device: Device, machine: Machine, stream: bytes) -> None:
    with exclusive_rw(device.paths):
        receive(device, io.BytesIO(stream).read)
        apply(device, machine.generations["two"])


def repeat(machine: Machine, stream: bytes) -> None:
    """With a disk that works, the same stream brings the update to its end."""
    assert machine.selected == 1
    if machine.settle().booted.slot == 1:
        with exclusive_rw(machine.paths):
            receive(machine.device, io.BytesIO(stream).read)
        machine.finish("two")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_r2_a_disk_that_fails_at_any_write_leaves_the_old_generation(
    machine: Machine, number: int
) -> None:
    stream = machine.stream("one", "two").getvalue()
    for allowed in range(0, 900, 3):
        copy = machine.copy(machine.place.with_name(f"failed-{allowed}"))
        try:
            with Failing(allowed, number) as failing:
                update(copy.device, copy, stream)
            finished = failing.steps <= allowed
        except (OSError, ReconixError):
            finished = False
        if not finished:
            repeat(copy, stream)
        copy.remove()
        if finished:
            assert allowed > 20
            return
    raise AssertionError("the update has no end")


@pytest.fixture
def small(machine: Machine, need: Need) -> Iterator[Path]:
    """The system partition of the device is a real, small ext4."""
    need_recording(need)
    image, place = machine.place.parent / "system.img", machine.paths.system
    content = place.with_name("content")
    place.rename(content)
    place.mkdir()
    run("mkfs.ext4", "-q", "-m", "0", "-N", "512", "-d", content, image, "32M")
    run("mount", "-o", "loop", image, place)
    try:
        yield place
    finally:
        run("umount", place)
        remove_tree(content)


@dataclass(frozen=True)
class Medium:
    """A file system on a disk whose own memory is a tmpfs: where that is full, writing fails.

    The kernel's loop device gives an I/O error then, as a worn flash does, at any write.
    """

    folder: Path
    place: Path

    @contextlib.contextmanager
    def holding(self, image: Path, *, spare_bytes: int) -> Iterator[None]:
        """The medium, with a copy of an image and so much room that may be written."""
        self.folder.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=64m", "medium", self.folder)
        try:
            run("cp", "--sparse=always", image, self._image)
            used = self._image.stat().st_blocks * 512
            run("mount", "-o", f"remount,size={used + spare_bytes}", self.folder)
            yield
        finally:
            run("umount", self.folder)
            self.folder.rmdir()

    @property
    def _image(self) -> Path:
        return self.folder / "image"

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        run("mount", "-o", "loop", self._image, self.place)
        try:
            yield
        finally:
            run("umount", self.place)

    def mend(self) -> None:
        """From now on it keeps everything."""
        run("mount", "-o", "remount,size=64m", self.folder)
        succeeds("e2fsck", "-p", self._image)


def test_r2_a_medium_that_fails_at_any_write_leaves_the_old_generation(
    machine: Machine, tmp_path: Path, need: Need
) -> None:
    need_recording(need)
    stream = machine.stream("one", "two").getvalue()
    image, content = tmp_path / "system.img", tmp_path / "content"
    machine.paths.system.rename(content)
    machine.paths.system.mkdir()
    run("mkfs.ext4", "-q", "-m", "0", "-O", "^metadata_csum", "-d", content, image, "32M")
    failed = 0
    for spare_bytes in range(0, 4 * MIB, 96 * KIB):
        copy = machine.copy(tmp_path / f"failing-{spare_bytes}")
        medium = Medium(tmp_path / "medium", copy.paths.system)
        with medium.holding(image, spare_bytes=spare_bytes):
            try:
                with medium.mounted():
                    update(copy.device, copy, stream)
                finished = True
            except (OSError, ReconixError):
                finished = False
            medium.mend()
            with medium.mounted():
                copy.check_committed()
                repeat(copy, stream)
        copy.remove()
        failed += not finished
        if finished:
            break
    assert finished and failed > 3


def fill(place: Path, *, leave: int) -> Path:
    """Take all room but this; what is too little for the folder of a file is none."""
    status = os.statvfs(place)
    hog = place / "hog"
    with hog.open("wb") as file:
        size = status.f_bavail * status.f_frsize - leave
        if size > 0:
            os.posix_fallocate(file.fileno(), 0, size)
    return hog


def held(machine: Machine) -> set[str]:
    """All contents and images on the device."""
    registry = machine.registry
    contents = {digest.hex() for digest in registry.pool.digests()}
    return contents | {path.name for path in registry.images_dir.iterdir()}


def test_r1_a_disk_of_any_fullness_refuses_or_takes_an_update_and_gives_all_room_back(
    machine: Machine, small: Path
) -> None:
    stream = machine.stream("one", "two").getvalue()
    before = held(machine)
    outcomes = []
    for leave in range(0, 32 * MIB, 256 * KIB):
        hog = fill(small, leave=leave)
        try:
            update(machine.device, machine, stream)
            outcomes.append(True)
        except (OSError, ReconixError):
            outcomes.append(False)
        hog.unlink()
        if outcomes[-1]:
            break
        machine.check_committed()
        left = held(machine) - before
        assert not left or machine.generations["two"] in machine.device.installed()
    assert outcomes[0] is False and outcomes[-1] is True
    assert machine.selected == 1
    machine.finish("two")


def test_v1_what_changes_below_the_page_cache_is_found_before_it_has_a_name(
    machine: Machine, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = random.Random(1).randbytes(64 * KIB)
    goal = machine.generation("marked", extra={"mark": File(mark)})
    stream = machine.stream("one", "marked").getvalue()
    medium = machine.place.parent / "system.img"
    flipped: list[int] = []

    def sync_and_flip(descriptor: int) -> None:
        sync_file_system(descriptor)
        at = medium.read_bytes().find(mark)
        if at >= 0 and not flipped:
            flipped.append(at)
            with medium.open("r+b") as file:
                file.seek(at + 4 * KIB)
                file.write(bytes([mark[4 * KIB] ^ 1]))

    with monkeypatch.context() as failing, pytest.raises(WrittenDifferently):
        failing.setattr("reconix.transfer.receiving.contents.sync_file_system", sync_and_flip)
        update(machine.device, machine, stream)
    assert flipped
    assert goal not in machine.device.installed()
    with exclusive_rw(machine.paths):
        receive(machine.device, io.BytesIO(stream).read)
    machine.finish("marked")


def test_w6_what_changed_below_the_page_cache_is_found_by_reading_on_and_repaired(
    machine: Machine, small: Path
) -> None:
    mark = random.Random(1).randbytes(64 * KIB)
    goal = machine.generation("marked", extra={"mark": File(mark)})
    machine.install("marked")
    place = machine.place_of(machine.read(goal).systems[0].toplevel, "mark")
    with place.open("rb") as file:
        sync_file_system(file.fileno())
    flip(machine.place.parent / "system.img", mark)
    assert place.read_bytes() == mark, "the kernel still has it"
    (damage,) = scrub(machine.device).scrubbed.damaged
    assert damage.files[0].endswith("/mark") and place.read_bytes() != mark
    written = io.BytesIO()
    create_repair(machine.store, {goal: 1}, goal, [damage.digest], written.write)
    written.seek(0)
    with exclusive_rw(machine.paths):
        assert repair(machine.device, written.read).written == (damage.digest,)
    assert place.read_bytes() == mark and verify(machine.device) == []


def flip(medium: Path, mark: bytes) -> None:
    """Change a byte of a file on a medium."""
    at = medium.read_bytes().find(mark)
    assert at >= 0
    with medium.open("r+b") as file:
        file.seek(at + 4 * KIB)
        file.write(bytes([mark[4 * KIB] ^ 1]))
