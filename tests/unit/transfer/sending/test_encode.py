from pathlib import Path

from reconix.store.tree import File, Node, Symlink, folder, write
from reconix.transfer.format.plan import Drop, End, Here, Keep, Like, Link, Location, New, Take
from reconix.transfer.sending.encode import Described, Literal, describe
from reconix.transfer.sending.match import FolderNode, Index, Scanner

SELF = 1


def described(old: dict[str, Node], new: dict[str, Node], place: Path) -> Described:
    """The new tree by its difference to the old one, which is source 0."""
    write(folder(old), place / "old")
    write(folder(new), place / "new")
    scanner, index = Scanner(), Index()
    index.add(0, scanner.scan(place / "old"))
    return describe(scanner.scan(place / "new"), Location(0), SELF, index)


def shown(result: Described) -> list[str]:
    """Each step in a few letters."""
    return [_show(step) for step in result.steps]


def _show(step: object) -> str:
    match step:
        case Keep(count, _):
            return f"keep {count}"
        case Drop(count):
            return f"drop {count}"
        case Take(name, location, _):
            return f"take {_name(name)} {location.source}:{b'/'.join(location.path).decode()}"
        case Literal(name, file):
            return f"file {_name(name)} {file.size_bytes}"
        case Like(name, location, _):
            return f"like {_name(name)} {location.source}:{b'/'.join(location.path).decode()}"
        case Link(name, _) | New(name):
            return f"{type(step).__name__.lower()} {_name(name)}"
        case Here():
            return "here"
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
        "usr/kept/a": File(b"usr/kept/a"),
        "l": Symlink("x" * 100),
    }
    result = described(files("usr/kept/a"), new, tmp_path)
    assert result.inodes == 3 + 1 + 1  # folders, file, link
    assert result.content_bytes == 5000
    assert result.space_bytes == 3 * 4096 + 8192 + 4096


def test_an_equal_tree_needs_almost_nothing(tmp_path: Path) -> None:
    same = files("a", "b/c")
    result = described(same, same, tmp_path)
    assert shown(result) == ["take - 0:"]
    assert isinstance(Scanner().scan(tmp_path / "new"), FolderNode)
