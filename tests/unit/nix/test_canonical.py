"""Metadata that a store does not keep disappears; content stays."""

import os
from pathlib import Path

import pytest

from reconix.nix.canonical import canonicalise
from reconix.store import nar
from reconix.store.nar import BadTree


def make(root: Path) -> None:
    (root / "d").mkdir(parents=True, mode=0o700)
    (root / "d/run").write_bytes(b"run")
    (root / "d/run").chmod(0o4711)
    (root / "d/text").write_bytes(b"text")
    (root / "d/text").chmod(0o666)
    os.link(root / "d/text", root / "text")
    (root / "link").symlink_to("d")


def test_modes_and_times_become_those_of_a_store(tmp_path: Path) -> None:
    make(tmp_path / "t")
    before = nar.digest(tmp_path / "t")
    canonicalise(tmp_path / "t")
    modes = {
        path.name: path.lstat().st_mode & 0o7777
        for path in (tmp_path / "t").rglob("*")
        if not path.is_symlink()
    }
    assert modes == {"d": 0o555, "run": 0o555, "text": 0o444}
    assert {path.lstat().st_mtime for path in (tmp_path / "t").rglob("*")} == {1}
    assert nar.digest(tmp_path / "t") == before


def test_extended_attributes_go(tmp_path: Path) -> None:
    make(tmp_path / "t")
    try:
        os.setxattr(tmp_path / "t/d/text", "user.note", b"x")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    canonicalise(tmp_path / "t")
    assert os.listxattr(tmp_path / "t/d/text") == []


def test_owners_become_the_owner_of_the_store(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make files of others")
    make(tmp_path / "t")
    os.chown(tmp_path / "t/d/run", 1234, 1234)
    os.chown(tmp_path / "t/link", 1234, 1234, follow_symlinks=False)
    canonicalise(tmp_path / "t")
    assert {path.lstat().st_uid for path in (tmp_path / "t").rglob("*")} == {0}
    assert (tmp_path / "t/d/run").stat().st_mode & 0o7777 == 0o555


def test_a_file_with_a_name_outside_is_refused_before_anything_changes(
    tmp_path: Path,
) -> None:
    make(tmp_path / "t")
    os.link(tmp_path / "t/d/run", tmp_path / "outside")
    with pytest.raises(BadTree, match="a hard link outside"):
        canonicalise(tmp_path / "t")
    assert (tmp_path / "outside").stat().st_mode & 0o7777 == 0o4711


def test_a_single_file_and_a_single_link_are_trees(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("nowhere")
    canonicalise(tmp_path / "file")
    canonicalise(tmp_path / "link")
    assert (tmp_path / "link").lstat().st_mtime == (tmp_path / "file").stat().st_mtime == 1


def test_a_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    os.mkfifo(tmp_path / "t/pipe")
    with pytest.raises(BadTree, match="pipe is neither"):
        canonicalise(tmp_path / "t")
