"""Programs that compare two files, over archives of the whole trees or over disk images.

They find what moved from anywhere to anywhere, and pay with memory: most keep both files whole. The
device is taken to have the old file lying there; making it from its root would cost it more.
"""

import filecmp
import lzma
from pathlib import Path

import hdiffpatch
from bench.updates import trees
from bench.updates.peers.peer import Peer, Wrong

from reconix.base.process import run
from reconix.image.ext4 import make_ext4
from reconix.image.new_files import read_folder

_SPARE = 1.25  # an image that is a quarter larger than its content
_SPARE_BYTES = 64 << 20


class Files(Peer):
    """What compares two files."""

    def prepare(self) -> None:
        for tree, place in ((self.pair.old, self.old), (self.pair.new, self.new)):
            if not place.exists():
                self.pack(tree, place)

    def check(self) -> None:
        if not filecmp.cmp(self.work / "result", self.new, shallow=False):
            raise Wrong(f"{self.name}, {self.pair.name}: the result is not the target")

    def pack(self, tree: Path, place: Path) -> None:
        """Make one file of a tree."""
        with place.open("wb") as file:
            trees.write_archive(tree, file)

    @property
    def old(self) -> Path:
        """The file that the device has; all peers share it."""
        return self.pair.folder / "old.tar"

    @property
    def new(self) -> Path:
        """The file that it shall have."""
        return self.pair.folder / "new.tar"


class HDiffPatch(Files):
    """HDiffPatch over sorted archives; control and data compressed by xz."""

    name = "HDiffPatch + xz -9e, sorted tars"
    itself = frozenset({"create", "apply"})

    def create(self) -> None:
        old, new = self.old.read_bytes(), self.new.read_bytes()
        plain = hdiffpatch.diff(old, new, validate=False)
        self.update.write_bytes(lzma.compress(plain, preset=9 | lzma.PRESET_EXTREME))

    def apply(self) -> None:
        plain = lzma.decompress(self.update.read_bytes())
        result = hdiffpatch.apply(self.old.read_bytes(), plain)
        (self.work / "result").write_bytes(result)


class XDelta(Files):
    """xdelta3 over sorted archives."""

    name = "xdelta3 -9 lzma, sorted tars"

    def create(self) -> None:
        window = ("-B", str(1 << 29), "-W", str(1 << 24))
        run("xdelta3", "-e", "-9", "-S", "lzma", *window, "-s", self.old, self.new, self.update)

    def apply(self) -> None:
        window = ("-B", str(1 << 29))
        run("xdelta3", "-d", *window, "-s", self.old, self.update, self.work / "result")


class Zstd(Files):
    """Zstandard with the old archive as its dictionary."""

    name = "zstd -19 --patch-from, sorted tars"

    def create(self) -> None:
        words = ("zstd", "-q", "-19", "--long=31", f"--patch-from={self.old}")
        run(*words, self.new, "-o", self.update)

    def apply(self) -> None:
        words = ("zstd", "-q", "-d", "--long=31", f"--patch-from={self.old}")
        run(*words, self.update, "-o", self.work / "result")


class ZstdImages(Zstd):
    """The same with file systems instead of archives."""

    name = "zstd -19 --patch-from, ext4"

    def pack(self, tree: Path, place: Path) -> None:
        sizes = [path.stat().st_size for path in trees.files(tree)]
        blocks = sum(-(-size // 4096) for size in sizes) + 2 * len(sizes)
        size_bytes = int(blocks * 4096 * _SPARE) + _SPARE_BYTES
        make_ext4(place, read_folder(tree), label="root", size_bytes=size_bytes // 4096 * 4096)

    @property
    def old(self) -> Path:
        return self.pair.folder / "old.ext4"

    @property
    def new(self) -> Path:
        return self.pair.folder / "new.ext4"


PEERS: tuple[type[Peer], ...] = (HDiffPatch, XDelta, Zstd, ZstdImages)
