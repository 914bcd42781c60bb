"""Generations on a device: installed is what a manifest names, when all that it names is there."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.placed import COMMON, LIBRARY, described, numbered, root_of
from tests.project_files import enough

from reconix.base.files import TooLarge
from reconix.nix.images import DeviceGeneration
from reconix.nix.install import install
from reconix.store.images.image import BadImage
from reconix.store.images.nodes import contents
from reconix.store.images.verity import digest
from reconix.store.manifest import BadManifest
from reconix.store.pool import BadContent
from reconix.store.registry import ImageMissing, NotInstalled, Registry
from reconix.store.tree import File, folder

ONE, TWO = root_of(1), root_of(2)
MANIFESTS = "reconix/generations"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A device that has nothing yet."""
    return Registry(tmp_path / "device")


@pytest.fixture
def one(tmp_path: Path) -> DeviceGeneration:
    """A generation, not installed."""
    return numbered(tmp_path / "source", 1)


@pytest.fixture
def two(tmp_path: Path) -> DeviceGeneration:
    """Another one, which shares an image with the first."""
    return numbered(tmp_path / "source", 2)


def big(number: int) -> bytes:
    return b"%d" % number * 999


# Generations


def test_a_new_device_has_nothing(registry: Registry) -> None:
    assert registry.manifests() == ()
    assert registry.roots() == ()
    assert registry.get(ONE) is None
    registry.remove(ONE)
    registry.clear_staging()
    with pytest.raises(NotInstalled, match="root is not installed"):
        registry.tree(ONE)


def test_what_was_added_is_installed(
    registry: Registry, one: DeviceGeneration, two: DeviceGeneration
) -> None:
    install(one, registry)
    install(two, registry)
    assert registry.roots() == (ONE, TWO)
    assert registry.manifests() == (one.manifest, two.manifest)
    assert registry.get(ONE) == one.manifest
    registry.remove(ONE)
    registry.remove(ONE)
    assert registry.manifests() == (two.manifest,)
    assert registry.get(ONE) is None


def test_what_another_command_has_changed_is_seen(
    registry: Registry, one: DeviceGeneration, two: DeviceGeneration
) -> None:
    """What is kept in memory is what is on the disk; somebody may have had to wait for the lock."""
    install(one, registry)
    assert registry.manifests() == (one.manifest,)
    other = Registry(registry.system_root)
    install(two, other)
    assert registry.manifests() == (one.manifest, two.manifest)
    other.remove(ONE)
    assert registry.manifests() == (two.manifest,)


