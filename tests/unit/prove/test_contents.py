"""What a system partition holds is read as the agent reads it; objects are checked by hash."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.image.ext4 import make_ext4
from reconix.image.new_files import read_folder
from reconix.prove.blocks import Disk
from reconix.prove.contents import Objects, read_facts
from reconix.prove.ext4 import BadFileSystem, Ext4, Geometry
from reconix.store import nar
from reconix.store.manifest import StoreObject
from reconix.store.paths import StorePath

MIB, BLOCK = 1 << 20, 1024
NAME = StorePath("0" * 32, "thing")


@pytest.fixture
def content(need: Callable[..., None], tmp_path: Path) -> Path:
    need("mkfs.ext4", "debugfs")
    content = tmp_path / "content"
    store = content / "nix/store"
    (store / NAME.basename / "bin").mkdir(parents=True)
    (store / NAME.basename / "bin/run").write_bytes(b"#!/bin/sh\n" * 500)
    (store / NAME.basename / "bin/run").chmod(0o555)
    (store / NAME.basename / "empty").touch()
    (store / NAME.basename / "link").symlink_to("bin/run")
    (store / ".links").mkdir()
    (content / "reconix/generations").mkdir(parents=True)
    (content / "reconix/generations/one.manifest").write_bytes(b"manifest")
    (content / "reconix/generations/.two.manifest.new").write_bytes(b"half")
    (content / "reconix/state.json").write_bytes(b"state")
    return content


def made(content: Path, tmp_path: Path) -> tuple[Disk, Geometry]:
    image = tmp_path / "image"
    make_ext4(image, read_folder(content), label="system", size_bytes=16 * MIB)
    disk = Disk(image.read_bytes(), b"", BLOCK)
    return disk, Geometry.read(disk, 0)


def thing(content: Path) -> StoreObject:
    measured = nar.digest(content / "nix/store" / NAME.basename)
    return StoreObject(NAME, measured.digest, measured.size_bytes, ())


def test_facts_leave_out_what_has_no_final_name(content: Path, tmp_path: Path) -> None:
    facts = read_facts(*made(content, tmp_path))
    assert (facts.state, facts.choice) == (b"state", None)
    assert facts.manifests == (("one", b"manifest"),)
    assert facts.objects == (NAME.basename,)


def test_a_system_partition_without_a_store_is_damaged(content: Path, tmp_path: Path) -> None:
    (content / "nix").rename(content / "xin")
    with pytest.raises(BadFileSystem, match="/nix/store"):
        read_facts(*made(content, tmp_path))


def test_an_object_is_right_missing_or_altered(content: Path, tmp_path: Path) -> None:
    item = thing(content)
    disk, geometry = made(content, tmp_path)
    other = StoreObject(StorePath("1" * 32, "other"), item.nar, item.nar_size_bytes, ())
    files = Ext4(disk, geometry)
    inode = files.lookup("nix", "store", NAME.basename, "bin", "run")
    assert inode is not None
    block = files.runs(inode)[0].physical
    objects = Objects(geometry, frozenset([block]))
    assert objects.problem(disk, item, 0) == ""
    assert "is missing" in objects.problem(disk, other, 0)
    disk.set(block, disk.keep(bytes(BLOCK)))
    assert "another content" in objects.problem(disk, item, 0)
    disk.set(block, None)
    assert objects.problem(disk, item, 0) == ""


def test_a_file_that_is_executable_by_mistake_is_another_content(
    content: Path, tmp_path: Path
) -> None:
    item = thing(content)
    (content / "nix/store" / NAME.basename / "empty").chmod(0o555)
    disk, geometry = made(content, tmp_path)
    assert "another content" in Objects(geometry, frozenset()).problem(disk, item, 0)
