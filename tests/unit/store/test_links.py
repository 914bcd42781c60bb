"""Equal files become one file, and what is shared is always right."""

import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from reconix.base.files import COPY_BYTES
from reconix.store import links, nar, tree
from reconix.store.links import LINKS, LinkPool, Saved, SharingRestorer, link_key
from reconix.store.tree import File, Symlink, folder

TREE = folder(
    {
        "a/one": File(b"same"),
        "b/two": File(b"same"),
        "b/run": File(b"same", executable=True),
        "a/link": Symlink("x"),
        "b/link": Symlink("x"),
    }
)


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


def inodes(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.lstat().st_ino for path in links.leaves(root)}


def test_the_key_is_the_digest_of_the_file_as_an_archive(tmp_path: Path) -> None:
    # `nix-store --optimise` gave this name to a file with the content "x\n"
    (tmp_path / "x").write_bytes(b"x\n")
    assert link_key(tmp_path / "x") == "0hkbia1003qqh0r7fn03drzx5yaw7yp99xs7j6c7qsddnp1w7dpc"


@pytest.mark.parametrize("size", [0, 1, 7, 8, 5000, COPY_BYTES - 1, COPY_BYTES, COPY_BYTES + 1])
@pytest.mark.parametrize("mode", [0o444, 0o555])
def test_the_short_way_to_a_key_gives_the_same_key(tmp_path: Path, size: int, mode: int) -> None:
    (tmp_path / "x").write_bytes(b"x" * size)
    (tmp_path / "x").chmod(mode)
    assert nar.file_digest(tmp_path / "x") == nar.digest(tmp_path / "x").digest


def test_what_is_no_file_has_the_key_of_its_archive_or_none(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    assert nar.file_digest(tmp_path / "link") == nar.digest(tmp_path / "link").digest
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(nar.BadTree):
        nar.file_digest(tmp_path / "fifo")


def test_processes_that_read_find_the_same_keys(store: Path) -> None:
    for name in ("one", "two"):
        files = {f"f{number:03}": File(b"%d" % (number % 70)) for number in range(300)}
        tree.write(folder(files), store / name)
    with ProcessPoolExecutor(2) as readers:
        saved = links.optimise_all(store, [store / "one", store / "two"], readers.map)
    assert saved.files == 530
    assert len(set(inodes(store / "one").values()) | set(inodes(store / "two").values())) == 70


def test_equal_files_become_one(store: Path) -> None:
    tree.write(TREE, store / "t")
    before = nar.digest(store / "t")
    saved = links.optimise(store, store / "t")
    found = inodes(store / "t")
    assert saved == Saved(2, 5)
    assert found["a/one"] == found["b/two"] != found["b/run"]
    assert found["a/link"] == found["b/link"]
    assert nar.digest(store / "t") == before
    assert {path.lstat().st_mtime for path in [store / "t", *(store / "t").rglob("*")]} == {1}


def test_optimising_again_saves_nothing(store: Path) -> None:
    tree.write(TREE, store / "t")
    links.optimise(store, store / "t")
    assert links.optimise(store, store / "t") == Saved()
    assert links.optimise_all(store, [store / "t"]) == Saved()


def test_a_single_file_is_shared_too(store: Path) -> None:
    tree.write(File(b"same"), store / "one")
    tree.write(File(b"same"), store / "two")
    assert links.optimise_all(store, [store / "one", store / "two"]) == Saved(1, 4)
    assert (store / "one").stat().st_ino == (store / "two").stat().st_ino


def test_a_shared_name_that_lost_its_content_is_dropped(store: Path) -> None:
    tree.write(File(b"same"), store / "one")
    key = link_key(store / "one")
    (store / LINKS).mkdir()
    (store / LINKS / key).write_bytes(b"")
    links.optimise(store, store / "one")
    assert (store / "one").read_bytes() == (store / LINKS / key).read_bytes() == b"same"


@pytest.mark.parametrize("size_bytes", [0, 1, 1 << 20, (1 << 20) + 1])
def test_a_sharing_restorer_makes_the_same_tree(store: Path, size_bytes: int) -> None:
    files = folder({"x/a": File(bytes(size_bytes)), "x/b": File(b"b"), "l": Symlink("x/a")})
    pool = LinkPool(store)
    for name in ("one", "two"):
        restorer = SharingRestorer(store / name, pool)
        for event in tree.events(files):
            restorer.feed(event)
        restorer.close()
        restorer.share_fresh()
    assert nar.digest(store / "one") == nar.digest(store / "two")
    assert inodes(store / "one") == inodes(store / "two")


def test_a_sharing_restorer_does_not_trust_a_name_of_wrong_size(store: Path) -> None:
    pool = LinkPool(store)
    tree.write(File(b"same"), store / "one")
    pool.path(link_key(store / "one")).write_bytes(b"cut")
    restorer = SharingRestorer(store / "two", pool)
    for event in tree.events(File(b"same")):
        restorer.feed(event)
    assert (store / "two").read_bytes() == b"same"


def test_no_temporary_name_stays(store: Path) -> None:
    tree.write(TREE, store / "t")
    links.optimise(store, store / "t")
    assert entries(store) == [LINKS, "t"]
