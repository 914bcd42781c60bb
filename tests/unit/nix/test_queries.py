"""Why, and how large: answers that can be checked by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconix.nix.chroot import ChrootStore
from reconix.nix.database import NotValid
from reconix.nix.queries import NotNeeded, Size, Step, sizes, why
from reconix.store.paths import StorePath
from reconix.store.tree import File, Symlink, folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "s") as store:
        yield store


def test_why_shows_the_chain_and_the_files(store: ChrootStore) -> None:
    lib = store.add_files(File(b"lib"), "lib")
    tool = store.add_files(
        folder({"a/run": File(f"#!{lib}".encode()), "z": Symlink(str(lib)), "t": File(b"")}),
        "tool",
        [lib],
    )
    top = store.add_files(File(f"exec {tool}/a/run".encode()), "top", [tool])
    assert why(store, top, lib) == (
        Step(top, (".",)),
        Step(tool, ("a/run", "z")),
        Step(lib, ()),
    )
    assert why(store, lib, lib) == (Step(lib, ()),)
    with pytest.raises(NotNeeded, match=r"-lib does not need .*-top"):
        why(store, lib, top)
    with pytest.raises(NotValid):
        why(store, lib, StorePath("0" * 32, "x"))


def test_why_gives_the_shortest_chain(store: ChrootStore) -> None:
    lib = store.add_files(File(b"lib"), "lib")
    tool = store.add_files(Symlink(str(lib)), "tool", [lib])
    files = folder({"long": Symlink(str(tool)), "short": Symlink(str(lib))})
    top = store.add_files(files, "top", [tool])
    assert why(store, top, lib) == (Step(top, ("short",)), Step(lib, ()))


def test_sizes_count_shared_files_once(store: ChrootStore) -> None:
    common = File(b"c" * 1000)
    one = store.add_files(folder({"c": common, "own": File(b"1" * 10)}), "one")
    two = store.add_files(folder({"c": common, "d": common, "own": File(b"2" * 20)}), "two")
    assert sizes(store, [one, two]) == (Size(two, 20, 1000, 20), Size(one, 10, 1000, 10))


def test_freed_is_what_goes_with_all_that_needs_it(store: ChrootStore) -> None:
    lib = store.add_files(File(b"l" * 100), "lib")
    shared = store.add_files(File(b"s" * 1000), "shared")
    text = f"{lib} {shared}"
    tool = store.add_files(File(text.encode()), "tool", [lib, shared])
    store.add_files(Symlink(str(shared)), "other", [shared])
    found = {size.path: size.freed_bytes for size in sizes(store, [lib, shared, tool])}
    assert found == {
        tool: len(text) + 100,  # lib is only for it, shared is for other as well
        lib: len(text) + 100,
        shared: len(text) + 100 + 1000,
    }
