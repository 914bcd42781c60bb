"""Trees in memory become the same archive in memory and on the disk."""

from pathlib import Path

import pytest

from reconix.store import nar, tree
from reconix.store.names import BadName
from reconix.store.tree import BadPath, File, Folder, Symlink, folder

TREE = folder(
    {
        "init": Symlink("/usr/lib/systemd/systemd"),
        "etc/hostname": File(b"box\n"),
        "etc/init.d/run": File(b"#!/bin/sh\n", executable=True),
        "etc": folder({"issue": File(b"")}),
        "empty": Folder(),
    }
)


def test_a_tree_on_the_disk_has_the_archive_of_the_tree_in_memory(
    tmp_path: Path,
) -> None:
    tree.write(TREE, tmp_path / "t")
    written, described = bytearray(), bytearray()
    nar.dump(tmp_path / "t", written.extend)
    tree.dump(TREE, described.extend)
    assert written == described


def test_paths_are_given_in_order() -> None:
    assert [path for path, _ in tree.files(TREE)] == [
        "etc/hostname",
        "etc/init.d/run",
        "etc/issue",
        "init",
    ]


def test_names_are_sorted_by_their_bytes() -> None:
    names = [
        name for name, _ in folder({"a-b": File(b""), "a.b": File(b""), "Z": File(b"")}).entries
    ]
    assert names == ["Z", "a-b", "a.b"]


@pytest.mark.parametrize("path", ["/a", "a//b", "a/", ".", "./a", ""])
def test_a_path_that_is_not_plain_is_refused(path: str) -> None:
    with pytest.raises(BadPath):
        folder({path: File(b"")})


@pytest.mark.parametrize("path", ["..", "a/../b"])
def test_a_path_that_climbs_is_refused(path: str) -> None:
    with pytest.raises(BadName):
        folder({path: File(b"")})


def test_a_file_is_no_folder() -> None:
    with pytest.raises(BadPath, match="a file and a folder"):
        folder({"a": File(b""), "a/b": File(b"")})
