"""What a cut leaves behind never takes the room that the same update, or another one, needs.

The device is a file system with exactly the room that an update needs when nothing is in its way.
The receiver is stopped at each step, with whatever it has made and kept by then, and starts again.
"""

import functools
import io
import itertools
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cuts import STOPPED, stop_after
from tests.unit.transfer.conftest import Workshop

from reconix.base.files import remove_tree
from reconix.base.process import CommandFailed, run
from reconix.nix.chroot import ChrootStore
from reconix.store.registry import Registry
from reconix.store.tree import File, folder
from reconix.transfer.format.stream import TruncatedStream
from reconix.transfer.receiving.receive import receive
from reconix.transfer.receiving.room import DiskFull
from reconix.transfer.receiving.spool import Spool

KIB, MIB, PAGE = 1 << 10, 1 << 20, 4096
STRIDES = {"tmpfs": 1, "ext4": 3} if "RECONIX_EXAMPLES" in os.environ else {"tmpfs": 5, "ext4": 23}
"""Of all steps at which a cut is possible so many make one that is tried; a long run tries more."""


@dataclass
class Small:
    """A device on a file system of its own, and streams to two generations."""

    kind: str
    place: Path
    pristine: Path
    streams: tuple[bytes, bytes]

    @property
    def registry(self) -> Registry:
        return Registry(self.place)

    @property
    def spool(self) -> Spool:
        return Spool(self.place / "reconix/spool")

    def reset(self) -> None:
        """Only the base is there, and what fills the rest of the disk."""
        for entry in self.place.iterdir():
            if entry != self.hog:
                remove_tree(entry)
        shutil.copytree(self.pristine, self.place, symlinks=True, dirs_exist_ok=True)

    @property
    def hog(self) -> Path:
        return self.place / "hog"

    def leave(self, free_bytes: int, free_inodes: int | None = None) -> None:
        """Fill the disk, so that only so much is left."""
        remove_tree(self.hog)
        self.hog.mkdir()
        if free_inodes is not None:
            for number in range(os.statvfs(self.place).f_favail - free_inodes - 1):
                (self.hog / f"{number}").touch()
        status = os.statvfs(self.place)
        with (self.hog / "bytes").open("wb") as file:
            size = status.f_bavail * status.f_frsize - free_bytes
            os.posix_fallocate(file.fileno(), 0, size)

    def receive(self, stream: bytes, *, keeps: bool = True) -> None:
        """Receive a stream; what is kept of it does not come again."""
        spool = self.spool
        held = spool.held() if keeps else None
        take = functools.partial(
            receive, registry=self.registry, host="gateway", architecture="amd64"
        )
        if held is None or held.head.print() != stream[: len(held.head.print())]:
            aside = Spool(self.place / "reconix/spool", keeps=keeps)
            take(io.BytesIO(stream).read, spool=aside)
            return
        with spool.resuming(held, io.BytesIO(stream[held.offset :]).read) as rest:
            take(rest, spool=spool)

    def receive_until(self, stream: bytes, steps: int, *, keeps: bool = True) -> bool:
        """Receive in a process that ends before so many changes; whether it came to its end."""
        child = os.fork()
        if child == 0:
            try:
                stop_after(steps)
                self.receive(stream, keeps=keeps)
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, STOPPED)
        return status == 0

    def least_bytes(self, stream: bytes) -> int:
        """How little room is enough for a stream; found out by trying."""
        return _least(lambda pages: self._fits(stream, pages * PAGE, None), 1500) * PAGE

    def least_inodes(self, stream: bytes) -> int:
        """Likewise."""
        return _least(lambda inodes: self._fits(stream, 4 * MIB, inodes), 700)

    def _fits(self, stream: bytes, free_bytes: int, free_inodes: int | None) -> bool:
        self.reset()
        self.leave(free_bytes, free_inodes)
        try:
            self.receive(stream, keeps=False)
        except DiskFull:
            return False
        return True


def _least(fits: Callable[[int], bool], most: int) -> int:
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


