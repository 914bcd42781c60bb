"""Adding to a store: named by content, whole, shared, safe beside others."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconix.base.digests import Digest
from reconix.base.files import remove_tree
from reconix.nix.chroot import ChrootStore, WrongContent
from reconix.nix.database import NotValid, PathInfo
from reconix.store import nar, tree
from reconix.store.closure import StoreObject
from reconix.store.links import LINKS
from reconix.store.nar import BadArchive, BadTree
from reconix.store.paths import BadStorePath, StorePath
from reconix.store.tree import File, Symlink, folder
from reconix.store.verify import ObjectMissing

TREE = folder({"bin/run": File(b"run", executable=True), "l": Symlink("bin"), "t": File(b"text")})


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as store:
        yield store


def names(store: ChrootStore) -> list[str]:
    return entries(store.store_dir)


def test_an_added_tree_is_registered_with_what_it_is(store: ChrootStore, tmp_path: Path) -> None:
    tree.write(TREE, tmp_path / "t")
    path = store.add(tmp_path / "t", "thing")
    measured = nar.digest(tmp_path / "t")
    assert store.info(path) == StoreObject(path, measured.digest, measured.size_bytes)
    assert nar.digest(store.path(path)) == measured
    assert names(store) == [LINKS, path.basename]


def test_copying_moving_and_describing_give_the_same_path(tmp_path: Path) -> None:
    found = set()
    for way in ("copy", "move", "describe"):
        tree.write(TREE, tmp_path / way)
        with ChrootStore(tmp_path / f"store-{way}") as store:
            if way == "describe":
                path = store.add_files(TREE, "thing")
            else:
                path = store.add(tmp_path / way, "thing", move=way == "move")
            found.add((path, nar.digest(store.path(path)).digest))
            modes = {one.lstat().st_mode & 0o777 for one in store.path(path).rglob("*")}
            assert modes <= {0o444, 0o555, 0o777}
            assert {one.lstat().st_mtime for one in store.path(path).rglob("*")} == {1}
            assert store.path(path).stat().st_mode & 0o777 == 0o555
            assert len(list((store.store_dir / LINKS).iterdir())) == 3
    assert len(found) == 1
    assert (tmp_path / "copy").exists()
    assert not (tmp_path / "move").exists()


def test_adding_again_gives_the_same_and_leaves_nothing(store: ChrootStore, tmp_path: Path) -> None:
    first = store.add_files(TREE, "thing")
    before = store.path(first).stat().st_ino
    tree.write(TREE, tmp_path / "t")
    assert store.add(tmp_path / "t", "thing", move=True) == first
    assert store.path(first).stat().st_ino == before
    assert names(store) == [LINKS, first.basename]


def test_a_tree_that_is_here_is_read_once_and_written_never(store: ChrootStore) -> None:
    read: list[str] = []

    def again() -> Iterator[nar.Event]:
        read.append("once")
        return tree.events(folder({"a": File(b"1"), "b": Symlink("a")}))

    path = store.add_again(again, "tree")
    assert path == store.add_files(folder({"a": File(b"1"), "b": Symlink("a")}), "tree")
    assert (store.path(path) / "a").read_bytes() == b"1"
    before = store.store_dir.stat().st_mtime_ns
    assert store.add_again(again, "tree") == path
    assert store.store_dir.stat().st_mtime_ns == before
    assert len(read) == 3


def test_references_are_found_also_those_of_candidates(store: ChrootStore) -> None:
    one = store.add_files(File(b"1"), "one")
    two = store.add_files(Symlink(str(one)), "two", [one])
    other = store.add_files(File(b"3"), "other")
    text = f"{one} {two}/bin".encode()
    three = store.add_files(folder({"x": File(text)}), "three", [two, other])
    assert store.info(two).references == (one,)
    assert store.info(three).references == tuple(sorted([one, two]))
    assert store.closure(three) == sorted([one, two, three])
    assert store.closure_of(three).paths() == {one, two, three}
    assert {who for who, whom in store.database.references() if whom == one} == {two, three}


def test_what_is_not_declared_is_no_reference(store: ChrootStore) -> None:
    one = store.add_files(File(b"1"), "one")
    assert store.info(store.add_files(Symlink(str(one)), "two")).references == ()


def test_a_candidate_must_be_valid(store: ChrootStore) -> None:
    with pytest.raises(NotValid, match="0000-x is not valid in this store"):
        store.add_files(File(b"1"), "one", [StorePath("0" * 32, "x")])
    assert names(store) == [LINKS]


def test_a_leftover_under_the_final_name_is_replaced(store: ChrootStore, tmp_path: Path) -> None:
    with ChrootStore(tmp_path / "other") as other:
        path = other.add_files(TREE, "thing")
    store.path(path).mkdir()
    (store.path(path) / "half").touch()
    assert not store.is_valid(path)
    store.add_files(TREE, "thing")
    assert entries(store.path(path)) == ["bin", "l", "t"]


def test_what_a_dead_process_left_is_removed(store: ChrootStore) -> None:
    (store.store_dir / ".add-1-0/d").mkdir(parents=True, mode=0o555)
    (store.store_dir / ".add-1-0.lock").touch()
    path = store.add_files(TREE, "thing")
    assert names(store) == [LINKS, path.basename]


def test_what_a_living_process_adds_is_left_alone(store: ChrootStore) -> None:
    with store._place() as place:
        place.mkdir()
        (place / "x").touch()
        store.add_files(TREE, "thing")
        assert (place / "x").exists()


def test_a_bad_tree_leaves_nothing(store: ChrootStore, tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t/a").write_bytes(b"a")
    os.mkfifo(tmp_path / "t/b")
    with pytest.raises(BadTree, match="neither file"):
        store.add(tmp_path / "t", "thing")
    assert names(store) == [LINKS]
    assert store.database.valid_paths() == set()


def test_a_bad_name_is_refused_before_the_work(store: ChrootStore, tmp_path: Path) -> None:
    with pytest.raises(BadStorePath):
        store.add(tmp_path, "a/b", move=True)
    assert tmp_path.exists()


def test_two_processes_may_add_the_same_and_different_things(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from reconix.nix.chroot import ChrootStore\n"
        "from reconix.store.tree import File, folder\n"
        "with ChrootStore(Path(sys.argv[1])) as store:\n"
        "    for n in range(12):\n"
        "        store.add_files(folder({f'{m}': File(b'%d' % m) for m in range(n)}), 'same')\n"
        "        store.add_files(File(sys.argv[2].encode() * n), 'other')\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "s")]
    children = [subprocess.Popen([*words, letter]) for letter in "abc"]
    assert [child.wait() for child in children] == [0, 0, 0]
    with ChrootStore(tmp_path / "s") as store:
        valid = store.database.valid_paths()
        assert len(valid) == 12 + 1 + 3 * 11
        assert names(store) == sorted([LINKS, *(path.basename for path in valid)])
        for path in valid:
            assert nar.digest(store.path(path)).digest == store.info(path).nar


# Receiving under a name that is known


def archive(content: tree.Node) -> bytes:
    out = bytearray()
    tree.dump(content, out.extend)
    return bytes(out)


def promise(content: tree.Node, path: StorePath, *references: StorePath) -> PathInfo:
    data = archive(content)
    return PathInfo(StoreObject(path, Digest.of(data), len(data), references))


class Source:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, size: int) -> bytes:
        piece, self.data = self.data[:size], self.data[size:]
        return piece


PATH = StorePath("1" * 32, "input-addressed")


def test_an_object_is_received_under_its_own_name(store: ChrootStore) -> None:
    source = Source(archive(TREE) + b"rest")
    store.receive(promise(TREE, PATH, PATH), source.read)
    assert store.info(PATH).references == (PATH,)
    assert source.data == b"rest"


def test_another_content_is_not_received(store: ChrootStore) -> None:
    with pytest.raises(WrongContent, match="expected sha256"):
        store.receive(promise(TREE, PATH), Source(archive(File(b""))).read)
    assert names(store) == [LINKS]


def test_a_truncated_object_is_not_received(store: ChrootStore) -> None:
    with pytest.raises(BadArchive, match="truncated"):
        store.receive(promise(TREE, PATH), Source(archive(TREE)[:-1]).read)
    assert names(store) == [LINKS]


def test_an_object_without_what_it_needs_is_not_received(store: ChrootStore) -> None:
    other = StorePath("2" * 32, "other")
    with pytest.raises(NotValid, match="2222-other is not valid"):
        store.receive(promise(TREE, PATH, other), Source(archive(TREE)).read)
    assert names(store) == [LINKS]


# Repairing


def test_a_repair_replaces_what_was_damaged_and_nothing_else(tmp_path: Path) -> None:
    common = File(b"common" * 99)
    with ChrootStore(tmp_path / "good") as good, ChrootStore(tmp_path / "s") as store:
        paths = []
        for name in ("one", "two", "three"):
            content = common if name != "three" else File(b"other")
            paths.append(good.add_files(folder({"f": content, name: File(b"")}), name))
        store.take_closure(good, paths)
        before = store.path(paths[2]).stat().st_ino
        damaged = store.path(paths[0]) / "f"
        damaged.chmod(0o644)
        damaged.write_bytes(b"Common" + damaged.read_bytes()[6:])
        damaged.chmod(0o444)
        wrong = store.verify()
        assert sorted(one.path for one in wrong) == sorted(paths[:2])  # they share the file
        for one in wrong:
            store.replace(one.path, nar.walk(good.path(one.path)))
        assert store.verify() == []
        assert store.path(paths[2]).stat().st_ino == before
        inodes = {(store.path(path) / "f").stat().st_ino for path in paths[:2]}
        assert len(inodes) == 1


def test_a_repair_brings_back_what_is_missing(store: ChrootStore) -> None:
    path = store.add_files(TREE, "thing")
    remove_tree(store.path(path))
    assert [type(one) for one in store.verify()] == [ObjectMissing]
    with pytest.raises(WrongContent):
        store.replace(path, tree.events(File(b"")))
    store.replace(path, tree.events(TREE))
    assert store.verify() == []
