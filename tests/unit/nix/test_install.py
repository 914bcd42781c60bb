"""Generations of a build store below a folder, as a device has them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import made_generations
from tests.project_files import enough

from reconix.base.errors import ReconixError
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceGeneration, read_device_generation
from reconix.nix.install import install
from reconix.store.images.nodes import contents
from reconix.store.registry import Registry

PAGE = "a page of more than the few bytes that stand in an image\n" * 9


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as store:
        yield store


def made(store: ChrootStore, page: str = PAGE, **more: str) -> DeviceGeneration:
    toplevel = made_generations.toplevel(store, page, **more)
    return read_device_generation(store, made_generations.generation(store, toplevel))


def files(place: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of all files; of folders their mode."""
    return {
        str(path.relative_to(place)): (
            path.lstat().st_mode & 0o7777,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(place.rglob("*"))
    }


def test_an_installed_generation_lacks_nothing_and_each_file_is_what_its_name_says(
    store: ChrootStore, tmp_path: Path
) -> None:
    generation, registry = made(store), Registry(tmp_path / "device")
    install(generation, registry)
    assert registry.manifests() == (generation.manifest,)
    for entry in enough(generation.manifest.images, at_least=2, what="images"):
        registry.verify_image(entry)
    digests = {digest for tree in generation.trees.values() for digest, _ in contents(tree)}
    assert set(registry.pool.digests()) == digests
    for tree in generation.trees.values():
        for digest, size_bytes in contents(tree):
            registry.pool.verify(digest, size_bytes)
    for path, tree in generation.trees.items():
        assert registry.tree(path) == tree


def test_contents_and_images_are_for_root_alone_and_nothing_else_is_left(
    store: ChrootStore, tmp_path: Path
) -> None:
    place = tmp_path / "device"
    before = os.umask(0o002)
    try:
        install(made(store), Registry(place))
    finally:
        os.umask(before)
    found = files(place)
    assert found["reconix/layout"][1] == b"2\n"
    for name, (mode, _) in enough(found, at_least=7, what="files").items():
        if name.startswith(("pool", "images")):
            assert mode == (0o700 if (place / name).is_dir() else 0o400), name
    tops = {name.partition("/")[0] for name in found}
    assert tops == {"pool", "images", "reconix"}
    assert {path.name for path in (place / "reconix").iterdir()} == {"generations", "layout"}


def test_a_second_generation_adds_only_what_is_new(store: ChrootStore, tmp_path: Path) -> None:
    place = tmp_path / "device"
    install(made(store, other="other" * 99), Registry(place))
    inodes = {path: path.stat().st_ino for path in place.rglob("*")}
    generation = made(store, PAGE + "!", other="other" * 99)
    install(generation, Registry(place))
    assert {path: path.stat().st_ino for path in inodes} == inodes
    assert len(Registry(place).manifests()) == 2
    Registry(place).expect_whole(generation.manifest)


def test_what_was_cut_off_is_finished_and_what_is_there_is_kept(
    store: ChrootStore, tmp_path: Path
) -> None:
    generation, whole, cut = made(store), tmp_path / "whole", tmp_path / "cut"
    install(generation, Registry(whole))
    for name in [path for path in files(whole) if (whole / path).is_file()]:
        install(generation, Registry(cut))
        (cut / name).unlink()
        (cut / "reconix/staging").mkdir()
        (cut / "reconix/staging/0").write_bytes(b"half")
        install(generation, Registry(cut))
        assert files(cut) == files(whole), name


def test_a_content_that_changed_in_the_build_store_is_not_registered(
    store: ChrootStore, tmp_path: Path
) -> None:
    generation = made(store)
    place = next(iter(generation.places.values()))
    place.chmod(0o644)
    place.write_bytes(place.read_bytes() + b"more")
    with pytest.raises(ReconixError):
        install(generation, Registry(tmp_path / "device"))
    assert Registry(tmp_path / "device").manifests() == ()
