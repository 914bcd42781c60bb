"""A Nix that is three years newer than that of the build host finds nothing wrong with our store.

Debian trixie has Nix 2.26. It runs in a root of its own that holds nothing else; the store is
made by us inside of it.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Need

from reconix.base.process import Word, run
from reconix.build.archive.addresses import addresses
from reconix.build.archive.apt import Source
from reconix.config.schema.project import Archive
from reconix.nix import cache
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.tree import File, Node, Symlink, folder

SUITE = "trixie"
SETTINGS = "extra-experimental-features = nix-command\nbuild-users-group =\nsubstituters ="
START = 'mount -t proc proc "$0/proc"; export NIX_CONFIG HOME=/tmp; exec chroot "$0" "$@"'

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(os.geteuid() != 0, reason="chroot is for root only"),
]


@dataclass(frozen=True)
class NewerNix:
    """A root with Nix in it."""

    root: Path

    def run(self, *words: str) -> str:
        entered: list[Word] = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "sh",
            "-c",
            START,
            self.root,
        ]
        return run(*entered, *words, environment={"NIX_CONFIG": SETTINGS}).decode()


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> NewerNix:
    Need()("mmdebstrap", "unshare", "chroot")
    root = tmp_path_factory.mktemp("newer") / "root"
    archive = Archive()
    where = addresses(archive).of(SUITE)
    source = Source(where, SUITE, archive.components, Path(archive.keyring))
    words = ["--quiet", "--variant=extract", "--include=nix-bin", "--architectures=amd64"]
    run("mmdebstrap", *words, SUITE, root, source.line("amd64"))
    for name in ("bin", "sbin", "lib", "lib64"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    (root / "proc").mkdir(exist_ok=True)
    return NewerNix(root)


@dataclass(frozen=True)
class Made:
    """A tool, the library that it needs, and something that nobody needs."""

    tool: StorePath
    library: StorePath
    junk: StorePath


@pytest.fixture(scope="module")
def made(newer: NewerNix) -> Made:
    with ChrootStore(newer.root / "ours") as store:
        content: dict[str, Node] = {"a": File(b"lib" * 99), "bin/x": File(b"#!x", executable=True)}
        library = store.add_files(folder(content), "lib")
        links: dict[str, Node] = {"l": Symlink(f"{library}/a"), "a": File(b"lib" * 99)}
        tool = store.add_files(folder(links), "tool", [library])
        return Made(tool, library, store.add_files(folder({"junk": File(b"1")}), "junk"))


def test_it_reads_and_verifies_what_we_wrote(newer: NewerNix, made: Made) -> None:
    assert newer.run("nix", "--version").split()[-1] >= "2.26"
    said = newer.run("nix", "--store", "/ours", "path-info", "--recursive", str(made.tool))
    assert set(said.split()) == {str(made.tool), str(made.library)}
    newer.run("nix", "--store", "/ours", "store", "verify", "--no-trust", "--all")
    newer.run("nix-store", "--store", "/ours", "--verify", "--check-contents")
    why = newer.run("nix", "--store", "/ours", "why-depends", str(made.tool), str(made.library))
    assert str(made.library) in why


def test_it_has_nothing_left_to_optimise(newer: NewerNix, made: Made) -> None:
    before = _inodes(newer.root / "ours", made.tool)
    newer.run("nix-store", "--store", "/ours", "--optimise")
    assert _inodes(newer.root / "ours", made.tool) == before


def test_what_it_copied_we_verify(newer: NewerNix, made: Made) -> None:
    copy = ("nix", "copy", "--no-check-sigs", "--from", "/ours")
    newer.run(*copy, "--to", "/theirs", str(made.tool))
    with ChrootStore(newer.root / "theirs") as store:
        assert store.closure(made.tool) == sorted([made.library, made.tool])
        assert store.verify() == []


def test_we_take_what_it_put_into_a_cache(newer: NewerNix, made: Made, tmp_path: Path) -> None:
    newer.run("nix", "copy", "--from", "/ours", "--to", "file:///cache", str(made.tool))
    place = cache.open_cache(f"file://{newer.root}/cache")
    with ChrootStore(tmp_path / "store") as store:
        cache.pull(store, place, [made.tool])
        assert store.is_valid(made.library) and store.verify() == []


def test_it_collects_what_we_added(newer: NewerNix, made: Made, tmp_path: Path) -> None:
    newer.run("nix", "copy", "--no-check-sigs", "--from", "/ours", "--to", "/third", str(made.tool))
    with ChrootStore(newer.root / "third") as store:
        extra = store.add_files(folder({"x": File(b"y")}), "extra")
    newer.run("nix-store", "--store", "/third", "--gc")
    with ChrootStore(newer.root / "third") as store:
        assert not store.is_valid(extra) and store.verify() == []


def _inodes(root: Path, path: StorePath) -> list[int]:
    tree = root / "nix/store" / path.basename
    return [entry.lstat().st_ino for entry in sorted(tree.iterdir())]
