"""Kill the process at every change that it makes to the disk; what is left is old or new.

The child counts what Python tells its audit hooks: every rename, link, folder, removal, change of
mode or time, every file opened for writing, every program started. At the n-th it kills itself,
for each n until it comes through.
"""

import fcntl
import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.device_model import expect_whole
from tests.placed import numbered
from tests.project_files import enough

from reconix.base.digests import Digest
from reconix.base.files import remove_tree, rename_durably
from reconix.nix.chroot import Arrival, ChrootStore
from reconix.nix.collect import collect as collect_host
from reconix.nix.images import DeviceGeneration
from reconix.nix.install import install
from reconix.store import nar, tree
from reconix.store.collect import collect as collect_device
from reconix.store.images.nodes import contents
from reconix.store.images.verity import VerityHash
from reconix.store.links import LINKS
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.store.tree import File, Symlink, folder
from reconix.store.verify import verify_all

CHANGES = {
    "os.chmod",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.utime",
    "subprocess.Popen",
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
TREE = folder({"bin/run": File(b"run", executable=True), "l": Symlink("bin"), "t": File(b"old")})


def killed_at(step: int, action: Callable[[], object]) -> bool:
    """Do something in a child that dies at its n-th change; tell whether it died."""
    child = os.fork()
    if child == 0:
        try:
            sys.addaudithook(_deadly_hook(step))
            action()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


def _deadly_hook(step: int) -> Callable[[str, tuple[object, ...]], None]:
    left = step

    def hook(event: str, details: tuple[object, ...]) -> None:
        nonlocal left
        if event in CHANGES or (event == "open" and _writes(details)):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


def _writes(details: tuple[object, ...]) -> bool:
    return isinstance(details[2], int) and bool(details[2] & WRITING)


def steps(most: int = 2000) -> Iterator[int]:
    yield from range(1, most)
    raise AssertionError("it never came through")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# The build host


def check_host(store: ChrootStore) -> set[StorePath]:
    """Everything that is valid is whole."""
    valid = store.database.valid_paths()
    assert verify_all(store.store_dir, [store.info(path) for path in valid]) == []
    return valid


def prepare_host(root: Path) -> StorePath:
    with ChrootStore(root) as store:
        return store.add_files(folder({"t": File(b"old"), "big": File(bytes(2 << 20))}), "old")


def add_copy(root: Path, old: StorePath) -> StorePath:
    with ChrootStore(root) as store:
        return store.add_files(folder({"new": TREE, "ref": Symlink(str(old))}), "new", [old])


def add_moved(root: Path, old: StorePath) -> StorePath:
    source = root / "source"
    if not source.exists():
        remove_tree(root / "unfinished")
        tree.write(folder({"new": TREE, "ref": Symlink(str(old))}), root / "unfinished")
        rename_durably(root / "unfinished", source)
    with ChrootStore(root) as store:
        return store.add(source, "new", [old], move=True)


def take_in(root: Path, old: StorePath) -> StorePath:
    """Receive two objects in one batch."""
    with ChrootStore(root.parents[1] / "source") as source:
        top = next(path for path in source.database.valid_paths() if path.name == "two")
        infos = source.in_order([top])
        with ChrootStore(root) as store:
            store.receive_all(Arrival(info, nar.walk(source.path(info.path))) for info in infos)
    return top


def prepare_source(root: Path) -> None:
    old = prepare_host(root)
    one = add_copy(root, old)
    with ChrootStore(root) as source:
        source.add_files(Symlink(str(one)), "two", [one])


@pytest.mark.parametrize("add", [add_copy, add_moved, take_in])
def test_an_addition_cut_anywhere_leaves_a_store_that_verifies(
    add: Callable[[Path, StorePath], StorePath], tmp_path: Path
) -> None:
    seen = set()
    prepare_source(tmp_path / "source")
    expected = add(tmp_path / "expected/s", prepare_host(tmp_path / "expected/s"))
    for step in steps():
        root = tmp_path / str(step) / "s"
        old = prepare_host(root)
        died = killed_at(step, lambda root=root, old=old: add(root, old))  # type: ignore[misc]
        with ChrootStore(root) as store:
            valid = check_host(store)
            assert old in valid
            seen.add(expected in valid)
        assert add(root, old) == expected
        with ChrootStore(root) as store:
            store.pin("new", expected)
            collect_host(store)
            valid = check_host(store)
            assert valid == set(store.closure(expected))
            expected_names = sorted([LINKS, *(one.basename for one in valid)])
            # the lock file of a path that is in use may stay, as with Nix: nobody holds it
            assert [one for one in names(store.store_dir) if not one.endswith(".lock")] == (
                expected_names
            )
        if not died:
            break
        shutil.rmtree(root)
    assert seen == {False, True}


def test_a_collection_cut_anywhere_leaves_a_store_that_verifies(tmp_path: Path) -> None:
    for step in steps():
        root = tmp_path / str(step)
        old = prepare_host(root)
        gone = add_copy(root, old)
        with ChrootStore(root) as store:
            store.pin("keep", old)
        died = killed_at(step, lambda root=root: _collect(root))  # type: ignore[misc]
        with ChrootStore(root) as store:
            assert check_host(store) in ({old}, {old, gone})
        _collect(root)
        with ChrootStore(root) as store:
            assert check_host(store) == {old}
            assert names(store.store_dir) == sorted([LINKS, old.basename])
            assert len(names(store.store_dir / LINKS)) == 2
        if not died:
            break
    assert step > 10


def _collect(root: Path) -> None:
    with ChrootStore(root) as store:
        collect_host(store)


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    """Whoever waits for a lock gets it as soon as its owner is dead."""
    old = prepare_host(tmp_path / "s")
    for step in itertools.count(1, 7):
        if not killed_at(step, lambda: add_copy(tmp_path / "s", old)):
            break
        for lock in enough(list((tmp_path / "s").rglob("*lock")), at_least=1, what="locks"):
            with lock.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert step > 10


# The device


def check_device(registry: Registry) -> set[StorePath]:
    """Everything that is installed is whole; so is everything under a final name."""
    registry = Registry(registry.system_root)
    for manifest in registry.manifests():
        expect_whole(registry, manifest)
    for digest in registry.pool.digests():
        content = registry.pool.path(digest).read_bytes()
        assert VerityHash(content).digest() == digest
    if registry.images_dir.exists():
        for image in registry.images_dir.iterdir():
            assert Digest.of_file(image).hex() == image.name
    assert list(registry.pool.strangers()) == []
    return {manifest.root for manifest in registry.manifests()}


def named(*generations: DeviceGeneration) -> set[str]:
    """All images and contents of generations."""
    trees = [tree for generation in generations for tree in generation.trees.values()]
    images = [entry for generation in generations for entry in generation.manifest.images]
    found = {digest.hex() for tree in trees for digest, _ in contents(tree)}
    return found | {entry.sha256.hex() for entry in images}


def held(registry: Registry) -> set[str]:
    """All images and contents of a device."""
    return {*names(registry.images_dir), *(digest.hex() for digest in registry.pool.digests())}


def test_an_installation_cut_anywhere_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    seen = set()
    old, new = (numbered(tmp_path / "source", number) for number in (1, 2))
    for step in steps():
        registry = Registry(tmp_path / str(step))
        install(old, registry)
        died = killed_at(step, lambda registry=registry: install(new, registry))  # type: ignore[misc]
        installed = check_device(registry)
        assert old.manifest.root in installed
        seen.add(len(installed))
        install(new, registry)
        assert check_device(registry) == {old.manifest.root, new.manifest.root}
        assert held(registry) == named(old, new)
        if not died:
            break
    assert seen == {1, 2} and step > 10


def test_a_removal_cut_anywhere_leaves_the_other_generation_whole(tmp_path: Path) -> None:
    old, new = (numbered(tmp_path / "source", number) for number in (1, 2))
    for step in steps():
        registry = Registry(tmp_path / str(step))
        install(old, registry)
        install(new, registry)
        died = killed_at(step, lambda registry=registry: _remove(registry, old))  # type: ignore[misc]
        assert check_device(registry) in (
            {new.manifest.root},
            {old.manifest.root, new.manifest.root},
        )
        _remove(registry, old)
        assert check_device(registry) == {new.manifest.root}
        assert held(registry) == named(new)
        if not died:
            break
    assert step > 3


def _remove(registry: Registry, generation: DeviceGeneration) -> None:
    registry.remove(generation.manifest.root)
    collect_device(registry)
