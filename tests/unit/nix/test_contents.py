"""The list of an object's contents says what is in its files, and nothing else is believed."""

from pathlib import Path

import pytest

from reconix.base.documents import BadDocument
from reconix.nix.contents import listed, parse_contents, print_contents
from reconix.store.images.nodes import MAX_INLINE_BYTES, files
from reconix.store.paths import StorePath
from reconix.store.scan import FileContent, Scanner

ROOT = StorePath.parse("/nix/store/" + "0" * 32 + "-debian-root")
OTHER = StorePath.parse("/nix/store/" + "1" * 32 + "-debian-root")
LONG = b"x" * (MAX_INLINE_BYTES + 1)
FOUND = {b"": FileContent(1, b"\1" * 32), b"usr/\xff\n": FileContent(1 << 40, b"\0" * 32)}
PRINTED = (
    b"/nix/store/00000000000000000000000000000000-debian-root\n"
    + (b"\1" * 32 + b"\0\0\0\0\0\0\0\1" + b"\0")
    + (b"\0" * 32 + b"\0\0\1\0\0\0\0\0" + b"usr/\xff\n\0")
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree/usr").mkdir(parents=True)
    (tmp_path / "tree/usr/long").write_bytes(LONG)
    (tmp_path / "tree/usr/short").write_bytes(b"short")
    return tmp_path / "tree"


def test_a_list_has_one_spelling() -> None:
    assert print_contents(ROOT, FOUND) == PRINTED
    assert print_contents(ROOT, dict(reversed(FOUND.items()))) == PRINTED
    assert parse_contents(PRINTED, ROOT, source="x") == FOUND


@pytest.mark.parametrize("length", [0, 55, 57, 90, len(PRINTED) - 1])
def test_a_list_that_ends_early_is_refused(length: int) -> None:
    with pytest.raises(BadDocument):
        parse_contents(PRINTED[:length], ROOT, source="x")


def test_a_list_of_another_object_is_refused() -> None:
    with pytest.raises(BadDocument, match="no list of the contents of /nix/store/1111"):
        parse_contents(PRINTED, OTHER, source="x")


def test_files_with_a_content_in_the_pool_are_listed(tree: Path) -> None:
    node = Scanner().scan(tree)
    (content,) = (file for path, file in files(node) if path == (b"usr", b"long"))
    assert listed(node) == {b"usr/long": FileContent(len(LONG), content.content)}


def test_what_is_listed_is_not_read(tree: Path) -> None:
    before = Scanner().scan(tree)
    (tree / "usr/long").write_bytes(LONG.upper())
    scanner = Scanner()
    assert scanner.scan(tree, listed=listed(before)) == before
    assert not scanner.places


def test_what_has_another_size_than_the_list_says_is_read(tree: Path) -> None:
    before = Scanner().scan(tree)
    (tree / "usr/long").write_bytes(LONG * 2)
    assert Scanner().scan(tree, listed=listed(before)) == Scanner().scan(tree) != before
