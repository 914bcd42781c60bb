"""A device is read bit by bit, and what is wrong is named by the files that it makes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests import placed
from tests.placed import COMMON, LIBRARY
from tests.verity_kernel import Kernel

from reconix.nix.install import install
from reconix.store.collect import collect
from reconix.store.images import verity
from reconix.store.registry import Registry
from reconix.store.scrub import (
    BEGIN,
    MAX_FILES,
    Damage,
    Kind,
    is_intact,
    read_on,
    still_damaged,
)

LIB = verity.digest(LIBRARY)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Two generations, which share an object."""
    registry = Registry(tmp_path / "device")
    for number in (1, 2):
        install(placed.numbered(tmp_path / "source", number), registry)
    return registry


def alter(path: Path) -> None:
    path.chmod(0o600)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def cut(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])


def put_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = pytest.mark.parametrize("damage", [alter, cut, Path.unlink, put_a_folder])


def found(registry: Registry) -> tuple[Damage, ...]:
    """What a whole pass finds."""
    return still_damaged(registry, read_on(registry, BEGIN).wrong.values())


def names(registry: Registry) -> list[bytes]:
    """Everything that is installed, by digest."""
    manifests = registry.manifests()
    images = {entry.sha256.value for each in manifests for entry in each.images}
    return sorted(images | set(registry.pool.digests()))


def test_what_is_as_it_was_installed_has_nothing_wrong(registry: Registry) -> None:
    reading = read_on(registry, BEGIN)
    assert (reading.place, reading.wrong) == (BEGIN, {})
    assert sorted(reading.sound) == names(registry)
    files = [*registry.pool.folder.rglob("*"), *registry.images_dir.iterdir()]
    assert reading.read_bytes == sum(path.stat().st_size for path in files if path.is_file())


def test_a_little_at_a_time_is_everything_in_the_end_and_each_once(registry: Registry) -> None:
    read, place = list[bytes](), BEGIN
    for _ in range(99):
        reading = read_on(registry, place, 1)
        assert len(reading.sound) <= 1
        read += sorted(reading.sound)
        place = reading.place
        if place == BEGIN:
            break
    assert read == names(registry)


def test_it_ends_before_it_reads_more_than_it_may(registry: Registry) -> None:
    everything = read_on(registry, BEGIN).read_bytes
    limit = everything // 2
    reading = read_on(registry, BEGIN, limit)
    assert reading.place != BEGIN and 0 < reading.read_bytes <= limit


@DAMAGES
def test_w6_a_damaged_content_is_named_by_its_files(
    registry: Registry, damage: Callable[[Path], None]
) -> None:
    damage(registry.pool.path(LIB))
    (wrong,) = found(registry)
    assert (wrong.digest, wrong.kind, wrong.size_bytes) == (LIB, Kind.CONTENT, len(LIBRARY))
    assert wrong.files == (f"{COMMON}/copy/lib", f"{COMMON}/lib") and not wrong.more
    assert f"it is that of {COMMON}/copy/lib" in str(wrong)


@DAMAGES
def test_w6_a_damaged_image_is_named_by_its_objects(
    registry: Registry, damage: Callable[[Path], None]
) -> None:
    entry = next(e for e in registry.manifests()[0].images if COMMON in e.objects)
    damage(registry.image_path(entry.sha256))
    (wrong,) = found(Registry(registry.system_root))
    assert (wrong.digest, wrong.kind) == (entry.sha256.value, Kind.IMAGE)
    assert (wrong.files, wrong.size_bytes) == ((str(COMMON),), entry.size_bytes)


def test_of_many_files_some_are_named(tmp_path: Path) -> None:
    page = b"the same in each of these\n" * 9
    registry, path = placed.with_files(tmp_path, {name: page for name in "abcdefg"})
    alter(registry.pool.path(verity.digest(page)))
    (wrong,) = found(registry)
    assert wrong.files == tuple(f"{path}/{name}" for name in "abcdefg"[:MAX_FILES])
    assert wrong.more == 7 - MAX_FILES and str(wrong).endswith(" and 4 more")


