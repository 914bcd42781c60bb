"""Which nodes are old ones whose references follow, and that each pair of files is read once."""

from pathlib import Path

import pytest
from tests.unit.transfer.sending.scanned import Told, scanned

from reconix.store.images.nodes import Metadata
from reconix.store.paths import StorePath
from reconix.store.tree import File, Node, Symlink, folder
from reconix.transfer.codecs.renames import NO_RENAMES, Renames
from reconix.transfer.sending.following import Following
from reconix.transfer.sending.trees import FileNode

OLD, NEW, OTHER = (StorePath(digit * 32, "libc") for digit in "123")
EMPTY = File(b"")
RENAMES = Renames.of([(OLD, NEW), (OTHER, StorePath("4" * 32, "libm"))])


def naming(path: StorePath) -> File:
    return File(b"#!%s/bin/sh\n" % str(path).encode())


def leads(place: Path, old: Node, new: Node, told: Told | None = None) -> bool:
    before, after = scanned(old, place / "old"), scanned(new, place / "new", told)
    assert not Following(NO_RENAMES).leads(before, after)
    return Following(RENAMES).leads(before, after)


def long(path: StorePath) -> File:
    """One that is in the pool."""
    return File(b"#!%s/bin/sh\n%s" % (str(path).encode(), b"echo\n" * 99))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (naming(OLD), naming(NEW)),
        (long(OLD), long(NEW)),
        (Symlink(f"{OLD}/lib"), Symlink(f"{NEW}/lib")),
        (
            folder({"a/b": naming(OLD), "c": File(b"")}),
            folder({"a/b": naming(NEW), "c": File(b"")}),
        ),
    ],
    ids=["file", "long", "link", "folder"],
)
def test_a_node_leads_to_one_with_the_new_references(tmp_path: Path, old: Node, new: Node) -> None:
    assert leads(tmp_path, old, new)


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


@pytest.mark.parametrize("path", ["", "a", "a/b"])
def test_nothing_leads_to_a_node_with_other_metadata(tmp_path: Path, path: str) -> None:
    old, new = folder({"a/b": naming(OLD)}), folder({"a/b": naming(NEW)})
    assert not leads(tmp_path, old, new, {path: Metadata(0o700)})


def test_a_pair_of_files_is_read_once(tmp_path: Path) -> None:
    old, new = scanned(long(OLD), tmp_path / "old"), scanned(long(NEW), tmp_path / "new")
    following = Following(RENAMES)
    assert following.leads(old, new)
    (tmp_path / "old").unlink()
    assert following.leads(old, new)


def test_of_the_renames_those_count_that_a_file_mentions(tmp_path: Path) -> None:
    file = scanned(naming(OLD), tmp_path / "old")
    assert isinstance(file, FileNode)
    assert Following(RENAMES).used_in(file) == Renames.of([(OLD, NEW)])
    assert Following(NO_RENAMES).used_in(file) == NO_RENAMES


@pytest.mark.parametrize(
    ("stays", "does"),
    [(EMPTY, True), (naming(NEW), True), (long(OLD), False), (Symlink(f"{OLD}/lib"), False)],
)
def test_what_names_an_object_that_goes_does_not_lead_to_itself(
    tmp_path: Path, stays: Node, does: bool
) -> None:
    old, new = folder({"a": naming(OLD), "b": stays}), folder({"a": naming(NEW), "b": stays})
    assert leads(tmp_path, old, new) is does
