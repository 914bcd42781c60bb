from pathlib import Path

import pytest

from reconix.boot.tree import BadBootTree, BootFileChanged, BootTree


def test_files_are_sorted_by_the_names_of_their_folders() -> None:
    tree = BootTree.of({"a-b/x": b"", "a/x": b"12", "a.c": b"3"})
    assert [file.path for file in tree.files] == ["a/x", "a-b/x", "a.c"]
    assert tree.size_bytes == 3


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "..",
        "a/../b",
        "a.",
        "a ",
        " a",
        'a"',
        "a:b",
        "a\\b",
        "a\n",
        "\ud800",
    ],
)
def test_names_that_fat_does_not_allow_are_refused(path: str) -> None:
    with pytest.raises(BadBootTree):
        BootTree.of({path: b""})


@pytest.mark.parametrize("pair", [("a", "A"), ("a", "A/b"), ("D/x", "d/y"), ("straße", "STRASSE")])
def test_names_that_differ_only_in_case_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(BadBootTree, match="does not tell"):
        BootTree.of(dict.fromkeys(pair, b""))


def test_a_name_of_256_characters_is_refused() -> None:
    assert BootTree.of({"n" * 255: b""}).files
    with pytest.raises(BadBootTree, match="256 characters"):
        BootTree.of({"n" * 256: b""})


def test_what_is_written_to_a_folder_is_read_from_it(tmp_path: Path) -> None:
    tree = BootTree.of({"EFI/BOOT/X": b"1", "y": b"", "z/z": b"2" * 3_000_000})
    tree.write(tmp_path)
    again = BootTree.read(tmp_path)
    assert [(f.path, b"".join(f.chunks())) for f in again.files] == [
        (f.path, b"".join(f.chunks())) for f in tree.files
    ]


def test_links_and_empty_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadBootTree, match="is empty"):
        BootTree.read(tmp_path)
    (tmp_path / "empty" / "link").symlink_to("/etc/passwd")
    with pytest.raises(BadBootTree, match="neither a file nor a folder"):
        BootTree.read(tmp_path)


@pytest.mark.parametrize("content", [b"shorter", b"longer than before"])
def test_a_file_that_changes_while_it_is_read_is_noticed(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "kernel"
    path.write_bytes(b"the kernel")
    tree = BootTree.of({"kernel": path})
    path.write_bytes(content)
    with pytest.raises(BootFileChanged, match="10 bytes"):
        list(tree.files[0].chunks())
