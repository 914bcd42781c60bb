"""The receiver is cut before each step that changes the disk, and started again.

``tests/cuts.py`` gives the device as each cut leaves it, without any clean-up. What is there is
looked at, and the same stream is received again.
"""

import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cuts import STOPPED, states, stop_after
from tests.project_files import enough

from reconix.base.files import remove_tree, sync_file_system
from reconix.nix.chroot import ChrootStore
from reconix.store.nar import NarInfo, digest
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.store.tree import File, Node, Symlink, folder
from reconix.store.verify import changed_files
from reconix.transfer.receiving.receive import receive
from reconix.transfer.receiving.spool import Spool
from reconix.transfer.sending import send


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


def generation(store: ChrootStore, **objects: Node) -> StorePath:
    paths = {name: store.add_files(node, name) for name, node in objects.items()}
    links = {name: Symlink(str(path)) for name, path in paths.items()}
    document = File(b'{"host": "gateway", "architecture": "amd64"}\n')
    tree = folder({"generation.json": document, **links})
    return store.add_files(tree, "generation-gateway", paths.values())


def copy(old: Path, new: Path) -> None:
    if old.is_dir():
        shutil.copytree(old, new, symlinks=True)
    else:
        shutil.copy2(old, new)


@pytest.fixture(params=[False, True], ids=["", "kept"])
def update(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Update]:
    old: dict[str, Node] = {"lib/a": File(b"a"), "lib/b": File(b"b"), "bin": Symlink("lib")}
    new: dict[str, Node] = {**old, "lib/b": File(b"changed"), "lib/c": File(b"c", executable=True)}
    with ChrootStore(tmp_path / "build") as store:
        base = generation(store, root=folder(old), kept=File(b"kept"))
        target = generation(store, root=folder(new), kept=File(b"kept"), page=File(b"page"))
        stream = io.BytesIO()
        send.create(store, [base], target, stream.write)
        pristine = tmp_path / "pristine"
        for part in ("nix/store", "reconix/generations"):
            (pristine / part).mkdir(parents=True)
        registry = Registry(pristine)
        for item in store.manifest(base).objects:
            copy(store.path(item.path), registry.path(item.path))
        registry.add(store.manifest(base))
    yield Update(base, target, stream.getvalue(), pristine, tmp_path / "device", request.param)


def received_until(update: Update, registry: Registry, steps: int) -> bool:
    """Receive in a child process that ends after so many steps; whether it came to its end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            stop_after(steps)
            update.receive(registry)
            status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, STOPPED)
    return status == 0


def expect_consistent(registry: Registry, update: Update) -> None:
    """The old generation is complete; whatever is registered or has a final name is whole."""
    assert registry.get(update.base) is not None
    for item in registry.objects():
        assert digest(registry.path(item.path)) == NarInfo(item.nar, item.nar_size_bytes)


def expect_final_names_whole(registry: Registry, whole: dict[str, NarInfo]) -> None:
    named = list(registry.store_dir.glob("[!.]*"))
    for path in enough(named, at_least=2, what="objects under their final names"):
        assert digest(path) == whole[path.name]


def expect_finished(registry: Registry, update: Update) -> None:
    expect_consistent(registry, update)
    assert registry.get(update.target) is not None
    assert list(registry.staging_dir.iterdir()) == []
    assert not (registry.system_root / "reconix/spool").exists()
    base, target = registry.get(update.base), registry.get(update.target)
    assert base is not None and target is not None
    sent = set(target.objects) - set(base.objects)
    for item in enough(sent, at_least=1, what="objects that were sent"):  # each file can be named
        assert changed_files(registry.store_dir, registry.path(item.path)) == []


def contents(registry: Registry) -> dict[str, NarInfo]:
    return {
        item.path.basename: NarInfo(item.nar, item.nar_size_bytes) for item in registry.objects()
    }


def test_p1_after_a_cut_at_any_step_the_old_generation_is_whole_and_a_repeat_finishes(
    update: Update,
) -> None:
    registry = update.reset()
    update.receive(registry)
    whole = contents(registry)
    first = update.reset()
    for place in states(update.system, lambda: update.receive(first), at_least=40):
        registry = Registry(place)
        expect_consistent(registry, update)
        expect_final_names_whole(registry, whole)
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


def inodes(tree: Path) -> set[int]:
    """Of all files and folders; a link is made durable by its folder."""
    paths = [tree, *tree.rglob("*")]
    return {path.lstat().st_ino for path in paths if not path.is_symlink()}


def test_p12_everything_is_durable_before_it_gets_its_name(
    update: Update, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = update.reset()
    known = {path.lstat().st_ino for path in update.system.rglob("*")}
    durable: set[int] = set()
    order: list[str] = []
    fsync, rename = os.fsync, os.rename

    def record_fsync(descriptor: int) -> None:
        fsync(descriptor)
        durable.add(os.fstat(descriptor).st_ino)
        order.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    def record_rename(old: Path, new: Path) -> None:
        if Path(new).parent == registry.store_dir:
            assert inodes(Path(old)) - known <= durable
        rename(old, new)
        order.append(f"-> {Path(new).name}")

    def record_all(descriptor: int) -> None:
        sync_file_system(descriptor)
        durable.update(path.lstat().st_ino for path in update.system.rglob("*"))

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr("reconix.transfer.receiving.staging.sync_file_system", record_all)
    monkeypatch.setattr(os, "rename", record_rename)
    update.receive(registry)
    manifest = order.index(f"-> {update.target.basename}.manifest")
    last_object = max(
        index for index, what in enumerate(order[:manifest]) if what.startswith("-> ")
    )
    assert "store" in order[last_object:manifest]
    assert order[-2 if update.keeps else -1] == "generations"
