"""When nodes are equal, and where their contents are."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.transfer.sending.scanned import image_node, scanned, scanned_file, scanned_folder

from reconix.store.images.nodes import Metadata
from reconix.store.tree import File, Node, Symlink, folder
from reconix.transfer.sending.trees import FileNode, file_bytes

PRIVATE = Metadata(0o600, 7)
SHAPES: list[tuple[Node, dict[str, Metadata]]] = [
    (folder({"a": File(b"1")}), {}),
    (folder({"a": File(b"2")}), {}),
    (folder({"a": File(b"2" * 99)}), {}),
    (folder({"a": File(b"1", executable=True)}), {}),
    (folder({"b": File(b"1")}), {}),
    (folder({"a": Symlink("1")}), {}),
    (folder({"a": folder({})}), {}),
    (folder({"a/b": File(b"1")}), {}),
    (folder({}), {}),
    (folder({"a": File(b"1")}), {"": PRIVATE}),
    (folder({"a": File(b"1")}), {"a": PRIVATE}),
    (folder({"a": Symlink("1")}), {"a": PRIVATE}),
    (folder({"a/b": File(b"1")}), {"a": PRIVATE}),
    (folder({"a/b": File(b"1")}), {"a/b": PRIVATE}),
]


@given(st.sampled_from(SHAPES), st.sampled_from(SHAPES))
def test_keys_are_equal_exactly_when_the_nodes_of_an_image_are(
    tmp_path_factory: pytest.TempPathFactory,
    left: tuple[Node, dict[str, Metadata]],
    right: tuple[Node, dict[str, Metadata]],
) -> None:
    place = tmp_path_factory.mktemp("trees")
    keys, images = [], []
    for number, (shape, told) in enumerate((left, right)):
        keys.append(scanned(shape, place / f"{number}", told).key)
        images.append(image_node(shape, place / f"{number}-again", told))
    assert (keys[0] == keys[1]) == (images[0] == images[1])


@pytest.mark.parametrize("shape", [File(b"1"), Symlink("1"), folder({"a": File(b"1")})])
def test_a_content_key_leaves_out_the_metadata_of_the_node_itself(
    tmp_path: Path, shape: Node
) -> None:
    one = scanned(shape, tmp_path / "1")
    other = scanned(shape, tmp_path / "2", {"": PRIVATE})
    assert one.content_key == other.content_key
    assert one.key != other.key


def test_a_small_file_is_not_the_one_whose_digest_it_has(tmp_path: Path) -> None:
    large = scanned_file(bytes(99), tmp_path / "large")
    small = scanned_file(large.content, tmp_path / "small")
    assert small.content == large.content
    assert small.content_key != large.content_key


def test_equal_files_are_one_node(tmp_path: Path) -> None:
    node = scanned_folder(folder({"a": File(b"1"), "b": File(b"1")}), tmp_path / "tree")
    assert node.get(b"a") is node.get(b"b")
    assert node.get(b"c") is None


@pytest.mark.parametrize("content", [b"", b"a small one", bytes(range(256)) * 500])
def test_a_content_is_read_whole_and_in_parts(tmp_path: Path, content: bytes) -> None:
    file = scanned_file(content, tmp_path / "file")
    assert (file.path is None) == (len(content) <= 64)
    assert file.read() == b"".join(file.pieces()) == content
    assert all(file.pieces())
    assert file.part(5, 4) == content[5:9]
    assert file.part(len(content) - 2, 4) == content[-2:] or not content


def test_the_size_of_all_files_below_a_node(tmp_path: Path) -> None:
    shape = folder({"a/b": File(b"12"), "a/c": File(bytes(100)), "l": Symlink("a")})
    assert file_bytes(scanned(shape, tmp_path / "tree")) == 102
    assert isinstance(scanned(File(b""), tmp_path / "file"), FileNode)
