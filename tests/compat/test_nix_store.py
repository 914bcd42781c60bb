"""One store, two programs: what we write Nix reads, what Nix writes we read, at the same time."""

import contextlib
import fcntl
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.project_files import enough

from reconix.base.process import CommandFailed
from reconix.nix.chroot import ChrootStore
from reconix.nix.locks import path_locked
from reconix.store import nar
from reconix.store.links import LINKS, Saved, leaves, link_key, optimise_all
from reconix.store.paths import StorePath
from reconix.store.references import Scanner
from reconix.store.tree import File, Symlink, folder
from reconix.store.verify import verify_all

if TYPE_CHECKING:
    from .conftest import Nix

Need = Callable[..., None]


def fill(store: ChrootStore) -> StorePath:
    """A closure of three objects with equal files in two of them."""
    lib = store.add_files(folder({"lib/a": File(b"same" * 99), "l": Symlink("lib")}), "lib")
    tool = store.add_files(
        folder(
            {
                "run": File(f"#!{lib}/a".encode(), executable=True),
                "copy": File(b"same" * 99),
            }
        ),
        "tool",
        [lib],
    )
    return store.add_files(folder({"tool": Symlink(f"{tool}/run")}), "system", [tool])


def schema(root: Path) -> list[tuple[str, ...]]:
    source = root / "nix/var/nix/db/db.sqlite"
    with contextlib.closing(sqlite3.connect(source)) as connection:
        query = "select type, name, tbl_name, coalesce(sql, '') from sqlite_master"
        return sorted(connection.execute(query))


def test_the_schema_is_that_of_nix(need: Need, nix: "Nix", tmp_path: Path) -> None:
    need("nix-store")
    (tmp_path / "theirs").mkdir()
    nix("nix-store", "--store", tmp_path / "theirs", "--init")
    ChrootStore(tmp_path / "ours").close()
    assert schema(tmp_path / "ours") == schema(tmp_path / "theirs")
    number = "nix/var/nix/db/schema"
    assert (tmp_path / "ours" / number).read_bytes() == (tmp_path / "theirs" / number).read_bytes()


def test_nix_reads_what_we_wrote(need: Need, nix: "Nix", tmp_path: Path) -> None:
    need("nix", "nix-store")
    root = tmp_path / "s"
    with ChrootStore(root) as store:
        path = fill(store)
        manifest = store.closure_of(path)
        said = json.loads(nix("nix", "--store", root, "path-info", "--json", "-r", str(path)))
        theirs = {item["path"]: item for item in said}
        assert sorted(theirs) == [str(item.path) for item in manifest.objects]
        for item in manifest.objects:
            found = theirs[str(item.path)]
            assert found["narSize"] == item.nar_size_bytes
            assert sorted(found["references"]) == [str(one) for one in item.references]
            assert found["ca"].startswith("fixed:r:sha256:")
    (lib,) = (item.path for item in manifest.objects if item.path.name == "lib")
    why = nix("nix", "--store", root, "why-depends", str(path), str(lib)).decode()
    assert "tool" in why
    assert lib.basename in why
    nix("nix-store", "--store", root, "--verify", "--check-contents")
    nix("nix", "--store", root, "store", "verify", "--no-trust", "--all")


def test_nix_finds_the_byte_that_we_find(need: Need, nix: "Nix", tmp_path: Path) -> None:
    need("nix-store")
    root = tmp_path / "s"
    with ChrootStore(root) as store:
        path = fill(store)
        victim = store.path(store.info(path).references[0]) / "run"
        victim.chmod(0o755)
        victim.write_bytes(b"!" + victim.read_bytes()[1:])
        victim.chmod(0o555)
        (wrong,) = verify_all(store.store_dir, store.closure_of(path).objects)
        assert wrong.path.name == "tool"
        with pytest.raises(CommandFailed, match=str(wrong.path)):
            nix("nix-store", "--store", root, "--verify", "--check-contents")


