"""R1, R2 and V1: the disk is full, or fails, at every write of an update, or keeps something else.

Disk full is real: the system partition is a small ext4, filled so that a little more room is left
each time. A failing disk is an error that the kernel would give, at each step that reaches it.
A bit that flips is flipped on the medium, below the file system and what the kernel has cached of
it. Afterwards the old generation boots, and with a disk that works again the update is finished.
"""

import errno
import io
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest
from tests.device_model import MIB, Machine
from tests.small_device import need_recording

from reconix.base.errors import ReconixError
from reconix.base.files import remove_tree
from reconix.base.process import run
from reconix.device.apply import apply
from reconix.device.device import Device
from reconix.device.receiving import receive
from reconix.device.work import working
from reconix.nix.chroot import ChrootStore
from reconix.store.tree import File
from reconix.transfer.staging import ContentMismatch

Need = Callable[..., None]
KIB = 1 << 10
STEPS = ("fsync", "rename", "link", "mkdir", "write", "pwritev", "ftruncate")


class Failing:
    """The steps of the agent succeed up to one, which gives an error, and all later ones too."""

    def __init__(self, patch: pytest.MonkeyPatch, allowed: int, number: int) -> None:
        self._patch, self._allowed, self._number = patch, allowed, number
        self.steps = 0

    def __enter__(self) -> Self:
        for name in STEPS:
            self._patch.setattr(os, name, self._counted(getattr(os, name)))
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    def _counted(self, real: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object, **named: object) -> object:
            self.steps += 1
            if self.steps > self._allowed:
                raise OSError(self._number, os.strerror(self._number))
            return real(*arguments, **named)

        return step


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A device that runs generation one; generation two is built."""
    with ChrootStore(tmp_path / "build") as store:
        machine = Machine.make(tmp_path / "device", store)
        machine.generation("two")
        machine.boot()
        yield machine


def update(device: Device, machine: Machine, stream: bytes) -> None:
    with working(device.places):
        receive(device, io.BytesIO(stream).read)
        apply(device, machine.generations["two"])


def repeat(machine: Machine, stream: bytes) -> None:
    """With a disk that works, the same stream brings the update to its end."""
    assert machine.selected == 1
    if machine.settle().booted.slot == 1:
        with working(machine.places):
            receive(machine.device, io.BytesIO(stream).read)
        machine.finish("two")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_r2_a_disk_that_fails_at_any_write_leaves_the_old_generation(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    stream = machine.stream("one", "two").getvalue()
    for allowed in range(0, 400, 3):
        copy = machine.copy(machine.place.with_name(f"failed-{allowed}"))
        try:
            with Failing(monkeypatch, allowed, number) as failing:
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
    image, place = machine.place.parent / "system.img", machine.places.system
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


def fill(place: Path, *, leave: int) -> Path:
    """Take all room but this; what is too little for the folder of a file is none."""
    status = os.statvfs(place)
    hog = place / "hog"
    with hog.open("wb") as file:
        size = status.f_bavail * status.f_frsize - leave
        if size > 0:
            os.posix_fallocate(file.fileno(), 0, size)
    return hog


def test_r1_a_disk_of_any_fullness_refuses_or_takes_an_update_and_gives_all_room_back(
    machine: Machine, small: Path
) -> None:
    stream = machine.stream("one", "two").getvalue()
    before = sorted(path.name for path in machine.registry.store_dir.iterdir())
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
        found = sorted(path.name for path in machine.registry.store_dir.iterdir())
        left = {name for name in found if name not in before}
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
    fsync = os.fsync
    flipped: list[int] = []

    def fsync_and_flip(descriptor: int) -> None:
        fsync(descriptor)
        at = medium.read_bytes().find(mark)
        if at >= 0 and not flipped:
            flipped.append(at)
            with medium.open("r+b") as file:
                file.seek(at + 4 * KIB)
                file.write(bytes([mark[4 * KIB] ^ 1]))

    with monkeypatch.context() as failing, pytest.raises(ContentMismatch):
        failing.setattr(os, "fsync", fsync_and_flip)
        update(machine.device, machine, stream)
    assert flipped
    assert goal not in machine.device.installed()
    with working(machine.places):
        receive(machine.device, io.BytesIO(stream).read)
    machine.finish("marked")
