"""What two trees have in common, and what of each is left out."""

from typing import TYPE_CHECKING

import pytest

from reconix.store.paths import StorePath
from reconix.store.tree import File, Node, folder
from reconix.transfer.sending import overlap as overlaps
from reconix.transfer.sending.match import FolderNode, Scanner
from reconix.transfer.sending.match import Node as Scanned
from reconix.transfer.sending.overlap import Overlap, overlap

if TYPE_CHECKING:
    from tests.unit.transfer.conftest import Workshop


def compared(workshop: "Workshop", *generations: StorePath) -> Overlap:
    bases = [workshop.store.manifest(each) for each in generations]
    scanner = Scanner()
    trees = [[scanner.scan(workshop.store.path(i.path)) for i in base.objects] for base in bases]
    return overlap(bases, trees)


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
    paths = [item.path for item in found.columns]
    return paths.index(workshop.path(base, name))


def test_equal_objects_come_first_and_stay(
    workshop: "Workshop", two: tuple[StorePath, StorePath]
) -> None:
    found = compared(workshop, *two)
    assert found.equal == 1
    assert found.views[0].staying == found.views[1].staying
    assert found.columns[0].path == workshop.path(two[0], "kept")


def test_of_other_objects_what_is_equal_everywhere_remains(
    workshop: "Workshop", two: tuple[StorePath, StorePath]
) -> None:
    found = compared(workshop, *two)
    root = column(workshop, found, two[0], "root")
    assert names(found.trees[root]) == ["a", "a/same", "b", "b/same"]
    assert left_out(found, 0, root) == {"a/file", "lib-1", "c"}
    assert left_out(found, 1, root) == {"a/file", "lib-2", "c"}


def test_objects_meet_by_their_names_without_versions(workshop: "Workshop") -> None:
    tree = {"modules/net.ko": File(b"net"), "modules/own": File(b"1")}
    one = workshop.store.add_files(folder(tree), "linux-6.1.0-1")
    two = workshop.store.add_files(folder({**tree, "modules/own": File(b"2")}), "linux-6.1.0-20")
    bases = [workshop.store.manifest(each) for each in (one, two)]
    found = overlap(bases, [[Scanner().scan(workshop.store.path(each))] for each in (one, two)])
    assert [names(tree) for tree in found.trees] == [["modules", "modules/net.ko"]]


def test_one_base_is_all_there_is(workshop: "Workshop", two: tuple[StorePath, StorePath]) -> None:
    found = compared(workshop, two[0])
    assert found.equal == len(found.columns) == len(workshop.store.manifest(two[0]).objects)
    assert not found.views[0].left_out
    assert compared(workshop) == Overlap((), (), ())


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
