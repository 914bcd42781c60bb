"""The receiver is cut before each step that changes the disk, and started again.

``tests/cuts.py`` gives the device as each cut leaves it, without any clean-up. What is there is
looked at, and the same stream is received again.
"""

import io
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cuts import STOPPED, states, stop_after
from tests.project_files import enough
from tests.unit.transfer.conftest import Workshop, expect_intact
from tests.unit.transfer.receiving.test_contents import PAGE

from reconix.base.digests import Digest
from reconix.base.files import remove_tree, sync_file_system
from reconix.nix.chroot import ChrootStore
from reconix.store.images.verity import digest
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.store.tree import File, Node, Symlink, folder
from reconix.transfer.receiving import images
from reconix.transfer.receiving.receive import receive
from reconix.transfer.receiving.spool import Spool


@dataclass(frozen=True)
class Update:
    """A device with one generation, and the stream that leads to the next."""

    base: StorePath
    target: StorePath
    stream: bytes
    pristine: Path
    system: Path
    keeps: bool  # what arrived, for the next attempt

    def reset(self) -> Registry:
        """The device as it was."""
        shutil.rmtree(self.system, ignore_errors=True)
        shutil.copytree(self.pristine, self.system, symlinks=True)
        return Registry(self.system)

    def receive(self, registry: Registry) -> None:
        """Receive the stream; if what arrived is kept, only the rest of it comes again."""
        if not self.keeps:
            read = io.BytesIO(self.stream).read
            receive(read, registry, host="gateway", architecture="amd64")
            return
        spool = Spool(registry.system_root / "reconix/spool")
        held = spool.held()
        if held is None:
            read = io.BytesIO(self.stream).read
            receive(read, registry, host="gateway", architecture="amd64", spool=spool)
            return
        link = io.BytesIO(self.stream[held.offset :])
        with spool.resuming(held, link.read) as rest:
            receive(rest, registry, host="gateway", architecture="amd64", spool=spool)


@pytest.fixture(params=[False, True], ids=["", "kept"])
def update(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Update]:
    large = os.urandom(100_000)
    old: dict[str, Node] = {"lib/a": File(b"a" * 99), "lib/b": File(PAGE), "bin": Symlink("lib")}
    new: dict[str, Node] = {
        **old,
        "lib/b": File(PAGE + b"changed"),
        "lib/c": File(b"c" * 99, executable=True),
        "lib/large": File(large),
    }
    kept = File(b"kept" * 99)
    with ChrootStore(tmp_path / "build") as store:
        workshop = Workshop(store, tmp_path)
        base = workshop.generation(root=folder(old), kept=kept)
        target = workshop.generation(root=folder(new), kept=kept, page=File(b"page" * 99))
        stream = workshop.stream(base, target)
        pristine = tmp_path / "pristine"
        workshop.device(base, at=pristine)
    yield Update(base, target, stream, pristine, tmp_path / "device", request.param)


def received_until(update: Update, registry: Registry, steps: int) -> bool:
    """Receive in a child process that ends after so many steps; whether it came to its end."""
    return _received(update, registry, lambda: stop_after(steps))


def received_until_images(update: Update, registry: Registry) -> bool:
    """Receive in a child process that ends when it is about to make an image; likewise."""
    return _received(update, registry, lambda: setattr(images, "write_image", _stop))


def _stop(*_: object) -> None:
    os._exit(STOPPED)


def _received(update: Update, registry: Registry, prepare: Callable[[], None]) -> bool:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            prepare()
            update.receive(registry)
            status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, STOPPED)
    return status == 0


def expect_consistent(registry: Registry, update: Update) -> None:
    """The old generation is complete; whatever is registered is."""
    assert registry.get(update.base) is not None
    for manifest in registry.manifests():
        expect_intact(registry, manifest)


def expect_final_names_whole(registry: Registry) -> None:
    """Whatever has a final name is what it says."""
    contents = [registry.pool.path(found) for found in registry.pool.digests()]
    for path in enough(contents, at_least=5, what="contents under their final names"):
        assert digest(path.read_bytes()).hex() == path.parent.name + path.name
    for path in enough(list(registry.images_dir.iterdir()), at_least=2, what="images"):
        assert Digest.of(path.read_bytes()).hex() == path.name


def expect_finished(registry: Registry, update: Update) -> None:
    expect_consistent(registry, update)
    assert registry.get(update.target) is not None
    assert list(registry.staging_dir.iterdir()) == []
    assert list(registry.pool.strangers()) == []
    assert not (registry.system_root / "reconix/spool").exists()


def test_p1_after_a_cut_at_any_step_the_old_generation_is_whole_and_a_repeat_finishes(
    update: Update,
) -> None:
    first = update.reset()
    for place in states(update.system, lambda: update.receive(first), at_least=40):
        registry = Registry(place)
        expect_consistent(registry, update)
        expect_final_names_whole(registry)
        update.receive(registry)
        expect_finished(registry, update)
        remove_tree(place)


def test_p1_cuts_again_and_again_end_in_the_same_state(update: Update) -> None:
    registry, steps = update.reset(), 0
    while not received_until(update, registry, steps):
        expect_consistent(registry, update)
        steps += 1
    assert steps > 10
    expect_finished(registry, update)


def test_r4_after_the_end_a_repeat_changes_nothing(update: Update) -> None:
    registry = update.reset()
    update.receive(registry)
    assert received_until(update, registry, steps=0)


def test_p1_what_a_cut_left_in_the_pool_is_not_written_again(update: Update) -> None:
    """The stream is cut when all contents have their names, and the images do not."""
    registry = update.reset()
    assert not received_until_images(update, registry)
    registry.clear_staging()
    before = {path: path.stat().st_ino for path in registry.pool.folder.rglob("*")}
    update.receive(Registry(update.system))
    after = {path: path.stat().st_ino for path in registry.pool.folder.rglob("*")}
    assert after == before and len(before) > 12
    expect_finished(Registry(update.system), update)


def test_p12_everything_is_durable_before_it_gets_its_name(
    update: Update, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = update.reset()
    durable = {path.lstat().st_ino for path in update.system.rglob("*")}
    order: list[str] = []
    fsync, rename = os.fsync, os.rename

    def record_fsync(descriptor: int) -> None:
        fsync(descriptor)
        durable.add(os.fstat(descriptor).st_ino)
        order.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")

    def record_rename(old: Path, new: Path) -> None:
        assert Path(old).lstat().st_ino in durable
        rename(old, new)
        order.append(f"-> {Path(new).parent.name}/{Path(new).name}")

    def record_all(descriptor: int) -> None:
        sync_file_system(descriptor)
        durable.update(path.lstat().st_ino for path in update.system.rglob("*"))
        order.append("sync all")

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr("reconix.transfer.receiving.contents.sync_file_system", record_all)
    monkeypatch.setattr(os, "rename", record_rename)
    update.receive(registry)
    assert registry.get(update.target) is not None
    named = [what for what in order if what.startswith("-> ")]
    pooled = [what for what in named if "/" in what and len(what.split("/")[0]) == len("-> ab")]
    imaged = [what for what in named if what.startswith("-> images/")]
    assert len(pooled) == 5 and len(imaged) == 2
    assert named == [*pooled, *imaged, f"-> generations/{update.target.basename}.manifest"]
    first_image = order.index(imaged[0])
    assert "sync all" in order[order.index(pooled[-1]) : first_image], "names in the pool"
    assert "sync images" in order[order.index(imaged[-1]) : order.index(named[-1])]
    assert order[-2 if update.keeps else -1] == "sync generations"
