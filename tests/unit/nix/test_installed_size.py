"""Sizes of what is on a device, against the files that are there then."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import made_generations
from tests.project_files import enough

from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees, read_device_generation, system_images
from reconix.nix.install import install
from reconix.nix.installed_size import installed_size
from reconix.store.registry import Registry

SHARED = "shared by all\n" * 99


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as store:
        yield store


def test_a_generation_is_as_large_as_the_files_of_a_device_that_has_only_this_one(
    store: ChrootStore, tmp_path: Path
) -> None:
    web = made_generations.toplevel(store, SHARED, again=SHARED, other="other" * 99, small="small")
    generation = read_device_generation(store, made_generations.generation(store, web))
    install(generation, Registry(tmp_path / "device"))
    pool, images = (
        [path.stat().st_size for path in (tmp_path / "device" / part).rglob("*") if path.is_file()]
        for part in ("pool", "images")
    )
    found = installed_size(generation.images)
    enough(pool, at_least=3, what="contents")
    assert (found.contents, found.contents_bytes) == (len(pool), sum(pool))
    assert (found.images, found.images_bytes) == (len(images), sum(images))
    assert found.total_bytes == sum(pool) + sum(images)


def test_what_two_systems_share_counts_once(store: ChrootStore) -> None:
    trees = DeviceTrees(store)
    one, other = (
        system_images(trees, made_generations.toplevel(store, SHARED, own=own * 99))
        for own in ("one", "two")
    )
    both = installed_size([*one, *other, *one])
    apart = [installed_size(images) for images in (one, other)]
    assert sum(size.contents_bytes for size in apart) == both.contents_bytes + len(SHARED)
    assert sum(size.images_bytes for size in apart) == both.images_bytes
