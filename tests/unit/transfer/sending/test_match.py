import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.store import nar
from reconix.store.nar import BadTree
from reconix.store.tree import File, Node, Symlink, folder, write
from reconix.transfer.format.plan import Location
from reconix.transfer.sending.match import (
    FileNode,
    FolderNode,
    Index,
    Scanner,
    seen_check,
    unversioned,
)


def scanned(tree: Node, place: Path) -> FolderNode:
    write(tree, place)
    node = Scanner().scan(place)
    assert isinstance(node, FolderNode)
    return node


SHAPES = [
    folder({"a": File(b"1")}),
    folder({"a": File(b"2")}),
    folder({"a": File(b"1", executable=True)}),
    folder({"b": File(b"1")}),
    folder({"a": Symlink("1")}),
    folder({"a": folder({})}),
    folder({"a/b": File(b"1")}),
    folder({}),
]


@given(st.sampled_from(SHAPES), st.sampled_from(SHAPES))
def test_keys_are_equal_exactly_when_the_archives_are(
    tmp_path_factory: pytest.TempPathFactory, left: Node, right: Node
) -> None:
    base = tmp_path_factory.mktemp("trees")
    one, two = scanned(left, base / "left"), scanned(right, base / "right")
    same = nar.digest(base / "left") == nar.digest(base / "right")
    assert (one.key == two.key) == same


def test_a_folder_knows_what_is_below_it(tmp_path: Path) -> None:
    shape: dict[str, Node] = {
        "a/b/c": File(b"1"),
        "a/d": File(b"2"),
        "a/e": Symlink("d"),
        "f": File(b""),
    }
    node = scanned(folder(shape), tmp_path / "tree")
    assert node.folders == 3
    assert seen_check(b"x", node) != seen_check(b"y", node)
    assert node.folder_space_bytes == 3 * 4096


def test_linked_files_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a").write_bytes(b"content")
    (tmp_path / "tree/b").hardlink_to(tmp_path / "tree/a")
    node = Scanner().scan(tmp_path / "tree")
    assert isinstance(node, FolderNode)
    assert node.get(b"a") is node.get(b"b")


def test_the_first_place_is_found_and_links_and_empty_files_never(tmp_path: Path) -> None:
    shape: dict[str, Node] = {
        "a": File(b"same"),
        "b": File(b"same"),
        "c": File(b""),
        "d": Symlink("a"),
    }
    node = scanned(folder(shape), tmp_path / "tree")
    index = Index()
    index.add(4, node)
    found = {name: index.find(child) for name, child in node.entries}
    assert found == {b"a": Location(4, (b"a",)), b"b": Location(4, (b"a",)), b"c": None, b"d": None}
    assert isinstance(index.node(Location(4, (b"b",))), FileNode)
    assert index.node(Location(4, (b"b", b"c"))) is None


def test_the_folder_that_has_most_is_most_like(tmp_path: Path) -> None:
    old = {f"v1/{n}": File(b"%d" % n) for n in range(1, 9)} | {"v0/1": File(b"1")}
    new = {str(n): File(b"%d" % n) for n in range(3, 12)}
    index = Index()
    index.add(0, scanned(folder({"x": File(b"0")}), tmp_path / "other"))
    index.add(1, scanned(folder(old), tmp_path / "old"))
    node = scanned(folder(new), tmp_path / "new")
    assert index.folder_like(node) == Location(1, (b"v1",))
    assert index.most_like(node) == Location(1)
    assert index.folder_like(scanned(folder({"a": File(b"1")}), tmp_path / "few")) is None


def test_what_no_store_holds_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/zero").mkdir()
    os.mkfifo(tmp_path / "tree/pipe")
    with pytest.raises(BadTree, match="pipe"):
        Scanner().scan(tmp_path / "tree")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"modules/6.1.0-30-cloud-amd64/a.ko", b"modules/6.12.107+deb13-cloud-amd64/a.ko.xz"),
        (b"lib/libfoo.so.1.2", b"lib/libfoo.so.2"),
        (b"python3.11/abc.py", b"python3.13/abc.py"),
        (b"doc/a/changelog.Debian.gz", b"doc/a/changelog.Debian"),
    ],
)
def test_names_that_differ_in_a_version_are_alike(one: bytes, other: bytes) -> None:
    assert unversioned(one) == unversioned(other)


def test_the_old_file_of_a_new_one_has_nearly_its_name_and_size(tmp_path: Path) -> None:
    old: dict[str, Node] = {
        "lib/1.0/a.so.1": File(b"a" * 100),
        "lib/1.0/b": File(b"b"),
        "else/1.0/b": File(b"b" * 50),
    }
    index = Index()
    index.add(7, scanned(folder(old), tmp_path / "old"))
    node = scanned(folder({"n": File(b"n" * 60)}), tmp_path / "new").get(b"n")
    assert isinstance(node, FileNode)
    like = index.file_like
    assert like((b"lib", b"2.0", b"a.so.2"), node) == Location(7, (b"lib", b"1.0", b"a.so.1"))
    assert like((b"new", b"b"), node) == Location(7, (b"else", b"1.0", b"b"))
    assert like((b"new", b"c"), node) is None
    assert index.folder_named((b"lib", b"2.0")) == Location(7, (b"lib", b"1.0"))
