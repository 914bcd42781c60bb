"""The prover finds bugs: each test replaces one function of the product by a wrong one.

What is planted are the mistakes that updaters make. None of them shows in a test that does not cut
the power: with each of them the update itself succeeds.
"""

import contextlib
import fcntl
import os
import stat
import struct
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Protocol

import pytest
from tests.device_model import BY_DISK
from tests.early_selection import select_before_it_is_recorded
from tests.small_device import SmallDevice, need_recording, small_device

from reconix.base.digests import Digest
from reconix.base.documents import print_json
from reconix.base.files import rename_durably, sync_file_system, write_durably
from reconix.base.process import run
from reconix.boot.disk import Disk, DiskFile
from reconix.boot.fat import FatImage
from reconix.boot.gpt import parse_header, print_header
from reconix.boot.oneshots.disk import DiskOneShot
from reconix.boot.slots import write_slot
from reconix.boot.tables import Copy, Selection, Slot, Write, read_selection, select_slot
from reconix.boot.trial import State
from reconix.device.device import Device
from reconix.device.hardware.disk import PartitionView, open_disk
from reconix.device.update.collect import collect
from reconix.prove.image import SYSTEM, partition
from reconix.prove.prover import Result, prove
from reconix.prove.record import record
from reconix.prove.recorder import Pace
from reconix.prove.rig import Rig
from reconix.prove.workload import (
    Update,
    Workload,
    collecting,
    confirming,
    everything,
    receiving,
    trying,
    untouched,
)
from reconix.store import collect as store
from reconix.store.manifest import Manifest, print_manifest
from reconix.store.registry import Registry
from reconix.store.tree import File
from reconix.transfer.receiving.contents import Contents, WrittenDifferently
from reconix.transfer.receiving.receive import _Job
from reconix.transfer.receiving.sources import Sources

pytestmark = pytest.mark.prover

CONTENTS_SYNC = "reconix.transfer.receiving.contents.sync_file_system"
LACKS = "reconix.transfer.receiving.images._expect_contents"
READ_BACK = "reconix.transfer.receiving.contents._expect_kept"
FIBMAP = 1
"""Asks where a block of a file lies, see ``linux/fs.h``."""

SEED, STATES = 1, 5000


class Find(Protocol):
    def __call__(self, *steps: Workload, pace: Pace = Pace.QUIET) -> Result: ...


@pytest.fixture
def find(need: Callable[..., None], device: SmallDevice, tmp_path: Path) -> Find:
    need_recording(need)

    def found(*steps: Workload, pace: Pace = Pace.QUIET) -> Result:
        def workload(rig: Rig) -> None:
            for step in steps:
                step(rig, device.update)

        job = record(device.image, device.known, tmp_path, workload, pace=pace)
        return prove(job, wanted=STATES, seed=SEED, processes=1)

    return found


def expect(result: Result, problem: str) -> None:
    said = {case.problem for case in result.cases}
    assert any(problem in each for each in said), f"{result.bad} bad states, because: {said}"


def forget(*_: object) -> None:
    """What a careless program does in place of something."""


def test_without_a_bug_nothing_is_found(find: Find) -> None:
    result = find(everything)
    assert result.bad == 0, result.cases
    assert result.states >= STATES


