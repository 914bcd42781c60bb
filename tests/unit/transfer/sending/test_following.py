"""Which nodes are old ones whose references follow, and that each pair of files is read once."""

from pathlib import Path

import pytest

from reconix.store.paths import StorePath
from reconix.store.tree import File, Node, Symlink, folder, write
from reconix.transfer.codecs.renames import NO_RENAMES, Renames
from reconix.transfer.sending.following import Following
from reconix.transfer.sending.match import FileNode, Scanner
from reconix.transfer.sending.match import Node as Scanned

OLD, NEW, OTHER = (StorePath(digit * 32, "libc") for digit in "123")
EMPTY = File(b"")
RENAMES = Renames.of([(OLD, NEW), (OTHER, StorePath("4" * 32, "libm"))])


def naming(path: StorePath) -> File:
    return File(b"#!%s/bin/sh\n" % str(path).encode())


def scanned(place: Path, tree: Node) -> Scanned:
    write(tree, place)
    return Scanner().scan(place)


def leads(place: Path, old: Node, new: Node, renames: Renames = RENAMES) -> bool:
    return Following(renames).leads(scanned(place / "old", old), scanned(place / "new", new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (naming(OLD), naming(NEW)),
        (Symlink(f"{OLD}/lib"), Symlink(f"{NEW}/lib")),
        (
            folder({"a/b": naming(OLD), "c": File(b"")}),
            folder({"a/b": naming(NEW), "c": File(b"")}),
        ),
    ],
    ids=["file", "link", "folder"],
)
def test_a_node_leads_to_one_with_the_new_references(tmp_path: Path, old: Node, new: Node) -> None:
    assert leads(tmp_path, old, new)
    assert not Following(NO_RENAMES).leads(
        Scanner().scan(tmp_path / "old"), Scanner().scan(tmp_path / "new")
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (naming(OLD), naming(OTHER)),
        (naming(OLD), File(b"longer\n" * 99)),
        (naming(OLD), File(naming(NEW).content, executable=True)),
        (Symlink(f"{OLD}/lib"), Symlink(f"{OTHER}/lib")),
        (Symlink(f"{OLD}/lib"), naming(NEW)),
        (folder({"a": naming(OLD)}), folder({"b": naming(NEW)})),
        (folder({"a": naming(OLD)}), folder({"a": naming(NEW), "b": File(b"")})),
        (folder({"a": naming(OLD), "b": File(b"1")}), folder({"a": naming(NEW), "b": File(b"2")})),
    ],
    ids=["content", "size", "mode", "link", "kind", "name", "entry", "beside"],
)
def test_nothing_leads_to_a_node_that_is_different_otherwise(
    tmp_path: Path, old: Node, new: Node
) -> None:
    assert not leads(tmp_path, old, new)


def test_a_pair_of_files_is_read_once(tmp_path: Path) -> None:
    old, new = scanned(tmp_path / "old", naming(OLD)), scanned(tmp_path / "new", naming(NEW))
    following = Following(RENAMES)
    assert following.leads(old, new)
    (tmp_path / "old").unlink()
    assert following.leads(old, new)


def test_of_the_renames_those_count_that_a_file_mentions(tmp_path: Path) -> None:
    file = scanned(tmp_path / "old", naming(OLD))
    assert isinstance(file, FileNode)
    assert Following(RENAMES).used_in(file) == Renames.of([(OLD, NEW)])
    assert Following(NO_RENAMES).used_in(file) == NO_RENAMES
