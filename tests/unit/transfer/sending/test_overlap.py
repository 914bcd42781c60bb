"""What two trees have in common, and what of each is left out."""

from typing import TYPE_CHECKING

import pytest

from reconix.nix.images import DeviceTrees, read_device_generation
from reconix.store.images.nodes import Metadata
from reconix.store.paths import StorePath
from reconix.store.tree import File, Node, folder
from reconix.transfer.sending import overlap as overlaps
from reconix.transfer.sending.overlap import UNKNOWN, Overlap, overlap
from reconix.transfer.sending.trees import FolderNode, Trees
from reconix.transfer.sending.trees import Node as Scanned

if TYPE_CHECKING:
    from tests.unit.transfer.conftest import Workshop


def compared(workshop: "Workshop", *generations: StorePath) -> Overlap:
    reader = DeviceTrees(workshop.store)
    bases = [read_device_generation(workshop.store, each, reader) for each in generations]
    trees = Trees(reader.scanner.places)
    listed = [[trees.tree(base.trees[path]) for path in base.manifest.objects] for base in bases]
    return overlap([base.manifest for base in bases], listed)


def names(tree: Scanned | None) -> list[str]:
    """All that is in a tree."""
    if not isinstance(tree, FolderNode):
        return []
    below = [(name, each) for name, node in tree.entries for each in ["", *names(node)]]
    return [f"{name.decode()}/{each}".rstrip("/") for name, each in below]


def left_out(found: Overlap, base: int, column: int) -> set[str]:
    places = [place for place in found.views[base].left_out if place.source == column]
    return {b"/".join(place.path).decode() for place in places}


@pytest.fixture
def two(workshop: "Workshop") -> tuple[StorePath, StorePath]:
    same: dict[str, Node] = {"a/same": File(b"1"), "b/same": File(b"2")}
    return (
        workshop.generation(
            root=folder({**same, "a/file": File(b"x"), "lib-1/x": File(b"x"), "c/d": File(b"c")}),
            kept=folder(same),
        ),
        workshop.generation(
            root=folder({**same, "a/file": File(b"y"), "lib-2/x": File(b"x"), "c/e": File(b"c")}),
            kept=folder(same),
        ),
    )


def column(workshop: "Workshop", found: Overlap, base: StorePath, name: str) -> int:
    return found.columns.index(workshop.path(base, name))


def test_equal_objects_come_first_and_stay(
    workshop: "Workshop", two: tuple[StorePath, StorePath]
) -> None:
    found = compared(workshop, *two)
    assert found.views[0].staying == found.views[1].staying
    staying = {workshop.path(two[0], name) for name in ("boot", "kept")}
    assert set(found.columns[: found.equal]) == staying


def test_of_other_objects_what_is_equal_everywhere_remains(
    workshop: "Workshop", two: tuple[StorePath, StorePath]
) -> None:
    found = compared(workshop, *two)
    root = column(workshop, found, two[0], "root")
    assert names(found.trees[root]) == ["a", "a/same", "b", "b/same"]
    assert left_out(found, 0, root) == {"a/file", "lib-1", "c"}
    assert left_out(found, 1, root) == {"a/file", "lib-2", "c"}


def test_objects_meet_by_their_names_without_versions(workshop: "Workshop") -> None:
    tree = {"modules/net.ko": File(b"net")}
    old, new = (
        workshop.generation(**{name: folder({**tree, "modules/own": File(name.encode())})})
        for name in ("linux-6.1.0-1", "linux-6.1.0-20")
    )
    found = compared(workshop, old, new)
    linux = column(workshop, found, old, "linux-6.1.0-1")
    assert names(found.trees[linux]) == ["modules", "modules/net.ko"]


def test_one_base_is_all_there_is(workshop: "Workshop", two: tuple[StorePath, StorePath]) -> None:
    found = compared(workshop, two[0])
    manifest = workshop.manifest(two[0])
    assert found.columns == manifest.objects and found.equal == len(found.columns)
    assert found.views[0].images == manifest.images
    assert not found.views[0].left_out
    assert compared(workshop) == Overlap((), (), ())


PRIVATE = Metadata(0o600)


def with_metadata(workshop: "Workshop", *told: dict[bytes, Metadata]) -> Overlap:
    """Bases with the same objects, of which one has other metadata in each."""
    shape = folder({"a/x": File(b"1"), "b/y": File(b"2"), "c": File(b"3")})
    return compared(
        workshop,
        *(
            workshop.generation({"root": tuple(sorted(each.items()))}, root=shape, kept=folder({}))
            for each in told
        ),
    )


def test_an_object_with_other_metadata_is_another_one(workshop: "Workshop") -> None:
    found = with_metadata(workshop, {b"c": PRIVATE}, {b"c": Metadata(0o644)})
    assert {path.name for path in found.columns[: found.equal]} == {"boot", "kept"}
    assert "root" in [path.name for path in found.columns[found.equal :]]


def test_metadata_that_are_not_the_same_everywhere_are_unknown(workshop: "Workshop") -> None:
    found = with_metadata(workshop, {b"c": PRIVATE, b"b": PRIVATE}, {b".": PRIVATE})
    (root,) = [
        tree for path, tree in zip(found.columns, found.trees, strict=True) if path.name == "root"
    ]
    assert isinstance(root, FolderNode)
    told = {name: node.metadata for name, node in root.entries}
    assert root.metadata == told[b"b"] == told[b"c"] == UNKNOWN
    assert told[b"a"] != UNKNOWN


def test_images_that_all_have_may_stay(workshop: "Workshop") -> None:
    same = {"linux": folder({f"{number}": File(b"") for number in range(600)})}
    bases = [workshop.generation(page=File(b"%d" % n), **same) for n in range(2)]
    found = compared(workshop, *bases)
    (image,) = found.views[0].images
    assert image.objects == (workshop.path(bases[0], "linux"),)
    assert found.views[1].images == (image,)


@pytest.mark.parametrize(("limit", "value"), [("MAX_LEFT_OUT", 2), ("MAX_LEFT_OUT_BYTES", 10)])
def test_a_tree_of_which_too_much_would_be_left_out_is_not_used(
    workshop: "Workshop",
    two: tuple[StorePath, StorePath],
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
) -> None:
    monkeypatch.setattr(overlaps, limit, value)
    found = compared(workshop, *two)
    root = column(workshop, found, two[0], "root")
    assert found.trees[root] is None
    assert left_out(found, 0, root) == set()
