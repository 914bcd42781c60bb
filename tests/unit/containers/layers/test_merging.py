"""Layers over layers: what no program agrees on, or none should do. The rest: tests/compat."""

from pathlib import Path

import pytest
from tests.oci_images import (
    Entry,
    facts_of_ours,
    file,
    folder,
    hard_link,
    layer,
    link,
    opaque,
    unpacked,
    whiteout,
)

from reconix.containers.descriptors import BadImage
from reconix.containers.layers.merging import is_of_aufs, is_whiteout, split


def names(place: Path, *stack: list[Entry]) -> list[bytes]:
    found = unpacked(place, *(layer(*each) for each in stack))
    return sorted(facts_of_ours(place / "tree", found))


ELSEWHERE = [
    file("/etc/passwd"),
    file("../x"),
    file("a/../../x"),
    file("a/.."),
    folder(".."),
    link("/l", "x"),
    hard_link("h", "/etc/passwd"),
    hard_link("h", "../x"),
    hard_link("/h", "a"),
    whiteout("../x"),
    whiteout("/x"),
    opaque(".."),
    file("n" * 256),
    file("a/" + "n" * 256 + "/b"),
    link("l", "t" * 4096),
    link("l", ""),
    file("/".join(["d"] * 255)),
    file("/".join(["d" * 200] * 17)),
    file(".wh."),
    file("a/.wh.."),
    file("a/.wh..."),
    file(".wh.a/b"),
]


@pytest.mark.parametrize("bad", ELSEWHERE, ids=lambda entry: f"{entry.name[:30]}-{entry.kind!r}")
def test_o1_what_is_not_in_the_tree_is_refused_and_nothing_is_written(
    tmp_path: Path, bad: Entry
) -> None:
    with pytest.raises(BadImage, match="layer sha256:"):
        unpacked(tmp_path, layer(file("a"), bad))
    assert [each.name for each in tmp_path.iterdir()] == ["layer-0"]


def test_o1_no_link_leads_out_of_the_tree(tmp_path: Path) -> None:
    """Neither for files that lie behind it nor for what is hard-linked through it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    ways = [link("l", str(outside)), link("m", "../" * 30 + str(outside)[1:])]
    stack = [*ways, file("l/new"), file("m/other")]
    unpacked(tmp_path, layer(*stack))
    assert [each.name for each in outside.iterdir()] == ["secret"]
    inside = tmp_path / "tree/root" / str(outside)[1:]
    assert sorted(each.name for each in inside.iterdir()) == ["new", "other"]


def test_a_hard_link_through_a_link_to_the_outside_leads_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(BadImage, match="is a hard link to 'l/secret', where nothing is"):
        unpacked(tmp_path, layer(link("l", str(tmp_path)), hard_link("h", "l/secret")))


def test_names_of_aufs_are_passed_over(tmp_path: Path) -> None:
    """The only name of that kind that means something is that of an opaque folder."""
    own = [
        file(".wh..wh.aufs"),
        folder(".wh..wh.plnk"),
        file(".wh..wh.plnk/1.2"),
        file("a/.wh..wh.x"),
    ]
    assert names(tmp_path, [folder("a"), *own]) == [b"", b"a"]
    assert is_of_aufs(b"a/.wh..wh.orph/x") and not is_of_aufs(b"a/.wh..wh..opq")


def test_a_long_chain_of_links_is_followed_and_an_endless_one_refused(tmp_path: Path) -> None:
    chain = [link(f"l{number}", f"l{number + 1}") for number in range(39)]
    (tmp_path / "good").mkdir()
    assert b"l39/x" in names(tmp_path / "good", [*chain, file("l0/x")])
    with pytest.raises(BadImage, match="behind more than 40 links"):
        names(tmp_path, [*chain, link("l39", "l40"), link("l40", "l41"), file("l0/x")])


def test_the_deepest_folders_are_kept(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 254)
    assert deep.encode() in names(tmp_path, [file(deep)])


def test_names_are_split_as_paths_are() -> None:
    assert split(b"./a//b/./c/") == (b"a", b"b", b"c")
    assert split(b".") == split(b"") == ()
    assert is_whiteout(b"a/.wh.b") and not is_whiteout(b"a/.whb") and not is_whiteout(b".")
