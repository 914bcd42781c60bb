"""Generations on a device: installed is what a manifest names, and objects appear whole."""

from pathlib import Path

import pytest
from tests.placed import place
from tests.project_files import enough

from reconix.store.collect import Collected, collect, unreferenced
from reconix.store.links import LINKS, leaves
from reconix.store.manifest import BadClosure, Manifest
from reconix.store.registry import Registry
from reconix.store.tree import File, Symlink, folder
from reconix.store.verify import (
    ContentChanged,
    ObjectMissing,
    verify_all,
    verify_object,
)


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def generation(registry: Registry, number: int) -> Manifest:
    """A generation of two objects, of which one is the same in every generation."""
    common = place(registry, folder({"lib": File(b"common" * 99), "l": Symlink("lib")}), "common")
    root = place(
        registry,
        folder({"n": File(b"%d" % number), "c": Symlink("lib")}),
        "root",
        common.path,
    )
    return Manifest(root.path, tuple(sorted([common, root])))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def test_a_new_device_has_nothing(registry: Registry) -> None:
    assert registry.manifests() == ()
    assert registry.objects() == ()
    assert collect(registry.store_dir, []) == Collected()


def test_what_was_added_is_installed(registry: Registry) -> None:
    one, two = generation(registry, 1), generation(registry, 2)
    registry.add(one)
    registry.add(two)
    assert set(registry.manifests()) == {one, two}
    assert registry.get(one.root) == one
    assert len(registry.objects()) == 3
    registry.remove(one.root)
    registry.remove(one.root)
    assert registry.manifests() == (two,)
    assert registry.get(one.root) is None


def test_a_generation_with_a_missing_object_is_not_installed(
    registry: Registry,
) -> None:
    one = generation(registry, 1)
    registry.path(one.objects[0].path).rename(registry.system_root / "elsewhere")
    with pytest.raises(ObjectMissing, match="is missing"):
        registry.add(one)
    assert registry.manifests() == ()


def test_installing_again_writes_nothing(registry: Registry) -> None:
    one = generation(registry, 1)
    registry.add(one)
    folder = registry.system_root / "reconix/generations"
    before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()]
    assert len(before) == 1
    registry.add(one)
    assert [(path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()] == before


def test_a_damaged_manifest_is_named(registry: Registry) -> None:
    registry.add(generation(registry, 1))
    (name,) = (registry.system_root / "reconix/generations").iterdir()
    name.write_bytes(name.read_bytes()[:-20])
    with pytest.raises(BadClosure, match=name.name):
        registry.manifests()


def test_a_placed_object_is_read_only_and_leaves_nothing_in_staging(registry: Registry) -> None:
    item = place(registry, folder({"a": File(b"a")}), "one")
    assert registry.path(item.path).stat().st_mode & 0o777 == 0o555
    assert entries(registry.path(item.path)) == ["a"]
    assert entries(registry.staging_dir) == []


def test_placing_again_writes_nothing(registry: Registry) -> None:
    item = place(registry, folder({"a": File(b"a"), "l": Symlink("a")}), "one")
    before = [(path, path.lstat()) for path in sorted(registry.store_dir.rglob("*"))]
    registry.place([item.path])
    assert [(path, path.lstat()) for path in sorted(registry.store_dir.rglob("*"))] == before


def test_equal_files_of_placed_objects_have_one_name_in_links(registry: Registry) -> None:
    place(registry, folder({"a": File(b"same" * 999)}), "one")
    place(registry, folder({"b/c": File(b"same" * 999)}), "two")
    assert len(entries(registry.store_dir / LINKS)) == 1


def test_collecting_keeps_installed_generations_whole(registry: Registry) -> None:
    one, two = generation(registry, 1), generation(registry, 2)
    registry.add(two)
    (gone,) = one.paths() - two.paths()
    collected = collect(registry.store_dir, registry.manifests())
    assert collected.names == (gone.basename,)
    assert collected.size_bytes == 1  # the file "1"; everything else is shared
    assert verify_all(registry.store_dir, two.objects) == []
    assert unreferenced(registry.store_dir, registry.manifests()) == []
    assert collect(registry.store_dir, registry.manifests()) == Collected()


def test_collecting_everything_leaves_an_empty_store(registry: Registry) -> None:
    generation(registry, 1)
    collect(registry.store_dir, [])
    assert entries(registry.store_dir) == [LINKS]
    assert entries(registry.store_dir / LINKS) == []


def test_what_a_cut_removal_left_is_removed(registry: Registry) -> None:
    place(registry, folder({"a": File(b"x")}), "one")
    (doomed,) = (path for path in registry.store_dir.iterdir() if path.name != LINKS)
    doomed.rename(doomed.with_name(f".remove-{doomed.name}"))
    collect(registry.store_dir, [])
    assert entries(registry.store_dir) == [LINKS]


def test_every_flipped_byte_is_found_and_its_file_named(registry: Registry) -> None:
    one = generation(registry, 1)
    found = [(item, path) for item in one.objects for path in leaves(registry.path(item.path))]
    files = [(item, path) for item, path in found if not path.is_symlink()]
    for item, path in enough(files, at_least=2, what="files"):
        _flip(path)
        with pytest.raises(ContentChanged) as caught:
            verify_object(registry.store_dir, item)
        assert caught.value.files == (path.name,)
        assert str(item.path) in str(caught.value)
        assert path.name in str(caught.value)
        _flip(path)
    assert verify_all(registry.store_dir, one.objects) == []


def _flip(path: Path) -> None:
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    path.chmod(0o444)


def test_a_changed_link_an_extra_file_and_a_changed_mode_are_found(
    registry: Registry,
) -> None:
    one = generation(registry, 1)
    root = next(item for item in one.objects if item.path == one.root)
    tree_dir = registry.path(root.path)
    tree_dir.chmod(0o755)
    (tree_dir / "extra").write_bytes(b"extra")
    with pytest.raises(ContentChanged, match="changed: extra"):
        verify_object(registry.store_dir, root)
    (tree_dir / "extra").unlink()
    (tree_dir / "c").unlink()
    (tree_dir / "c").symlink_to("elsewhere")
    with pytest.raises(ContentChanged, match="changed: c"):
        verify_object(registry.store_dir, root)
    (tree_dir / "c").unlink()
    (tree_dir / "c").symlink_to("lib")
    (tree_dir / "n").chmod(0o555)
    with pytest.raises(ContentChanged, match="changed: n"):
        verify_object(registry.store_dir, root)


def test_a_missing_object_is_told_apart(registry: Registry) -> None:
    one = generation(registry, 1)
    registry.path(one.root).rename(registry.system_root / "elsewhere")
    (wrong,) = verify_all(registry.store_dir, one.objects)
    assert isinstance(wrong, ObjectMissing)
    assert wrong.path == one.root
