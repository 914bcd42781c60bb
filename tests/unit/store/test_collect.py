"""What no installed generation needs is removed, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.heard import Heard
from tests.placed import LIBRARY, numbered, root_of

from reconix.base import progress
from reconix.nix.images import DeviceGeneration
from reconix.nix.install import install
from reconix.store.collect import Collected, collect
from reconix.store.images.verity import digest
from reconix.store.manifest import BadManifest
from reconix.store.registry import Registry

ONE, TWO = root_of(1), root_of(2)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "device")


@pytest.fixture
def one(tmp_path: Path) -> DeviceGeneration:
    return numbered(tmp_path / "source", 1)


@pytest.fixture
def both(registry: Registry, one: DeviceGeneration, tmp_path: Path) -> Registry:
    """A device with two generations, which share an image and its content."""
    install(one, registry)
    install(numbered(tmp_path / "source", 2), registry)
    return registry


def held(registry: Registry) -> set[str]:
    """All images and contents, by name."""
    images = {path.name for path in registry.images_dir.iterdir()}
    return images | {content.hex() for content in registry.pool.digests()}


def named(registry: Registry) -> set[str]:
    """Those that the manifests lead to."""
    entries = {entry for manifest in registry.manifests() for entry in manifest.images}
    found = {content.hex() for entry in entries for content, _ in registry.contents_of(entry)}
    return found | {entry.sha256.hex() for entry in entries}


def test_a_new_device_has_nothing_to_collect(registry: Registry) -> None:
    assert collect(registry) == Collected()


def test_installed_generations_stay_whole(both: Registry) -> None:
    before = held(both)
    assert collect(both) == Collected()
    assert held(both) == before == named(both)


def test_what_only_a_removed_generation_needs_goes(both: Registry) -> None:
    (gone,) = (e for e in both.manifests()[0].images if e not in both.manifests()[1].images)
    both.remove(ONE)
    assert collect(both) == Collected(1, 1, gone.size_bytes + 999)
    assert held(both) == named(both)
    assert both.pool.has(digest(LIBRARY), len(LIBRARY))
    assert collect(both) == Collected()


def test_without_generations_nothing_is_left(both: Registry) -> None:
    both.remove(ONE)
    both.remove(TWO)
    collected = collect(both)
    assert (collected.images, collected.contents, collected.count) == (3, 3, 6)
    assert held(both) == set()


def test_what_is_on_its_way_stays(registry: Registry, one: DeviceGeneration) -> None:
    """Its manifest is not installed; some of its images may not be there yet."""
    install(one, registry)
    registry.remove(ONE)
    first, second = one.manifest.images
    registry.image_path(first.sha256).unlink()
    collected = Registry(registry.system_root)
    collect(collected, also=[one.manifest])
    assert held(registry) == {
        second.sha256.hex(),
        *(content.hex() for content, _ in registry.contents_of(second)),
    }


def damage(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(b"\0" * 4096)


def remove(path: Path) -> None:
    path.unlink()


def mislead(path: Path) -> None:
    """It names another content, and all else is as it was."""
    content = path.read_bytes()
    named = [digest(each) for each in (b"2" * 999, LIBRARY)]
    path.chmod(0o600)
    for each in named:
        content = content.replace(each, bytes(32))
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [damage, remove, mislead])
def test_while_an_installed_image_cannot_be_read_no_content_is_removed(
    harm: Callable[[Path], None], both: Registry
) -> None:
    """It does not say which contents it needs."""
    both.remove(ONE)
    harm(both.image_path(both.manifests()[0].images[0].sha256))
    contents = list(both.pool.digests())
    told = Heard()
    progress.listen(told)
    assert collect(Registry(both.system_root)).contents == 0
    assert list(both.pool.digests()) == contents
    assert any("nothing is removed from the pool" in note for note in told.notes)


def test_with_a_damaged_manifest_nothing_is_removed(both: Registry) -> None:
    (name,) = (both.system_root / "reconix/generations").glob(f"{ONE.basename}*")
    name.write_bytes(b"{}")
    before = held(both)
    with pytest.raises(BadManifest):
        collect(both)
    assert held(both) == before


def test_what_is_no_content_and_no_image_is_removed(both: Registry, tmp_path: Path) -> None:
    """No link is followed on the way."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(b"")
    content = both.pool.path(digest(LIBRARY))
    before = held(both)
    for folder in (both.images_dir, both.pool.folder, content.parent):
        (folder / "file").write_bytes(b"")
        (folder / "folder").mkdir()
        (folder / "folder/below").write_bytes(b"")
        (folder / "link").symlink_to(outside)
    (both.pool.folder / "00f").symlink_to(outside)
    collect(both)
    assert held(both) == before
    assert list(both.pool.strangers()) == []
    assert (outside / "kept").exists()


def test_no_empty_folder_of_the_pool_is_left(both: Registry) -> None:
    both.remove(ONE)
    both.remove(TWO)
    collect(both)
    assert list(both.pool.folder.iterdir()) == []


def test_a_folder_in_place_of_a_content_goes_when_nobody_needs_it(both: Registry) -> None:
    path = both.pool.path(digest(b"1" * 999))
    path.unlink()
    path.mkdir()
    (path / "below").write_bytes(b"")
    both.remove(ONE)
    collect(both)
    assert held(both) == named(both)