def test_installing_again_writes_nothing(registry: Registry, one: DeviceGeneration) -> None:
    install(one, registry)
    folder = registry.system_root / MANIFESTS
    before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()]
    assert len(before) == 1
    registry.add(one.manifest)
    assert [(path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()] == before


def test_a_generation_without_one_of_its_images_is_not_installed(
    registry: Registry, one: DeviceGeneration
) -> None:
    for entry in enough(one.manifest.images, at_least=2, what="images"):
        install(one, registry)
        registry.remove(ONE)
        registry.image_path(entry.sha256).unlink()
        with pytest.raises(ImageMissing, match=entry.sha256.hex()):
            Registry(registry.system_root).add(one.manifest)
        assert registry.manifests() == ()


def test_a_generation_without_one_of_its_contents_is_not_installed(
    registry: Registry, one: DeviceGeneration
) -> None:
    found = {digest for tree in one.trees.values() for digest, _ in contents(tree)}
    for content in enough(sorted(found), at_least=2, what="contents"):
        install(one, registry)
        registry.remove(ONE)
        registry.pool.path(content).unlink()
        with pytest.raises(BadContent, match=f"{content.hex()} is missing"):
            registry.add(one.manifest)
        assert registry.manifests() == ()


def test_what_an_installed_generation_has_lost_is_found(
    registry: Registry, one: DeviceGeneration
) -> None:
    install(one, registry)
    registry.expect_whole(one.manifest)
    registry.pool.path(digest(LIBRARY)).unlink()
    with pytest.raises(BadContent, match="is missing"):
        registry.expect_whole(one.manifest)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def forget(path: Path) -> None:
    path.unlink()
    path.mkdir()


def rename(path: Path) -> None:
    """The manifest of another generation."""
    content = json.loads(path.read_text())
    content["root"] = str(COMMON)
    path.write_text(json.dumps(content))


def of_layout_1(path: Path) -> None:
    path.write_text(json.dumps({"version": 1, "root": str(ONE), "objects": []}))


@pytest.mark.parametrize("damage", [truncate, forget, rename, of_layout_1])
def test_a_damaged_manifest_is_named_and_hides_no_other_generation(
    damage: Callable[[Path], None],
    registry: Registry,
    one: DeviceGeneration,
    two: DeviceGeneration,
) -> None:
    install(one, registry)
    install(two, registry)
    name = registry.system_root / MANIFESTS / f"{ONE.basename}.manifest"
    damage(name)
    with pytest.raises(BadManifest, match=name.name):
        registry.manifests()
    with pytest.raises(BadManifest, match=name.name):
        registry.get(ONE)
    damaged, sound = registry.each_manifest()
    assert isinstance(damaged, BadManifest) and sound == two.manifest
    assert registry.read(TWO, "big", limit_bytes=9999) == big(2)
    with pytest.raises(BadManifest, match=name.name):
        registry.read(ONE, "big", limit_bytes=9999)


def test_w3_a_manifest_of_a_newer_agent_is_read(registry: Registry, one: DeviceGeneration) -> None:
    install(one, registry)
    name = registry.system_root / MANIFESTS / f"{ONE.basename}.manifest"
    content = json.loads(name.read_text())
    name.write_text(json.dumps({**content, "version": 3, "extra": 1}))
    assert registry.read(ONE, "few", limit_bytes=9) == b"1"


# Objects


def test_what_was_installed_is_read_again(registry: Registry, one: DeviceGeneration) -> None:
    install(one, registry)
    assert registry.read(ONE, "big", limit_bytes=9999) == big(1)
    assert registry.read(ONE, "few", limit_bytes=9) == b"1"
    assert registry.read(COMMON, "copy", "lib", limit_bytes=9999) == LIBRARY
    assert registry.link(ONE, "c") == str(COMMON)
    assert registry.names(ONE) == ("big", "c", "few")
    assert registry.names(COMMON, "copy") == ("lib",)
    assert registry.has(ONE, "big") and registry.has(ONE, "c")
    assert {path: registry.tree(path) for path in (ONE, COMMON)} == one.trees


def test_what_is_not_there_or_something_else_is_told(
    registry: Registry, one: DeviceGeneration
) -> None:
    install(one, registry)
    for names in [("none",), ("few", "below"), ("c",), ("copy",), ()]:
        with pytest.raises(NotInstalled, match="/".join([ONE.basename, *names])):
            registry.read(ONE, *names, limit_bytes=9)
    for name in ("few", "none"):
        with pytest.raises(NotInstalled):
            registry.link(ONE, name)
    assert registry.names(ONE, "few") == registry.names(ONE, "none") == ()
    assert not registry.has(ONE, "none") and not registry.has(COMMON, "copy")
    with pytest.raises(NotInstalled):
        registry.has(TWO, "few")


def test_an_object_that_is_a_file_is_read_by_its_path_alone(
    registry: Registry, tmp_path: Path
) -> None:
    alone = File(LIBRARY)
    install(described(tmp_path / "source", ONE, {ONE: alone}), registry)
    assert registry.read(ONE, limit_bytes=9999) == LIBRARY
    assert registry.names(ONE) == ()


def test_what_is_larger_than_expected_is_not_read(
    registry: Registry, one: DeviceGeneration
) -> None:
    install(one, registry)
    assert registry.read(ONE, "big", limit_bytes=999) == big(1)
    with pytest.raises(TooLarge):
        registry.read(ONE, "big", limit_bytes=998)


def test_a_content_that_is_lost_is_not_mistaken_for_a_file_that_nobody_has(
    registry: Registry, one: DeviceGeneration
) -> None:
    """A setting that a system does not have has a default; one that cannot be read has none."""
    install(one, registry)
    path = registry.pool.path(digest(big(1)))
    path.chmod(0o600)
    path.write_bytes(big(1)[:-1])
    with pytest.raises(BadContent, match="has 998 bytes instead of 999"):
        registry.read(ONE, "big", limit_bytes=9999)
    path.unlink()
    with pytest.raises(BadContent, match="is missing"):
        registry.read(ONE, "big", limit_bytes=9999)


def test_an_object_that_several_images_have_is_read_from_one_of_them(
    registry: Registry, one: DeviceGeneration, tmp_path: Path
) -> None:
    other = folder({"big": File(big(3))})
    library = folder({"lib": File(LIBRARY), "copy/lib": File(LIBRARY)})
    twice = described(tmp_path / "more", TWO, {TWO: other, COMMON: library}, {COMMON: library})
    install(twice, registry)
    assert len(twice.manifest.images) == 2
    assert registry.read(COMMON, "lib", limit_bytes=9999) == LIBRARY


# Images


def test_an_image_is_compared_with_its_digest(registry: Registry, one: DeviceGeneration) -> None:
    install(one, registry)
    for entry in enough(one.manifest.images, at_least=2, what="images"):
        registry.verify_image(entry)
        path = registry.image_path(entry.sha256)
        content = path.read_bytes()
        path.chmod(0o600)
        for wrong in (content[:-1] + bytes([content[-1] ^ 1]), content[:-1], content + b"\0", b""):
            path.write_bytes(wrong)
            with pytest.raises(BadImage, match=f"{entry.sha256.hex()} was altered"):
                registry.verify_image(entry)
        path.unlink()
        with pytest.raises(ImageMissing, match=entry.sha256.hex()):
            registry.verify_image(entry)
        path.mkdir()
        with pytest.raises(BadImage, match="cannot be read"):
            registry.verify_image(entry)


def test_what_the_medium_does_not_give_of_an_image_is_told(
    registry: Registry, one: DeviceGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(one, registry)

    def broken(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "open", broken)
    with pytest.raises(BadImage, match=f"cannot be read.*{os.strerror(errno.EIO)}"):
        registry.verify_image(one.manifest.images[0])


def test_an_image_that_lacks_an_object_of_its_manifest_is_damaged(
    registry: Registry, one: DeviceGeneration
) -> None:
    install(one, registry)
    first, second = one.manifest.images
    path = registry.image_path(first.sha256)
    path.chmod(0o600)
    path.write_bytes(registry.image_path(second.sha256).read_bytes())
    with pytest.raises(BadImage, match=f"has no {first.objects[0]}"):
        Registry(registry.system_root).tree(first.objects[0])


def test_what_is_received_is_cleared(registry: Registry, tmp_path: Path) -> None:
    (registry.staging_dir / "folder").mkdir(parents=True)
    (registry.staging_dir / "1").write_bytes(b"")
    (tmp_path / "outside").write_bytes(b"")
    (registry.staging_dir / "link").symlink_to(tmp_path / "outside")
    registry.clear_staging()
    assert list(registry.staging_dir.iterdir()) == []
    assert (tmp_path / "outside").exists()
