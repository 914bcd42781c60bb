from pathlib import Path

import pytest
from tests.unit.transfer.sending.scanned import scanned_folder as scanned

from reconix.store.images.nodes import Metadata
from reconix.store.tree import File, Node, Symlink, folder
from reconix.transfer.format.plan import Location
from reconix.transfer.sending.match import Index, unversioned
from reconix.transfer.sending.trees import FileNode

PRIVATE = Metadata(0o600, 7)


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


def test_a_content_is_found_under_other_metadata(tmp_path: Path) -> None:
    old: dict[str, Node] = {"a": File(b"same"), "b/c": File(b"in b"), "d": File(b"there")}
    told = {"a": PRIVATE, "b": PRIVATE, "d": PRIVATE}
    index = Index()
    index.add(4, scanned(folder(old), tmp_path / "old", told))
    new = scanned(folder(old), tmp_path / "new", {"d": PRIVATE})
    found = {name: (index.find(node), index.find_content(node)) for name, node in new.entries}
    assert found == {
        b"a": (None, Location(4, (b"a",))),
        b"b": (None, Location(4, (b"b",))),
        b"d": (Location(4, (b"d",)), Location(4, (b"d",))),
    }


def test_an_equal_node_comes_before_one_with_other_metadata(tmp_path: Path) -> None:
    shape = folder({"a": File(b"same"), "b": File(b"same")})
    index = Index()
    index.add(0, scanned(shape, tmp_path / "old", {"a": PRIVATE}))
    new = scanned(shape, tmp_path / "new")
    for _, node in new.entries:
        assert index.find_content(node) == index.find(node) == Location(0, (b"b",))


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
