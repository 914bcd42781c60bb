from pathlib import Path

import pytest
from tests.image_trees import file, folder, link

from reconix.boot.tree import BadBootTree, BootFileChanged, BootTree
from reconix.store.images.nodes import EXECUTABLE, ImageFile, ImageFolder
from reconix.store.pool import Pool


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


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return Pool(tmp_path / "pool")


def stored(pool: Pool, content: bytes) -> ImageFile:
    """A file whose content is in a pool, if it is not small."""
    made = file(content)
    if not made.is_inline:
        pool.path(made.content).parent.mkdir(parents=True, exist_ok=True)
        pool.path(made.content).write_bytes(content)
    return made


def test_the_tree_of_an_installed_object_equals_that_of_its_folder(
    pool: Pool, tmp_path: Path
) -> None:
    files = {"EFI/BOOT/X": b"1" * 4097, "EFI-b": b"2" * 99, "loader/a.conf": b"few"}
    kept = BootTree.of(files)
    kept.write(tmp_path / "folder")
    nodes = {name: stored(pool, content) for name, content in files.items()}
    installed = folder(
        EFI=folder(BOOT=folder(X=nodes["EFI/BOOT/X"])),
        **{"EFI-b": nodes["EFI-b"]},
        loader=folder(**{"a.conf": nodes["loader/a.conf"]}),
    )
    found, expected = BootTree.of_tree(installed, pool), BootTree.read(tmp_path / "folder")
    assert [(f.path, f.size_bytes, b"".join(f.chunks())) for f in found.files] == [
        (f.path, f.size_bytes, b"".join(f.chunks())) for f in expected.files
    ]


def test_links_and_empty_folders_of_an_installed_object_are_refused(pool: Pool) -> None:
    with pytest.raises(BadBootTree, match="a/b is empty"):
        BootTree.of_tree(folder(a=folder(b=folder())), pool)
    with pytest.raises(BadBootTree, match="a/b is neither a file nor a folder"):
        BootTree.of_tree(folder(a=folder(b=link(b"/etc/passwd"))), pool)
    with pytest.raises(BadBootTree, match="no Unicode text"):
        BootTree.of_tree(ImageFolder(EXECUTABLE, ((b"\xff", file(b"")),)), pool)


@pytest.mark.parametrize("size", [0, 99, 101])
def test_a_content_of_another_size_is_noticed_before_it_is_written_to_a_slot(
    size: int, pool: Pool
) -> None:
    node = stored(pool, b"x" * 100)
    pool.path(node.content).write_bytes(b"x" * size)
    with pytest.raises(BootFileChanged, match="100 bytes"):
        list(BootTree.of_tree(folder(kernel=node), pool).files[0].chunks())
