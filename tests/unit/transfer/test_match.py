import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.store import nar
from reconix.store.nar import BadTree
from reconix.store.tree import File, Node, Symlink, folder, write
from reconix.transfer.match import FileNode, FolderNode, Index, Scanner, checks_of
from reconix.transfer.plan import Location


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
    assert node.checks == 3 + 3
    assert len(list(checks_of(node))) == node.checks
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