def test_no_fsync_of_a_file(monkeypatch: pytest.MonkeyPatch, find: Find) -> None:
    @contextlib.contextmanager
    def replacing(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
        temporary = path.with_name(f".{path.name}.new")
        with temporary.open("wb") as file:
            yield file
        temporary.chmod(mode)
        rename_durably(temporary, path)

    monkeypatch.setattr("reconix.base.files.replacing", replacing)
    expect(find(receiving), "manifest")


def test_no_fsync_of_a_folder(monkeypatch: pytest.MonkeyPatch, find: Find) -> None:
    def sync_folder(folder: Path) -> None:
        assert folder.is_dir()

    monkeypatch.setattr("reconix.base.files.sync_folder", sync_folder)
    expect(find(receiving, trying), "it was acknowledged, and the cut has undone it")


def test_primary_header_before_backup(monkeypatch: pytest.MonkeyPatch, find: Find) -> None:
    def selected(disk: Disk, slot: Slot) -> tuple[str, ...]:
        tables = read_selection(disk).tables
        for copy in (Copy.PRIMARY, Copy.BACKUP):
            write(disk, tables.header(slot, copy))
            disk.flush()
        return ()

    monkeypatch.setattr("reconix.device.update.confirm.select_slot", selected)
    expect(
        find(receiving, trying, confirming),
        "the backup of the table still leads to the old generation",
    )


def test_a_switch_of_two_sectors(monkeypatch: pytest.MonkeyPatch, find: Find) -> None:
    """The array that is in use is changed in place, and its header with it."""

    def selected(disk: Disk, slot: Slot) -> tuple[str, ...]:
        found = read_selection(disk)
        for copy in (Copy.BACKUP, Copy.PRIMARY):
            array = found.tables.arrays(copy)[slot - 1]
            used = found.tables.array_at(found.slot, copy)
            write(disk, Write(used, array.content, array.what))
            right = found.tables.header(slot, copy)
            header = replace(parse_header(right.content, at=right.at), array=used)
            write(disk, Write(right.at, print_header(header), right.what))
        disk.flush()
        return ()

    monkeypatch.setattr("reconix.device.update.confirm.select_slot", selected)
    expect(find(receiving, trying, confirming), "the firmware finds no partition table")


def test_contents_renamed_before_they_are_durable(
    monkeypatch: pytest.MonkeyPatch, find: Find
) -> None:
    monkeypatch.setattr(CONTENTS_SYNC, forget)
    monkeypatch.setattr(READ_BACK, forget)  # it makes the kernel write them
    expect(find(receiving), "is not what its name says")


def test_an_image_before_its_contents(monkeypatch: pytest.MonkeyPatch, find: Find) -> None:
    flush, finish, make = Contents.flush, Contents.finish, _Job._make_images

    def first(job: _Job, sources: Sources) -> None:
        make(job, sources)
        flush(job.contents)
        finish(job.contents)

    monkeypatch.setattr(Contents, "flush", forget)
    monkeypatch.setattr(Contents, "finish", forget)
    monkeypatch.setattr(LACKS, forget)  # the receiver itself would find it
    monkeypatch.setattr(_Job, "_make_images", first)
    expect(find(receiving), "names it")


def test_a_manifest_before_its_images(monkeypatch: pytest.MonkeyPatch, find: Find) -> None:
    make = _Job._make_images

    def early(job: _Job, sources: Sources) -> None:
        path = job.registry.manifest_path(job.manifest.root)
        write_durably(path, print_manifest(job.manifest))
        make(job, sources)

    monkeypatch.setattr(_Job, "_make_images", early)
    expect(find(receiving), "is missing")


def test_names_in_the_pool_that_nobody_makes_durable(
    monkeypatch: pytest.MonkeyPatch, find: Find
) -> None:
    """The prover cannot find that: the image comes later, and a journal keeps the order."""
    sync = sync_file_system

    def synced(descriptor: int) -> None:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            sync(descriptor)

    monkeypatch.setattr(CONTENTS_SYNC, synced)
    assert find(receiving).bad == 0


# -- a disk that lies ------------------------------------------------------------------------------


def lie(rig: Rig, offset: int, descriptor: int) -> None:
    """Let the disk have something else of a file that was made durable."""
    (block,) = struct.unpack("I", fcntl.ioctl(descriptor, FIBMAP, struct.pack("I", 0)))
    with open_disk(rig.paths) as disk:
        disk.write(offset + block * os.fstatvfs(descriptor).f_bsize, b"lie " * 128)
        disk.flush()


def lying(monkeypatch: pytest.MonkeyPatch, device: SmallDevice) -> Workload:
    """Receive on a disk that keeps one content in another way than it says."""
    offset = partition(device.image, SYSTEM).offset

    def workload(rig: Rig, update: Update) -> None:
        lied: list[int] = []

        def synced(descriptor: int) -> None:
            sync_file_system(descriptor)
            if not lied and stat.S_ISREG(os.fstat(descriptor).st_mode):
                lied.append(descriptor)
                lie(rig, offset, descriptor)

        monkeypatch.setattr(CONTENTS_SYNC, synced)
        receiving(rig, update)
        assert lied

    return workload


def test_a_content_that_the_disk_did_not_keep_is_refused(
    monkeypatch: pytest.MonkeyPatch, find: Find, device: SmallDevice
) -> None:
    with pytest.raises(WrittenDifferently):
        find(lying(monkeypatch, device))


def test_a_content_that_is_not_read_back(
    monkeypatch: pytest.MonkeyPatch, find: Find, device: SmallDevice
) -> None:
    monkeypatch.setattr(READ_BACK, forget)
    expect(find(lying(monkeypatch, device)), "is not what its name says")


# -- slots, and what is remembered -----------------------------------------------------------------


def test_slot_written_in_place_of_the_running_one(
    monkeypatch: pytest.MonkeyPatch, find: Find
) -> None:
    def written(image: FatImage, slot: Disk, expected: Digest) -> int:
        assert isinstance(slot, PartitionView)
        found = read_selection(slot.disk)
        write_slot(image, PartitionView(slot.disk, found.tables.slot(found.slot)), expected)
        return write_slot(image, slot, expected)

    monkeypatch.setattr("reconix.device.update.apply.write_slot", written)
    expect(find(receiving, trying), "would boot but holds no image of a generation")


def test_state_file_overwritten_in_place(monkeypatch: pytest.MonkeyPatch, find: Find) -> None:
    def overwrite(path: Path, content: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(descriptor, content)
        os.ftruncate(descriptor, len(content))
        os.fsync(descriptor)
        os.close(descriptor)

    monkeypatch.setattr("reconix.boot.trial.write_durably", overwrite)
    expect(find(receiving, trying), "what the agent remembers cannot be read")


def test_collect_before_confirm(
    monkeypatch: pytest.MonkeyPatch, find: Find, device: SmallDevice, tmp_path: Path
) -> None:
    def selected(disk: Disk, slot: Slot) -> tuple[str, ...]:
        registry = Registry(tmp_path / "system")
        registry.remove(device.update.base.path)
        store.collect(registry)
        return select_slot(disk, slot)

    monkeypatch.setattr("reconix.device.update.confirm.select_slot", selected)
    expect(find(receiving, trying, confirming), "is missing")


def test_contents_removed_before_the_manifest(monkeypatch: pytest.MonkeyPatch, find: Find) -> None:
    def collected(device: Device, state: State) -> store.Collected:
        kept = [each for each in device.registry.manifests() if str(each.root) in state.needed]
        for path in list(unneeded(device.registry, kept)):
            path.unlink()
        run("sync", "--file-system", device.paths.system)  # as a busy kernel may
        return collect(device, state)

    monkeypatch.setattr("reconix.prove.workload.collect", collected)
    expect(find(receiving, collecting), "names it")


def unneeded(registry: Registry, kept: Collection[Manifest]) -> Iterator[Path]:
    """The contents that only other manifests need."""
    needed = store.needed_contents(registry, kept)
    assert needed is not None
    return (registry.pool.path(each) for each in registry.pool.digests() if each not in needed)


def test_images_removed_after_their_contents(monkeypatch: pytest.MonkeyPatch, find: Find) -> None:
    def collected(registry: Registry) -> store.Collected:
        manifests = registry.manifests()
        needed = store.needed_contents(registry, manifests)
        for path in list(store.unneeded_contents(registry, needed)):
            path.unlink()
        run("sync", "--file-system", registry.system_root)
        return right(registry)

    right = store.collect
    monkeypatch.setattr("reconix.store.collect.collect", collected)
    expect(find(receiving, collecting), "names it")


# -- more than was asked for -----------------------------------------------------------------------


def test_no_flush_of_the_disk(monkeypatch: pytest.MonkeyPatch, find: Find) -> None:
    def flush(self: DiskFile) -> None:
        assert self.size_bytes

    monkeypatch.setattr("reconix.boot.disk.DiskFile.flush", flush)
    expect(find(receiving, trying, confirming), "")


def write(disk: Disk, wanted: Write) -> None:
    disk.write(wanted.offset, wanted.content)


def test_a_trial_selected_before_its_way_back_is_there(
    monkeypatch: pytest.MonkeyPatch, need: Callable[..., None], tmp_path: Path
) -> None:
    need_recording(need)

    def arm(one_shot: DiskOneShot, home: Selection, trial: Slot, system: str) -> None:
        with one_shot.opened() as disk:
            select_slot(disk, trial)
        one_shot.leave(home, trial)

    monkeypatch.setattr(DiskOneShot, "arm", arm)

    def workload(rig: Rig) -> None:
        receiving(rig, device.update)
        trying(rig, device.update)

    with small_device(tmp_path, extra={"update.json": File(print_json(BY_DISK))}) as device:
        folder = tmp_path / "job"
        folder.mkdir()
        job = record(device.image, device.known, folder, workload)
        expect(prove(job, wanted=STATES, seed=SEED, processes=1), "was never tried")


def test_a_slot_selected_before_it_is_written_down_that_it_needs_no_trial(
    monkeypatch: pytest.MonkeyPatch, need: Callable[..., None], tmp_path: Path
) -> None:
    need_recording(need)

    select_before_it_is_recorded(monkeypatch)
    with small_device(tmp_path, only=["mqtt"]) as device:
        folder = tmp_path / "job"
        folder.mkdir()
        job = record(
            device.image,
            device.known,
            folder,
            lambda rig: untouched(rig, device.update),
            pace=Pace.QUIET,
        )
        expect(prove(job, wanted=STATES, seed=SEED, processes=1), "was never tried")
