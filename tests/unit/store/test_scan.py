"""A tree of the build store, read as the nodes of an image."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.image_trees import CAPABILITY, file, folder, link

from reconix.store.images.nodes import (
    EXECUTABLE,
    MAX_INLINE_BYTES,
    ImageFile,
    ImageFolder,
    Metadata,
    Node,
    find,
)
from reconix.store.images.verity import digest
from reconix.store.nar import BadTree
from reconix.store.scan import Scanner

LARGE = b"more than what stands in an image " * 300
METADATA = Metadata(0o4755, 7, 8, 1_700_000_000, ((b"security.capability", CAPABILITY),))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An object, whatever the mask and the clock of whoever made it."""
    root = tmp_path / "object"
    (root / "bin").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "bin/run").write_bytes(LARGE)
    (root / "bin/run").chmod(0o700)
    (root / "few").write_bytes(b"few")
    (root / "few").chmod(0o640)
    (root / "link").symlink_to("bin/run")
    return root


def test_what_nobody_describes_is_as_nix_has_it(tree: Path) -> None:
    assert Scanner().scan(tree) == folder(
        bin=folder(run=file(LARGE, EXECUTABLE)),
        empty=folder(),
        few=file(b"few"),
        link=link(b"bin/run"),
    )


def test_an_object_may_be_a_file_or_a_link(tree: Path) -> None:
    assert Scanner().scan(tree / "few") == file(b"few")
    assert Scanner().scan(tree / "link") == link(b"bin/run")


@pytest.mark.parametrize("path", ["", "bin", "bin/run", "few", "link"])
def test_what_is_described_is_as_it_is_described(tree: Path, path: str) -> None:
    found = Scanner().scan(tree, {path.encode(): METADATA})
    described = find(found, *filter(None, path.encode().split(b"/")))
    assert described is not None and described.metadata == METADATA
    expected = {b"run", b"few", b"link", b"empty", b"bin", b""} - {path.encode().split(b"/")[-1]}
    others = {name: node for name, node in named(found) if name in expected}
    plain = dict(named(Scanner().scan(tree)))
    assert others and all(node.metadata == plain[name].metadata for name, node in others.items())


def named(node: Node, name: bytes = b"") -> Iterator[tuple[bytes, Node]]:
    """All nodes by their last names, which are distinct here."""
    yield name, node
    if isinstance(node, ImageFolder):
        for below, each in node.entries:
            yield from named(each, below)


def test_what_is_omitted_is_left_out_with_all_below_it(tree: Path) -> None:
    found = Scanner().scan(tree, omitted=frozenset({b"bin", b"few"}))
    assert found == folder(empty=folder(), link=link(b"bin/run"))
    assert Scanner().scan(tree, omitted=frozenset({b"run", b"bin/few"})) == Scanner().scan(tree)


def test_small_contents_stand_in_the_tree_and_others_by_digest(tmp_path: Path) -> None:
    scanner = Scanner()
    for size in (0, 1, MAX_INLINE_BYTES, MAX_INLINE_BYTES + 1, 4096, 4097):
        content = b"x" * size
        place = tmp_path / str(size)
        place.write_bytes(content)
        found = scanner.scan(place)
        assert isinstance(found, ImageFile) and found.size_bytes == size
        is_small = size <= MAX_INLINE_BYTES
        assert found.content == (content if is_small else digest(content))
        assert (scanner.places.get(found.content) == place) is not is_small
    assert len(scanner.places) == 3


def test_a_content_with_several_names_is_read_once_and_has_one_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build store shares equal files."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one").write_bytes(LARGE)
    for name in ("a/two", "b"):
        (tmp_path / name).hardlink_to(tmp_path / "a/one")
    read = []
    really = Path.open

    def counting(path: Path, *words: object, **more: object) -> object:
        read.append(path)
        return really(path, *words, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", counting)
    scanner = Scanner()
    assert scanner.scan(tmp_path / "a") == folder(one=file(LARGE), two=file(LARGE))
    assert scanner.scan(tmp_path / "b") == file(LARGE)
    assert read == [tmp_path / "a/one"]
    assert scanner.places == {digest(LARGE): tmp_path / "a/one"}


def test_names_are_sorted_by_their_bytes_and_need_not_be_text(tmp_path: Path) -> None:
    names = [b"a", b"B", b"a.b", b"a-b", b"\xff", b"!"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).symlink_to(os.fsdecode(b"\xfe"))
    found = Scanner().scan(tmp_path)
    assert isinstance(found, ImageFolder)
    assert [name for name, _ in found.entries] == sorted(names)
    assert {node for _, node in found.entries} == {link(b"\xfe")}


def test_what_is_no_file_folder_or_link_is_refused(tree: Path) -> None:
    os.mkfifo(tree / "bin/pipe")
    with pytest.raises(BadTree, match="bin/pipe is neither file, folder nor symbolic link"):
        Scanner().scan(tree)


def test_a_file_that_no_image_could_hold_is_refused(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconix.store.scan.MAX_SIZE", len(LARGE))
    Scanner().scan(tree)
    monkeypatch.setattr("reconix.store.scan.MAX_SIZE", len(LARGE) - 1)
    with pytest.raises(BadTree, match="more than any image holds"):
        Scanner().scan(tree)