def test_what_is_damaged_and_needed_by_nobody_is_no_damage(registry: Registry) -> None:
    own = verity.digest(b"2" * 999)
    assert registry.pool.has(own, 999)
    alter(registry.pool.path(own))
    assert [each.digest for each in found(registry)] == [own]
    registry.remove(placed.root_of(2))
    assert read_on(registry, BEGIN).wrong.keys() == {own}
    assert found(registry) == ()


def test_what_may_be_needed_by_an_image_that_cannot_be_read_stays_known(
    registry: Registry,
) -> None:
    alter(registry.pool.path(LIB))
    for entry in registry.manifests()[0].images:
        if COMMON in entry.objects:
            alter(registry.image_path(entry.sha256))
    known = Damage(LIB, Kind.CONTENT, "was altered", len(LIBRARY))
    assert still_damaged(registry, [known]) == (known,)


def test_what_is_collected_while_it_is_read_is_no_damage(registry: Registry) -> None:
    """Whoever reads it finds that it is gone; at the end nobody needs it."""
    image = next(e for e in registry.manifests()[1].images if placed.root_of(2) in e.objects)
    gone = [
        Damage(verity.digest(b"2" * 999), Kind.CONTENT, "was altered"),
        Damage(image.sha256.value, Kind.IMAGE, "is missing", image.size_bytes),
    ]
    for damage in gone:
        assert still_damaged(registry, [damage])
    registry.remove(placed.root_of(2))
    collect(registry)
    assert still_damaged(registry, gone) == ()


def test_a_damaged_manifest_is_not_in_the_way_of_the_others(registry: Registry) -> None:
    registry.manifest_path(placed.root_of(2)).write_bytes(b"{}")
    alter(registry.pool.path(LIB))
    assert [each.digest for each in found(registry)] == [LIB]


def test_what_was_brought_again_is_intact(registry: Registry) -> None:
    path = registry.pool.path(LIB)
    alter(path)
    (wrong,) = found(registry)
    assert not is_intact(registry, wrong)
    path.write_bytes(LIBRARY)
    assert is_intact(registry, wrong)
    path.unlink()
    (missing,) = found(registry)
    assert not is_intact(registry, missing)
    path.write_bytes(LIBRARY)
    assert still_damaged(registry, [missing]) == ()


def test_an_image_that_was_brought_again_is_intact(registry: Registry) -> None:
    entry = registry.manifests()[0].images[0]
    path = registry.image_path(entry.sha256)
    content = path.read_bytes()
    alter(path)
    (wrong,) = found(registry)
    assert not is_intact(registry, wrong)
    path.write_bytes(content)
    assert is_intact(registry, wrong)


def test_what_the_kernel_would_give_altered_as_well_is_damaged(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel()
    monkeypatch.setattr("fcntl.ioctl", kernel.ioctl)
    files = [*registry.pool.folder.rglob("*"), *registry.images_dir.iterdir()]
    kernel.protected.update(path.stat().st_ino for path in files)
    assert found(registry) == ()
    entry = registry.manifests()[0].images[0]
    for path in (registry.pool.path(LIB), registry.image_path(entry.sha256)):
        kernel.protected.remove(path.stat().st_ino)
    wrong = found(registry)
    assert {each.digest for each in wrong} == {LIB, entry.sha256.value}
    assert all("not compared by the kernel" in str(each) for each in wrong)
    assert not any(is_intact(registry, each) for each in wrong)
    kernel.protected.update(path.stat().st_ino for path in files)
    assert all(is_intact(registry, each) for each in wrong)


def test_what_rests_in_a_pack_is_read_as_well_and_can_be_brought_again(
    registry: Registry, tmp_path: Path
) -> None:
    """A pack is mounted on a device. Here a folder stands for what is mounted there."""
    mounted = tmp_path / "mounted"
    (mounted / "pack").mkdir(parents=True)
    registry.packs_dir.mkdir()
    (registry.packs_dir / "pack").write_bytes(b"compressed")
    place = registry.pool.place(LIB)
    inside = mounted / "pack" / place.relative_to(registry.pool.folder)
    inside.parent.mkdir()
    place.rename(inside)
    packed = Registry(registry.system_root, mounted)
    assert LIB in read_on(packed, BEGIN).sound and found(packed) == ()
    alter(inside)
    (wrong,) = found(packed)
    assert wrong.digest == LIB and wrong.files
    place.write_bytes(LIBRARY)
    assert found(packed) == () and is_intact(packed, wrong)
