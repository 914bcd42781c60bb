"""Descriptions of trees, and of folders that are there."""

import os
from pathlib import Path

import pytest

from reconix.image.new_files import NewFile, NewFolder, NewLink, new_folder, read_folder, walk
from reconix.store.nar import BadTree


def test_entries_are_sorted_by_the_bytes_of_their_names() -> None:
    made = new_folder(
        {"é": NewFile(b""), "a": NewFile(b""), "Z": NewLink(b"a"), "a!": NewFile(b"")}
    )
    assert [name for name, _ in made.entries] == [b"Z", b"a", b"a!", "é".encode()]


def test_a_description_has_the_usual_modes_unless_it_says_others() -> None:
    assert (NewFile(b"").mode, new_folder({}).mode) == (0o644, 0o755)
    assert new_folder({}, mode=0o700) == NewFolder((), 0o700)


def test_a_file_is_as_large_as_its_content_wherever_that_is(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x" * 9)
    assert [NewFile(content).size_bytes for content in (b"xx", tmp_path / "x")] == [2, 9]


def test_a_folder_is_described_with_kinds_modes_and_places(tmp_path: Path) -> None:
    (tmp_path / "within").mkdir()
    (tmp_path / "within/file").write_bytes(b"content")
    (tmp_path / "within/file").chmod(0o640)
    (tmp_path / "link").symlink_to("./within//file")
    (tmp_path / "within").chmod(0o1777)
    tmp_path.chmod(0o700)
    within = NewFolder(((b"file", NewFile(tmp_path / "within/file", 0o640)),), 0o1777)
    found = read_folder(tmp_path)
    assert found == NewFolder(((b"link", NewLink(b"./within//file")), (b"within", within)), 0o700)
    assert [type(node) for node in walk(found)] == [NewFolder, NewLink, NewFolder, NewFile]


def test_what_is_no_file_folder_or_link_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadTree, match="pipe is neither"):
        read_folder(tmp_path)