def test_closures_of_nix_survive_both_directions(
    need: Need, nix: "Nix", tmp_path: Path, closure_expression: str
) -> None:
    """A chain, a farm of links, self-references, two outputs, a large file."""
    need("nix", "nix-build", "busybox")
    theirs, ours, back = tmp_path / "theirs", tmp_path / "ours", tmp_path / "back"
    (path,) = nix.build(theirs, closure_expression, "all")
    with ChrootStore(theirs) as source, ChrootStore(ours) as target:
        manifest = source.closure_of(path)
        assert len(manifest.objects) == 19
        assert verify_all(source.store_dir, manifest.objects) == []
        target.take_closure(source, [path])
        assert target.closure_of(path) == manifest
        for item in manifest.objects:
            assert target.path_info(item.path).deriver == source.path_info(item.path).deriver
    nix("nix-store", "--store", ours, "--verify", "--check-contents")
    (back / "nix").mkdir(parents=True)
    nix("nix", "copy", "--no-check-sigs", "--from", ours, "--to", back, str(path))
    with ChrootStore(back) as store:
        assert store.closure_of(path) == manifest
        assert verify_all(store.store_dir, manifest.objects) == []


def test_references_are_those_that_nix_finds(
    need: Need, nix: "Nix", tmp_path: Path, closure_expression: str
) -> None:
    need("nix-build", "busybox")
    (path,) = nix.build(tmp_path / "s", closure_expression, "all")
    with ChrootStore(tmp_path / "s") as store:
        for item in store.closure_of(path).objects:
            candidates = set(store.closure(path))
            scanner = Scanner(candidates)
            nar.dump(store.path(item.path), scanner.feed)
            assert tuple(sorted(scanner.found())) == item.references


def test_nix_has_nothing_left_to_optimise(need: Need, nix: "Nix", tmp_path: Path) -> None:
    need("nix-store")
    root = tmp_path / "s"
    with ChrootStore(root) as store:
        path = fill(store)
        store.add_files(folder({"e": File(b""), "l": Symlink("lib"), "x/e": File(b"")}), "more")
    before = inodes(root)
    said = nix("nix-store", "--store", root, "--optimise")
    assert said == b""
    assert inodes(root) == before
    assert StorePath.parse(str(path)) == path


def test_we_have_nothing_left_to_optimise(need: Need, nix: "Nix", tmp_path: Path) -> None:
    need("nix", "nix-store")
    root = tmp_path / "s"
    with ChrootStore(tmp_path / "other") as other:
        path = fill(other)
    (root / "nix").mkdir(parents=True)
    nix("nix", "copy", "--no-check-sigs", "--from", other.root, "--to", root, str(path))
    nix("nix-store", "--store", root, "--optimise")
    before = inodes(root)
    found = [one for one in (root / "nix/store").iterdir() if one.name != LINKS]
    trees = enough(found, at_least=2, what="objects")
    assert optimise_all(root / "nix/store", trees) == Saved()
    assert inodes(root) == before
    shared = [leaf for tree in trees for leaf in leaves(tree)]
    for leaf in enough(shared, at_least=3, what="files and links"):
        pooled = root / "nix/store" / LINKS / link_key(leaf)
        assert pooled.lstat().st_ino == leaf.lstat().st_ino


def inodes(root: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_ino for path in (root / "nix/store").rglob("*")}


def test_nix_collects_what_we_added_and_keeps_what_we_rooted(
    need: Need, nix: "Nix", tmp_path: Path
) -> None:
    need("nix-store")
    root = tmp_path / "s"
    with ChrootStore(root) as store:
        path = fill(store)
        gone = store.add_files(File(b"gone"), "gone")
        store.pin("test", path)
    nix("nix-store", "--store", root, "--gc")
    with ChrootStore(root) as store:
        assert store.database.valid_paths() == set(store.closure(path))
        assert not store.path(gone).exists()
        assert verify_all(store.store_dir, store.closure_of(path).objects) == []
        store.unpin("test")
    nix("nix-store", "--store", root, "--gc")
    assert [one.name for one in (root / "nix/store").iterdir()] == [LINKS]
    assert list((root / "nix/store" / LINKS).iterdir()) == []


