"""What is said before an update is what ext4 and its journal then do, as the prover counts it."""

import io
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.device_model import HOST, MIB, SLOT_BYTES, Machine
from tests.small_device import need_recording

from reconix.device.device import Device
from reconix.device.update.receive import receive
from reconix.fleet.forecast.forecast import Forecast, forecast
from reconix.fleet.forecast.slot import Unwritten
from reconix.image.disk import Layout, make_disk
from reconix.image.layout import Sizes, plan
from reconix.nix.chroot import ChrootStore
from reconix.prove.record import record
from reconix.prove.rig import Rig
from reconix.prove.subject import known
from reconix.prove.workload import Update, confirming, trying
from reconix.prove.write_amplification import Part, Writes, count_writes
from reconix.store.manifest import Manifest
from reconix.store.registry import Registry
from reconix.store.tree import File, Node
from reconix.transfer.receiving.spool import Spool
from reconix.transfer.sending import send

pytestmark = pytest.mark.prover

KEPT = 1500
SIZES = Sizes(2, SLOT_BYTES, 64 * MIB, MIB)
STEPS = ("receive", "write the slot", "arm", "boot of the trial", "confirm")


class WatchedRegistry(Registry):
    """A registry that notes how full its disk is when a manifest got its name."""

    def __init__(self, system_root: Path, seen: list[tuple[int, int]]) -> None:
        super().__init__(system_root)
        self._seen = seen

    def register(self, manifest: Manifest) -> None:
        super().register(manifest)
        self._seen.append(free(self.system_root))


def free(place: Path) -> tuple[int, int]:
    found = os.statvfs(place)
    return found.f_bfree * found.f_frsize, found.f_ffree


@dataclass(frozen=True)
class Done:
    """What was said of an update, and what it did.

    Attributes:
        said: before it.
        peak: bytes and inodes that it took of the store.
        writes: what all its steps wrote.
    """

    said: Forecast
    peak: tuple[int, int]
    writes: Writes

    def wrote(self, *parts: Part) -> int:
        return sum(each.written_bytes for each in self.writes.parts if each.part in parts)


def update(folder: Path, *, files: int, each_bytes: int, keeps: bool) -> Done:
    """Bring a device of many files so many more, and count."""
    chance, stream, seen = random.Random(files), io.BytesIO(), list[tuple[int, int]]()
    kept: dict[str, Node] = {f"kept-{n}": File(chance.randbytes(300)) for n in range(KEPT)}
    more: dict[str, Node] = {f"new-{n}": File(chance.randbytes(each_bytes)) for n in range(files)}
    with ChrootStore(folder / "build") as store:
        machine = Machine(folder / "none", store, plan(HOST, size_bytes=140 * MIB, sizes=SIZES))
        old = machine.generation("one", program=b"1", extra=kept)
        new = machine.generation("two", program=b"2", extra=kept | more)
        sent = send.create(store, [old], new, stream.write)
        said = forecast(store, new, sent, Unwritten.ZEROS)
        make_disk(store, old, Layout(SIZES), folder / "image")
        both = known(store, old), known(store, new)

    def take_in(device: Device) -> None:
        device._opened.append(WatchedRegistry(device.paths.system, seen))
        stream.seek(0)
        receive(device, stream.read, Spool(device.paths.spool, keeps=keeps))

    def workload(rig: Rig) -> None:
        rig.boot("first boot")
        seen.append(free(rig.paths.system))
        rig.do("receive", take_in)
        for step in (trying, confirming):
            step(rig, Update(both[0].generation, both[1].generation, folder / "stream"))

    job = record(folder / "image", both, folder, workload)
    writes = Writes.sum("update", [each for each in count_writes(job) if each.step in STEPS])
    (bytes_before, inodes_before), (bytes_then, inodes_then) = seen
    return Done(said, (bytes_before - bytes_then, inodes_before - inodes_then), writes)


@pytest.mark.parametrize(("files", "each_bytes"), [(0, 0), (30, 2000), (400, 9000), (3, 2 * MIB)])
def test_what_is_told_is_what_a_device_takes_and_writes(
    tmp_path: Path, need: Callable[..., None], files: int, each_bytes: int
) -> None:
    """Of the store within a hundredth, of the writes within a tenth."""
    need_recording(need)
    done = update(tmp_path, files=files, each_bytes=each_bytes, keeps=True)
    size_bytes, inodes = done.peak
    assert abs(done.said.peak.size_bytes - size_bytes) <= size_bytes / 100
    assert inodes - done.said.peak.inodes in (0, 1), "the first update makes a folder, too"
    wear, counted = done.said.wear, done.writes.written_bytes
    assert abs(wear.total - counted) <= counted / 10
    assert abs(wear.images - done.wrote(Part.IMAGES)) <= wear.images / 10
    assert wear.slot == done.wrote(Part.ELSEWHERE)


def test_without_a_partial_stream_the_rest_is_as_told(
    tmp_path: Path, need: Callable[..., None]
) -> None:
    """So the prover does it: it receives a file."""
    need_recording(need)
    done = update(tmp_path, files=30, each_bytes=2000, keeps=False)
    told, counted = done.said.wear.total - done.said.wear.stream, done.writes.written_bytes
    assert abs(told - counted) <= counted / 10
