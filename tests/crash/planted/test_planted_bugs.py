"""The prover finds bugs: each test replaces one function of the product by a wrong one.

What is planted are the mistakes that updaters make. None of them shows in a test that does not cut
the power: with each of them the update itself succeeds.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Protocol

import pytest
from tests.device_model import BY_DISK
from tests.small_device import SmallDevice, need_recording, small_device

from reconix.base.digests import Digest
from reconix.base.documents import print_json
from reconix.base.files import remove_tree, rename_durably
from reconix.base.process import run
from reconix.boot.disk import Disk, DiskFile
from reconix.boot.fat import FatImage
from reconix.boot.gpt import parse_header, print_header
from reconix.boot.oneshots.disk import DiskOneShot
from reconix.boot.slots import write_slot
from reconix.boot.tables import Copy, Selection, Slot, Write, read_selection, select_slot
from reconix.device.hardware.disk import PartitionView
from reconix.prove.prover import Result, prove
from reconix.prove.record import record
from reconix.prove.recorder import Pace
from reconix.prove.rig import Rig
from reconix.prove.workload import Workload, collecting, confirming, everything, receiving, trying
from reconix.store import collect
from reconix.store.registry import Registry
from reconix.store.tree import File
from reconix.transfer.receiving.staging import _Unsynced

pytestmark = pytest.mark.prover

SEED, STATES = 1, 1000


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


def test_rename_before_the_content_is_durable(monkeypatch: pytest.MonkeyPatch, find: Find) -> None:
    def forget(self: _Unsynced, _: int) -> None:
        self.close()

    monkeypatch.setattr("reconix.transfer.receiving.staging._Unsynced.flush", forget)
    expect(find(receiving), "has another content")


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
        collect.collect(registry.store_dir, registry.manifests())
        return select_slot(disk, slot)

    monkeypatch.setattr("reconix.device.update.confirm.select_slot", selected)
    expect(find(receiving, trying, confirming), "is missing")


# -- more than was asked for -----------------------------------------------------------------------


def test_objects_removed_under_their_final_name(
    monkeypatch: pytest.MonkeyPatch, find: Find
) -> None:
    def withdrawn(path: Path) -> None:
        for file in sorted(path.rglob("file-1*")):
            file.unlink()
            run("sync", "--file-system", path)  # as a busy kernel may, whenever it likes
        remove_tree(path)

    monkeypatch.setattr("reconix.store.collect.withdraw", withdrawn)
    expect(find(receiving, collecting, pace=Pace.RESTLESS), "/nix/store/")


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
