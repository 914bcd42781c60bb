"""A generation that demands comparison is not registered on a disk that cannot have it."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.verity_kernel import Kernel

from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees, system_images
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.store.tree import File, Symlink, folder
from reconix.transfer.receiving.integrity import NoIntegrity
from reconix.transfer.receiving.receive import receive
from reconix.transfer.sending import send


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as store:
        yield store


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    (tmp_path / "system").mkdir()
    return Registry(tmp_path / "system")


def generation(store: ChrootStore, **besides: str) -> StorePath:
    toplevel = store.add_files(folder({"init": Symlink("/usr/sbin/init")}), "system-default")
    images = system_images(DeviceTrees(store), toplevel)
    system = {
        "toplevel": str(toplevel),
        "images": sorted(image.entry.sha256.hex() for image in images),
    }
    document = {
        "version": 2,
        "host": "box",
        "architecture": "amd64",
        "default": "default",
        "systems": {"default": system},
        "boot": f"/nix/store/{'2' * 32}-boot-box",
        "slot": {"image_sha256": "ab" * 32, "image_size_bytes": 1024, "slot_size_bytes": 4096},
        **besides,
    }
    nodes = {"generation.json": File(json.dumps(document).encode())}
    return store.add_files(folder(nodes), "generation-box", [toplevel])


def take(store: ChrootStore, target: StorePath, registry: Registry) -> None:
    stream = io.BytesIO()
    send.create(store, [], target, stream.write)
    stream.seek(0)
    receive(stream.read, registry, host="box", architecture="amd64")


def test_it_is_refused_and_leaves_nothing(store: ChrootStore, registry: Registry) -> None:
    target = generation(store, integrity="verity")
    with pytest.raises(NoIntegrity, match=r"cannot have hashes") as failure:
        take(store, target, registry)
    assert failure.value.exit_code == 34
    assert registry.roots() == ()
    assert list(registry.pool.digests()) == []
    assert not registry.images_dir.exists() or not any(registry.images_dir.iterdir())


def test_without_the_demand_it_is_taken(store: ChrootStore, registry: Registry) -> None:
    targets = [generation(store), generation(store, integrity="none")]
    for target in targets:
        take(store, target, registry)
    assert set(registry.roots()) == set(targets)


def test_on_a_disk_that_can_have_hashes_it_is_taken_and_all_that_came_has_them(
    store: ChrootStore, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel is asked while nobody can write the file, and before it has a name."""
    kernel = Kernel()
    monkeypatch.setattr("fcntl.ioctl", kernel.ioctl)
    target = generation(store, integrity="verity")
    take(store, target, registry)
    named = {path.stat().st_ino for path in registry.pool.folder.glob("*/*")}
    named |= {path.stat().st_ino for path in registry.images_dir.iterdir()}
    assert kernel.protected == named
    assert len(named) == 3
    assert all(place.startswith(str(registry.staging_dir)) for place in kernel.asked_for)
