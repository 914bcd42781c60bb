"""A tree by its difference to an old one: what is said, what it costs, and what becomes of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.transfer.packed import packed_by
from tests.unit.transfer.sending import model
from tests.unit.transfer.sending.scanned import Told, scanned

from reconix.store.images.nodes import Metadata
from reconix.store.paths import StorePath
from reconix.store.tree import File, Node, Symlink, folder
from reconix.transfer.codecs.renames import Renames
from reconix.transfer.format.plan import (
    Drop,
    End,
    Event,
    Follow,
    Here,
    Keep,
    Like,
    Link,
    Location,
    Meta,
    New,
    Printed,
    Printer,
    Same,
    Take,
    parse,
)
from reconix.transfer.sending.deltas import delta
from reconix.transfer.sending.encode import Described, Literal, Step, describe
from reconix.transfer.sending.following import Following
from reconix.transfer.sending.match import Index
from reconix.transfer.sending.means import Means
from reconix.transfer.sending.overlap import Overlap
from reconix.transfer.sending.packer import Packer
from reconix.transfer.sending.variants import Options, Own

SELF = 1


def described(
    old: dict[str, Node],
    new: dict[str, Node],
    place: Path,
    before: Told | None = None,
    after: Told | None = None,
) -> Described:
    """The new tree by its difference to the old one, which is source 0."""
    index = Index()
    index.add(0, scanned(folder(old), place / "old", before))
    return describe(scanned(folder(new), place / "new", after), Location(0), SELF, index)


def shown(result: Described) -> list[str]:
    """Each step in a few letters."""
    return [_show(step) for step in result.steps]


def _show(step: object) -> str:
    match step:
        case Keep(count):
            return f"keep {count}"
        case Drop(count):
            return f"drop {count}"
        case Take(name, location):
            return f"take {_name(name)} {location.source}:{b'/'.join(location.path).decode()}"
        case Literal(name, file):
            return f"file {_name(name)} {file.size_bytes}"
        case Like(name, location):
            return f"like {_name(name)} {location.source}:{b'/'.join(location.path).decode()}"
        case Link(name, _) | New(name):
            return f"{type(step).__name__.lower()} {_name(name)}"
        case Meta(metadata):
            return f"meta {metadata.mode:o}"
        case Here() | Same():
            return type(step).__name__.lower()
        case End():
            return "end"
    raise AssertionError(step)


def _name(name: bytes | None) -> str:
    return "-" if name is None else name.decode()


def files(*names: str) -> dict[str, Node]:
    return {name: File(name.encode()) for name in names}


def test_what_stays_is_kept_in_runs(tmp_path: Path) -> None:
    old = files("a", "b", "c", "e", "f")
    new = files("b", "c", "d", "e", "f")
    steps = shown(described(old, new, tmp_path))
    assert steps == ["like - 0:", "drop 1", "keep 2", "file d 1", "keep 2", "end"]


def test_what_goes_at_the_end_needs_no_words(tmp_path: Path) -> None:
    assert shown(described(files("a", "b", "c"), files("a"), tmp_path)) == [
        "like - 0:",
        "keep 1",
        "end",
    ]


def test_a_changed_file_is_described_in_its_folder(tmp_path: Path) -> None:
    old = files("usr/a", "usr/b", "usr/c", "var/x")
    new = {**old, "usr/b": File(b"changed")}
    steps = shown(described(old, new, tmp_path))
    assert steps == ["like - 0:", "here", "keep 1", "file - 7", "keep 1", "end", "keep 1", "end"]


def test_a_moved_file_and_a_moved_folder_are_taken(tmp_path: Path) -> None:
    old = files("a/one", "a/two", "b/three")
    new: dict[str, Node] = {
        "c/one": File(b"a/one"),
        "c/two": File(b"a/two"),
        "d": File(b"b/three"),
    }
    steps = shown(described(old, new, tmp_path))
    assert steps == ["like - 0:", "drop 2", "take c 0:a", "take d 0:b/three", "end"]


def test_a_renamed_and_changed_folder_is_like_the_old_one(tmp_path: Path) -> None:
    old = files("v1/a", "v1/b", "v1/c")
    new: dict[str, Node] = {f"v2/{n}": File(f"v1/{n}".encode()) for n in "abc"}
    new["v2/d"] = File(b"added")
    steps = shown(described(old, new, tmp_path))
    assert steps == ["like - 0:", "drop 1", "like v2 0:v1", "keep 3", "file d 5", "end", "end"]


def test_a_file_that_is_new_twice_is_sent_once(tmp_path: Path) -> None:
    new: dict[str, Node] = {"x": File(b"new"), "y": File(b"new")}
    result = described(files("a"), new, tmp_path)
    assert shown(result) == ["like - 0:", "drop 1", "file x 3", f"take y {SELF}:x", "end"]
    assert result.content_bytes == 3


def test_a_kind_may_change(tmp_path: Path) -> None:
    old: dict[str, Node] = {"a": File(b"1"), "b/c": File(b"2"), "d": Symlink("a")}
    new: dict[str, Node] = {"a/x": File(b"3"), "b": Symlink("a"), "d": File(b"4")}
    steps = shown(described(old, new, tmp_path))
    assert steps == ["like - 0:", "new -", "file x 1", "end", "link -", "file - 1", "end"]


def test_costs_cover_what_is_made(tmp_path: Path) -> None:
    new: dict[str, Node] = {
        "usr/new": File(bytes(5000)),
        "usr/small": File(b"nine byte"),
        "usr/kept/a": File(b"usr/kept/a"),
        "l": Symlink("x" * 100),
    }
    result = described(files("usr/kept/a"), new, tmp_path)
    assert (result.inodes, result.content_bytes, result.space_bytes) == (1, 5009, 8192)


def test_an_equal_tree_needs_almost_nothing(tmp_path: Path) -> None:
    same = files("a", "b/c")
    result = described(same, same, tmp_path)
    assert shown(result) == ["take - 0:"]


PRIVATE, PUBLIC = Metadata(0o600, 7, 8, 9), Metadata(0o644)


def test_metadata_are_told_where_a_device_would_have_others(tmp_path: Path) -> None:
    old = files("a", "b", "c", "d/e", "f")
    new: dict[str, Node] = {**files("a", "d/e", "g"), "b": File(b"changed"), "c": Symlink("a")}
    new |= {"moved": File(b"f")}
    before, after = {"a": PRIVATE, "b": PRIVATE}, dict.fromkeys(["b", "c", "g", "moved"], PUBLIC)
    assert shown(described(old, new, tmp_path, before, after)) == [
        *["like - 0:", "meta 444", "same"],  # of a file's content its metadata are a part
        *["file - 7", "meta 644", "link -", "keep 1", "drop 1"],
        *["file g 1", "meta 644", "take moved 0:f", "end"],
    ]


def test_what_has_nothing_but_other_metadata_is_the_same(tmp_path: Path) -> None:
    old: dict[str, Node] = {**files("a", "d/e"), "l": Symlink("a")}
    told = dict.fromkeys(["", "a", "d", "d/e", "l"], PRIVATE)
    steps = shown(described(old, old, tmp_path, after=told))
    meta_same = ["meta 600", "same"]
    inside = [*meta_same, "meta 600", "here", *meta_same, "end", *meta_same]
    assert steps == ["meta 600", "like - 0:", *inside, "end"]


def test_a_moved_folder_is_taken_with_other_metadata_of_its_own(tmp_path: Path) -> None:
    old, new = files("a/one", "a/two"), dict[str, Node]()
    new |= {"c/one": File(b"a/one"), "c/two": File(b"a/two")}
    steps = shown(described(old, new, tmp_path, after={"c": PRIVATE}))
    assert steps == ["like - 0:", "drop 1", "meta 600", "take c 0:a", "end"]


OLD, NEW = (StorePath(digit * 32, "libc") for digit in "12")
RENAMES = Renames.of([(OLD, NEW)])


def test_what_would_follow_and_must_not_stands_apart(tmp_path: Path) -> None:
    """It names an object that goes, and stays as it is."""
    stale, plain = Symlink(f"{OLD}/lib"), File(b"x")
    old: dict[str, Node] = {"a": stale, "b": Symlink(f"{OLD}/bin"), "c": stale, "d": plain}
    new: dict[str, Node] = {**old, "b": Symlink(f"{NEW}/bin")}
    index = Index()
    index.add(0, scanned(folder(old), tmp_path / "old"))
    two = scanned(folder(new), tmp_path / "new")
    steps = describe(two, Location(0), SELF, index, Following(RENAMES)).steps
    assert steps[1:-1] == [Keep(1), Follow(1), Keep(2)]


contents = st.sampled_from(
    [
        *(b"", b"x", b"y" * 64, b"y" * 65, bytes(range(256)) * 9, bytes(range(255)) * 9),
        *(
            b"#!%s/bin/sh\n" % str(path).encode() + b"echo\n" * count
            for path in (OLD, NEW)
            for count in (1, 99)
        ),
    ]
)
leaves = st.builds(File, contents, executable=st.booleans()) | st.sampled_from(
    [Symlink("a"), Symlink(f"{OLD}/lib"), Symlink(f"{NEW}/lib")]
)
shapes = st.dictionaries(
    st.sampled_from(["a", "b", "c", "a-1/x", "a-1/y", "a-2/x", "a-2/y", "d/e/f", "d/e/g", "d/h"]),
    leaves,
    max_size=8,
)
told = st.dictionaries(
    st.sampled_from(["", "a", "b", "a-1", "a-2", "a-1/x", "a-2/x", "d", "d/e", "d/e/f"]),
    st.sampled_from([PRIVATE, PUBLIC, Metadata(0o4755, attributes=((b"user.x", b"1"),))]),
    max_size=4,
)


@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(shapes, shapes, told, told)
def test_any_tree_is_made_from_any_other_and_costs_what_is_declared(
    tmp_path_factory: pytest.TempPathFactory,
    old: dict[str, Node],
    new: dict[str, Node],
    before: Told,
    after: Told,
) -> None:
    place = tmp_path_factory.mktemp("trees")
    one = scanned(folder(old), place / "old", before)
    two = scanned(folder(new), place / "new", after)
    index = Index()
    index.add(0, one)
    result = describe(two, Location(0), SELF, index, Following(RENAMES))
    maker = model.Maker({0: model.of(one)}, SELF, RENAMES)
    assert maker.make(parsed(result)) == model.of(two)
    paid = result.content_bytes, result.space_bytes, result.inodes
    assert maker.paid == paid


def parsed(result: Described) -> Iterator[Event]:
    """What a device reads."""

    def fill(packer: Packer) -> None:
        printer = Printer(packer)
        for step in result.steps:
            for event in events(step):
                printer.feed(event)

    return parse(packed_by(fill))


def events(step: Step) -> Iterator[Printed]:
    if not isinstance(step, Literal):
        return iter([step])
    options = Options(step, Own(Overlap((), (), ())).variants(step))
    return options.choose(list(map(delta, options.jobs(Means()))), Means()).events()