@pytest.fixture(params=["tmpfs", "ext4"])
def small(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Small]:
    noise = random.Random(1)
    old = {f"lib/{n}": File(noise.randbytes(1000)) for n in range(3)}
    with ChrootStore(tmp_path / "build") as store:
        workshop = Workshop(store, tmp_path)
        base = workshop.generation(root=folder(old), kept=File(b"kept" * 99))
        streams = []
        for number in (1, 2):
            new = {f"bin/{n}": File(noise.randbytes(70 * KIB)) for n in range(number, 5)}
            page = File(noise.randbytes(150 * KIB))
            target = workshop.generation(root=folder({**old, **new}), page=page)
            streams.append(workshop.stream(base, target))
        pristine, place = tmp_path / "pristine", tmp_path / "small"
        workshop.device(base, at=pristine)
    place.mkdir()
    try:
        mount(request.param, place)
    except CommandFailed as error:
        pytest.skip(f"no mounts here: {error}")
    try:
        yield Small(request.param, place, pristine, (streams[0], streams[1]))
    finally:
        run("umount", place)


def mount(kind: str, place: Path) -> None:
    """An empty file system of 8 MiB."""
    if kind == "tmpfs":
        run("mount", "-t", "tmpfs", "-o", "size=8m", "small", place)
        return
    image = place.with_name("image")
    run("mkfs.ext4", "-q", "-m", "0", "-N", "700", "-O", "^has_journal", image, "8m")
    run("mount", "-o", "loop", image, place)


def cut_at_each_step(small: Small, stream: bytes, *, keeps: bool) -> Iterator[None]:
    """What is there after a cut at every few steps; which ones differs from test to test."""
    stride = STRIDES[small.kind]
    for step in itertools.count(len(stream) % stride, stride):
        small.reset()
        if small.receive_until(stream, step, keeps=keeps):
            assert step > 30
            return
        yield


@pytest.mark.parametrize(
    ("spare", "keeps"), [(0, False), (0, True), (300 * KIB, True), (600 * KIB, True)]
)
def test_r1_an_update_that_has_just_the_room_has_it_after_a_cut_at_any_step(
    small: Small, spare: int, keeps: bool
) -> None:
    stream = small.streams[0]
    least = small.least_bytes(stream)
    small.reset()
    small.leave(least + spare)
    for _ in cut_at_each_step(small, stream, keeps=keeps):
        small.receive(stream, keeps=keeps)
        assert len(small.registry.manifests()) == 2


@pytest.mark.parametrize("small", ["ext4"], indirect=True)
def test_r1_an_update_that_has_just_the_inodes_has_them_after_a_cut(small: Small) -> None:
    stream = small.streams[0]
    least = small.least_inodes(stream)
    small.reset()
    small.leave(4 * MIB, least)
    for _ in cut_at_each_step(small, stream, keeps=False):
        small.receive(stream)
        assert len(small.registry.manifests()) == 2


@pytest.mark.parametrize("keeps", [False, True], ids=["", "kept"])
def test_r1_what_is_left_of_another_stream_makes_room(small: Small, keeps: bool) -> None:
    first, second = small.streams
    least = small.least_bytes(first)
    small.reset()
    small.leave(least + 600 * KIB)
    for _ in cut_at_each_step(small, second, keeps=True):
        if len(small.registry.manifests()) == 1:
            small.receive(first, keeps=keeps)


def test_r1_frames_that_are_kept_stay_while_another_stream_has_room(small: Small) -> None:
    first, second = small.streams
    small.reset()
    cut(small, second, 300 * KIB)
    small.receive(first, keeps=False)
    held = small.spool.held()
    assert held is not None and held.offset > 200 * KIB
    small.receive(second)


def test_r1_frames_that_are_kept_go_if_the_update_fits_only_without_them(small: Small) -> None:
    stream = small.streams[0]
    least = small.least_bytes(stream)
    small.reset()
    remove_tree(small.hog)
    cut(small, stream, 300 * KIB)
    small.registry.clear_staging()
    small.leave(least - 100 * KIB)
    with pytest.raises(DiskFull, match="send the whole stream again"):
        small.receive(stream)
    small.receive(stream)
    assert len(small.registry.manifests()) == 2


def cut(small: Small, stream: bytes, size_bytes: int) -> None:
    """The link gives only so much of a stream."""
    with pytest.raises(TruncatedStream):
        small.receive(stream[:size_bytes])
