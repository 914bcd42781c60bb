from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconix.build.software.python.united import Part, SameFile, united
from reconix.config.patterns import Patterns
from reconix.store import nar
from reconix.store.nar import Restorer
from reconix.store.tree import File, Folder, Node, Symlink, files, folder, write


def together(place: Path, trees: Mapping[str, Node], *exclude: str) -> Path:
    """Several trees as one, on the disk."""
    place.mkdir(exist_ok=True)
    for name, tree in trees.items():
        write(tree, place / name)
    parts = [Part(place / name, name, is_wheel=name != "own") for name in trees]
    restorer = Restorer(place / "united")
    for event in united(parts, Patterns(exclude)):
        restorer.feed(event)
    restorer.close()
    return place / "united"


def names(tree: Path) -> list[str]:
    found = (path for path in tree.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(path.relative_to(tree).as_posix() for path in found)


def test_folders_are_joined_and_equal_files_are_one(tmp_path: Path) -> None:
    one = folder({"space/__init__.py": File(b""), "space/a": File(b"a"), "l": Symlink("a")})
    other = folder({"space/__init__.py": File(b""), "space/b": File(b"b"), "l": Symlink("a")})
    found = together(tmp_path, {"one": one, "other": other})
    assert names(found) == ["l", "space/__init__.py", "space/a", "space/b"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"d/x": File(b"1")}, {"d/x": File(b"2")}),
        ({"d/x": File(b"1")}, {"d/x": File(b"1", executable=True)}),
        ({"d/x/y": File(b"1")}, {"d/x": File(b"1")}),
        ({"d/x": File(b"1")}, {"d/x/y": File(b"1")}),
        ({"d/x": Symlink("1")}, {"d/x": File(b"1")}),
        ({"d/x": Symlink("1")}, {"d/x": Symlink("2")}),
        ({"d/x": Symlink(".")}, {"d/x/y": File(b"1")}),
    ],
)
def test_different_nodes_of_one_name_are_refused(
    tmp_path: Path, one: dict[str, Node], other: dict[str, Node]
) -> None:
    with pytest.raises(SameFile, match="one and other both bring d/x, and they differ"):
        together(tmp_path, {"one": folder(one), "other": folder(other)})


def test_what_is_excluded_goes_with_what_it_was_compiled_to(tmp_path: Path) -> None:
    modules = ("a/x", "a/x2", "b/x", "tests/t")
    tree = folder(
        {
            path: File(b"")
            for module in modules
            for place, _, name in [module.rpartition("/")]
            for path in (f"{module}.py", f"{place}/__pycache__/{name}.cpython-313.pyc")
        }
    )
    own = folder({"tests/own": File(b"")})
    found = together(tmp_path, {"one": tree, "own": own}, "/a/x.py", "tests/")
    assert names(found) == [
        "a/__pycache__/x2.cpython-313.pyc",
        "a/x2.py",
        "b/__pycache__/x.cpython-313.pyc",
        "b/x.py",
        "tests/own",
    ]


NODES = st.recursive(
    st.builds(File, st.binary(max_size=2), st.booleans()) | st.just(Symlink("a")),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(folder),
    max_leaves=6,
)
TREES = st.dictionaries(st.sampled_from("abcd"), NODES, max_size=3).map(folder)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(one=TREES, other=TREES)
def test_what_is_in_any_of_two_trees_is_in_both_together(
    tmp_path_factory: pytest.TempPathFactory, one: Folder, other: Folder
) -> None:
    place = tmp_path_factory.mktemp("trees")
    try:
        found = together(place, {"one": one, "other": other})
    except SameFile:
        assert _clash(one, other)
    else:
        assert not _clash(one, other)
        assert names(found) == sorted({name for tree in (one, other) for name, _ in files(tree)})
        again = together(place / "again", {"one": other, "other": one})
        assert nar.digest(found) == nar.digest(again), "whichever comes first"


def _clash(one: Node, other: Node) -> bool:
    """Whether there are two different nodes at one path, not both folders."""
    if isinstance(one, Folder) and isinstance(other, Folder):
        theirs = dict(other.entries)
        return any(name in theirs and _clash(node, theirs[name]) for name, node in one.entries)
    return one != other
