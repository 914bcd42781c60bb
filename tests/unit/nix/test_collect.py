"""What is a root stays, with all that it needs; everything else goes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deep_trees import nested

from reconix.base.errors import UsageError
from reconix.nix import roots
from reconix.nix.chroot import ChrootStore
from reconix.nix.collect import collect
from reconix.nix.database import NotValid
from reconix.store.links import LINKS
from reconix.store.paths import StorePath
from reconix.store.tree import File, Symlink


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "s") as store:
        yield store


def filled(root: Path) -> tuple[StorePath, StorePath, StorePath]:
    """An object, one that refers to it, and one that is alone; nobody protects them."""
    with ChrootStore(root) as store:
        lib = store.add_files(File(b"lib"), "lib")
        return (
            lib,
            store.add_files(Symlink(str(lib)), "tool", [lib]),
            store.add_files(File(b"x"), "alone"),
        )


def test_without_roots_everything_goes(store: ChrootStore) -> None:
    paths = filled(store.root)
    assert collect(store).paths == tuple(sorted(paths))
    assert store.database.valid_paths() == set()
    assert [one.name for one in store.store_dir.iterdir()] == [LINKS]
    assert list((store.store_dir / LINKS).iterdir()) == []


def test_a_leftover_goes_however_long_its_path(store: ChrootStore) -> None:
    with nested(store.store_dir / "rubbish", depth=20, name="n" * 255):
        assert collect(store).leftovers == ("rubbish",)
        assert [one.name for one in store.store_dir.iterdir()] == [LINKS]


def test_a_dry_run_tells_and_keeps(store: ChrootStore) -> None:
    paths = filled(store.root)
    (store.store_dir / "rubbish").mkdir()
    found = collect(store, dry=True)
    assert (found.paths, found.leftovers) == (tuple(sorted(paths)), ("rubbish",))
    assert store.database.valid_paths() == set(paths)


def test_a_pin_keeps_a_closure(store: ChrootStore) -> None:
    _, tool, alone = filled(store.root)
    store.pin("generation-1", tool)
    assert roots.pinned(store.state_dir) == [("generation-1", tool)]
    assert collect(store).paths == (alone,)
    store.unpin("generation-1")
    store.unpin("generation-1")
    assert roots.pinned(store.state_dir) == []


def test_a_pin_is_replaced_whole(store: ChrootStore) -> None:
    lib, tool, _ = filled(store.root)
    store.pin("g", lib)
    store.pin("g", tool)
    assert roots.pinned(store.state_dir) == [("g", tool)]


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a b"])
def test_a_pin_with_an_impossible_name_is_refused(name: str, store: ChrootStore) -> None:
    lib, _, _ = filled(store.root)
    with pytest.raises(UsageError, match="cannot name a pin"):
        store.pin(name, lib)


def test_what_is_not_valid_cannot_be_pinned(store: ChrootStore) -> None:
    with pytest.raises(NotValid):
        store.pin("x", StorePath("0" * 32, "x"))


def test_links_as_nix_makes_them_are_roots(store: ChrootStore, tmp_path: Path) -> None:
    lib, tool, alone = filled(store.root)
    (tmp_path / "result").symlink_to(str(lib))
    automatic = store.state_dir / "gcroots/auto"
    automatic.mkdir(parents=True)
    (automatic / "abc").symlink_to(tmp_path / "result")
    profiles = store.state_dir / "profiles"
    profiles.mkdir()
    (profiles / "system-1-link").symlink_to(store.path(alone))
    assert collect(store).paths == (tool,)
    (tmp_path / "result").unlink()
    assert collect(store).paths == (lib,)


def test_a_link_outside_keeps_what_it_points_to_until_it_goes(
    tmp_path: Path,
) -> None:
    with ChrootStore(tmp_path / "s") as store:
        old, new = (store.add_files(File(text), "x") for text in (b"1", b"2"))
        roots.link(store.state_dir, tmp_path / "generation", old)
        roots.link(store.state_dir, tmp_path / "generation", new)
    with ChrootStore(tmp_path / "s") as store:
        assert collect(store).paths == (old,)
        (tmp_path / "generation").unlink()
        assert collect(store).paths == (new,)


def test_what_this_process_adds_or_asks_for_stays(store: ChrootStore) -> None:
    lib, tool, alone = filled(store.root)
    assert store.valid_all([alone])
    mine = store.add_files(Symlink(str(lib)), "mine", [lib])
    assert collect(store).paths == (tool,)
    assert store.database.valid_paths() == {alone, lib, mine}


def test_what_another_process_has_open_stays(store: ChrootStore) -> None:
    """As a virtual machine that runs from the store."""
    lib, tool, alone = filled(store.root)
    code = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", code, str(store.path(alone))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert collect(store).paths == tuple(sorted([lib, tool]))
        child.communicate()
    assert collect(store).paths == (alone,)


def test_what_a_command_line_names_stays(store: ChrootStore) -> None:
    lib, tool, alone = filled(store.root)
    words = [sys.executable, "-c", "input()", f"file={store.path(tool)},format=raw"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert collect(store).paths == (alone,)
        child.communicate()
    assert collect(store).paths == tuple(sorted([lib, tool]))


def test_temporary_roots_of_the_dead_are_removed(store: ChrootStore) -> None:
    lib, _, _ = filled(store.root)
    left = store.state_dir / "temproots/123456789"
    left.write_text(f"{lib}\0")
    collect(store)
    assert not left.exists()
    assert store.database.valid_paths() == set()
