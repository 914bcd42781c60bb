"""Why, how large, what is different: answers that can be checked by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconix.nix.chroot import ChrootStore
from reconix.nix.database import NotValid
from reconix.nix.queries import NotNeeded, Size, Step, difference, sizes, systems_of, why
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


def test_a_difference_names_objects_and_systems(store: ChrootStore) -> None:
    page, page2 = (store.add_files(File(text), "page") for text in (b"1", b"22"))
    old_tool, extra = store.add_files(File(b"x"), "old"), store.add_files(File(b"y"), "extra")
    same = store.add_files(File(b"default"), "system-default")
    web = store.add_files(File(f"{page} {old_tool}".encode()), "system-web", [page, old_tool])
    web2 = store.add_files(File(f"{page2} {extra}".encode()), "system-web", [page2, extra])
    first = generation(store, default=same, web=web)
    second = generation(store, default=same, web=web2, more=same)
    assert systems_of(store, first) == {"default": same, "web": web}
    found = difference(store, first, second)
    assert [(one.name, one.before, one.after) for one in found.changes] == [
        ("extra", (), (extra,)),
        ("generation", (first,), (second,)),
        ("old", (old_tool,), ()),
        ("page", (page,), (page2,)),
        ("system-web", (web,), (web2,)),
    ]
    assert found.identical == ("default",)
    assert found.touched == ("more", "web")
    assert found.changes[0].after_bytes == store.info(extra).nar_size_bytes
    nothing = difference(store, first, first)
    assert (nothing.changes, nothing.touched) == ((), ())


def generation(store: ChrootStore, **systems: StorePath) -> StorePath:
    files = folder({f"systems/{name}": Symlink(str(path)) for name, path in systems.items()})
    return store.add_files(files, "generation", systems.values())