def test_nix_does_not_collect_what_a_living_process_added(
    need: Need, nix: "Nix", tmp_path: Path
) -> None:
    need("nix-store")
    with ChrootStore(tmp_path / "s") as store:
        path = fill(store)
        nix("nix-store", "--store", store.root, "--gc")
        assert verify_all(store.store_dir, store.closure_of(path).objects) == []
    nix("nix-store", "--store", store.root, "--gc")
    assert [one.name for one in store.store_dir.iterdir()] == [LINKS]


def test_we_do_not_collect_what_nix_builds(
    need: Need, nix: "Nix", tmp_path: Path, closure_expression: str
) -> None:
    """While Nix writes, what it has made so far stays; the build succeeds."""
    need("nix-build", "busybox")
    root = tmp_path / "s"
    ChrootStore(root).close()
    code = (
        "import sys, time; from pathlib import Path; from reconix.nix.chroot import ChrootStore\n"
        "from reconix.nix.collect import collect\n"
        "end = time.monotonic() + 3\n"
        "with ChrootStore(Path(sys.argv[1])) as store:\n"
        "    while time.monotonic() < end: collect(store)\n"
    )
    collector = subprocess.Popen([sys.executable, "-c", code, str(root)])
    try:
        (path,) = nix.build(root, closure_expression, "all")
    finally:
        assert collector.wait() == 0
    assert path.name == "all"


def test_nix_waits_for_the_lock_of_a_path_and_we_for_its(
    need: Need, nix: "Nix", tmp_path: Path
) -> None:
    need("nix-store")
    (tmp_path / "file").write_bytes(b"x")
    root = tmp_path / "s"
    with ChrootStore(tmp_path / "other") as other:
        path = other.add(tmp_path / "file", "file")
    with ChrootStore(root) as store:
        words = ["nix-store", "--store", str(root), "--add", str(tmp_path / "file")]
        with path_locked(store.path(path)):
            child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(timeout=1)
        said, _ = child.communicate()
        assert said.decode().strip() == str(path)
        assert store.is_valid(path)


def test_we_and_nix_write_at_the_same_time(need: Need, nix: "Nix", tmp_path: Path) -> None:
    need("nix-store")
    root = tmp_path / "s"
    files = [tmp_path / f"f{number}" for number in range(20)]
    for path in files:
        path.write_bytes(path.name.encode() * 1000)
    with ChrootStore(root) as store:
        words = ["nix-store", "--store", str(root), "--add"]
        child = subprocess.Popen(
            [*words, *map(str, files)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        ours = [store.add(path, path.name) for path in reversed(files)]
        said, _ = child.communicate()
        assert child.returncode == 0
        assert said.decode().split() == [str(path) for path in reversed(ours)]
        assert store.database.valid_paths() == set(ours)
        items = [store.info(path) for path in ours]
        assert verify_all(store.store_dir, items) == []
    nix("nix-store", "--store", root, "--verify", "--check-contents")


def test_a_store_that_nix_upgrades_is_waited_for(need: Need, tmp_path: Path) -> None:
    """Nix holds ``big-lock`` exclusively while it changes the schema; nobody gets in."""
    ChrootStore(tmp_path / "s").close()
    lock = os.open(tmp_path / "s/nix/var/nix/db/big-lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    code = "import sys; from pathlib import Path; from reconix.nix.chroot import ChrootStore\n"
    words = [
        sys.executable,
        "-c",
        code + "ChrootStore(Path(sys.argv[1]))",
        str(tmp_path / "s"),
    ]
    child = subprocess.Popen(words)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(timeout=1)
    os.close(lock)
    assert child.wait(timeout=30) == 0


def test_a_cycle_between_outputs_is_made_by_nobody(need: Need, nix: "Nix", tmp_path: Path) -> None:
    """Nix refuses it, so no closure can bring one: an object comes after what it refers to."""
    need("nix-build", "busybox")
    expression = """derivation {
      name = "pair"; system = builtins.currentSystem; outputs = [ "out" "dev" ];
      builder = "/bin/sh"; args = [ "-c" "echo $dev > $out; echo $out > $dev" ];
    }"""
    with pytest.raises(CommandFailed, match="cycle"):
        nix.build(tmp_path, expression)
