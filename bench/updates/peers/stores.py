"""Programs with a store or a protocol of their own: OSTree, casync, rsync, Nix.

Each is told to keep what all others keep, contents, names, links and executable bits, and nothing
else: no owners, no times. Where a program has a choice of compression it gets its best.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from bench.updates import trees
from bench.updates.peers.peer import Peer

from reconix.base.files import remove_tree
from reconix.base.process import run


class OSTree(Peer):
    """A static delta of OSTree: one file, whatever the sizes of the files, all by bsdiff."""

    name = "ostree static-delta, best flags"
    _FLAGS = ("--inline", "--min-fallback-size=0", "--max-bsdiff-size=1024")
    _COMMIT = ("--owner-uid=0", "--owner-gid=0", "--no-xattrs", "--timestamp=@1", "--subject=")

    def prepare(self) -> None:
        builder, device = f"--repo={self.work}/builder", f"--repo={self.work}/device"
        run("ostree", builder, "init", "--mode=archive")
        for branch, tree in (("old", self.pair.old), ("new", self.pair.new)):
            run("ostree", builder, "commit", f"--branch={branch}", *self._COMMIT, tree)
        run("ostree", device, "init", "--mode=bare")
        run("ostree", device, "pull-local", self.work / "builder", "old")

    def create(self) -> None:
        words = ("ostree", f"--repo={self.work}/builder", "static-delta", "generate")
        run(*words, *self._FLAGS, "--from=old", "--to=new", f"--filename={self.update}")

    def apply(self) -> None:
        device = f"--repo={self.work}/device"
        run("ostree", device, "static-delta", "apply-offline", self.update)

    def check(self) -> None:
        new = run("ostree", f"--repo={self.work}/builder", "rev-parse", "new").decode().strip()
        words = ("ostree", f"--repo={self.work}/device", "checkout", "-U", new)
        run(*words, self.work / "result")
        self.expect_target(self.work / "result")


class CaSync(Peer):
    """The chunks that the device does not have, and the index."""

    name = "casync 64K"
    _KEEP = ("--with=symlinks", "--with=permissions")

    def prepare(self) -> None:
        shutil.copytree(self.pair.old, self.work / "device", symlinks=True)
        self._make(self.pair.old, self.work / "old.caidx", self.work / "old.castr")

    def create(self) -> None:
        self.update.mkdir()
        store = self.update / "store.castr"
        self._make(self.pair.new, self.update / "new.caidx", store)
        for chunk in trees.files(store):
            if (self.work / "old.castr" / chunk.relative_to(store)).exists():
                chunk.unlink()

    def apply(self) -> None:
        words = ("casync", "extract", f"--store={self.update}/store.castr")
        seed = f"--seed={self.work}/device"
        run(*words, seed, self.update / "new.caidx", self.work / "result")

    def check(self) -> None:
        self.expect_target(self.work / "result")

    def _make(self, tree: Path, index: Path, store: Path) -> None:
        words = ("casync", "make", "--chunk-size=64K", *self._KEEP)
        run(*words, f"--store={store}", index, tree)


class RSync(Peer):
    """What rsync would send, caught in a file."""

    name = "rsync -z --fuzzy"
    _FLAGS = ("-rlp", "-z", "--compress-level=9", "--checksum")

    def prepare(self) -> None:
        shutil.copytree(self.pair.old, self.work / "device", symlinks=True)

    def create(self) -> None:
        flags = (*self._FLAGS, "--fuzzy", "--delete-after", "--no-whole-file")
        batch = f"--only-write-batch={self.update}"
        run("rsync", *flags, batch, f"{self.pair.new}/", f"{self.work}/device/")
        self.update.with_name("update.sh").unlink()

    def apply(self) -> None:
        flags = (*self._FLAGS, "--fuzzy", "--delete-after")
        run("rsync", *flags, f"--read-batch={self.update}", f"{self.work}/device/")

    def check(self) -> None:
        self.expect_target(self.work / "device")


class NixCopy(Peer):
    """A binary cache with what is new: whole objects as compressed archives.

    Of a root each Debian package is one object, and what belongs to none is one more; of a closure
    the objects are its own.
    """

    name = "nix copy (NAR, xz)"

    def prepare(self) -> None:
        if self.pair.closures is None:
            for name, tree in (("old", self.pair.old), ("new", self.pair.new)):
                self._add_packages(name, tree)
        else:
            for name, top in (("old", self.pair.closures.old), ("new", self.pair.closures.new)):
                words = ("nix-store", "--store", self.pair.closures.root, "-qR", str(top))
                (self.work / name).write_bytes(self._nix(*words))
        (self.work / "device/nix").mkdir(parents=True)
        self._copy(self._builder, self.work / "device", self._paths("old"))
        self._copy(self._builder, self._cache, self._paths("old"))

    def create(self) -> None:
        known = set(trees.files(self.work / "cache"))
        self._copy(self._builder, self._cache, self._paths("new"))
        for path in trees.files(self.work / "cache"):
            if path not in known or path.name == "nix-cache-info":
                place = self.update / path.relative_to(self.work / "cache")
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)

    def apply(self) -> None:
        known = set(self._paths("old"))
        fresh = [path for path in self._paths("new") if path not in known]
        self._copy(f"file://{self.update}", self.work / "device", fresh)

    def check(self) -> None:
        words = ("nix", "--store", self.work / "device", "store", "verify", "--no-trust")
        self._nix(*words, *self._paths("new"))

    @property
    def _cache(self) -> str:
        options = "compression=xz&compression-level=9&parallel-compression=true"
        return f"file://{self.work}/cache?{options}"

    @property
    def _builder(self) -> Path:
        return self.work / "builder" if self.pair.closures is None else self.pair.closures.root

    def _paths(self, name: str) -> list[str]:
        return (self.work / name).read_text().split()

    def _add_packages(self, name: str, tree: Path) -> None:
        parts = self.work / f"parts-{name}"
        split(tree, parts)
        (self.work / "builder/nix").mkdir(parents=True, exist_ok=True)
        words = ("nix-store", "--store", self.work / "builder", "--add")
        (self.work / name).write_bytes(self._nix(*words, *sorted(parts.iterdir())))
        remove_tree(parts)

    def _copy(self, source: Path | str, target: Path | str, paths: list[str]) -> None:
        words = (
            "nix",
            "copy",
            "--no-recursive",
            "--no-check-sigs",
            "--from",
            source,
            "--to",
            target,
        )
        self._nix(*words, *paths)

    def _nix(self, *words: str | Path) -> bytes:
        return run(*words, environment=nix_environment(self.work))


def nix_environment(folder: Path) -> Mapping[str, str]:
    """What makes Nix know nothing of this machine's own store and settings."""
    return {
        "HOME": str(folder / "home"),
        "XDG_CACHE_HOME": str(folder / "home/cache"),
        "NIX_CONFIG": "extra-experimental-features = nix-command\nbuild-users-group =\n"
        "substituters =\nsandbox = true\n",
        "NIX_REMOTE": "",
    }


def split(tree: Path, parts: Path) -> None:
    """A folder for each Debian package of a root with its files, and one with all the rest."""
    owners = package_of(tree / "var/lib/dpkg/info")
    for path in trees.entries(tree):
        name = str(path.relative_to(tree))
        place = parts / owners.get(name, "rest") / name
        if path.is_dir() and not path.is_symlink():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            place.symlink_to(path.readlink())
        else:
            shutil.copy2(path, place)


def package_of(info: Path) -> dict[str, str]:
    """Which package a file belongs to, by the name that it has where ``/usr`` is merged."""
    found = {}
    for listing in sorted(info.glob("*.list")):
        package = re.sub(r"[^A-Za-z0-9+._?=-]", "-", listing.stem)
        for name in listing.read_text().splitlines():
            merged = re.sub(r"^/(bin|sbin|lib|lib64)/", r"/usr/\1/", name)
            found[merged.lstrip("/")] = package
    return found


PEERS: tuple[type[Peer], ...] = (OSTree, CaSync, RSync, NixCopy)
