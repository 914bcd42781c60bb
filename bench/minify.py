"""What minify leaves of the example, and what that takes on a disk and in a stream.

The three systems of `examples/gateway`, with the list of modules of a virtual device, and of
iproute2 only `ip`. The first build has everything, the second one is minified, the third finds
nothing to do: what minify adds is the processor time between the last two. Locking needs a network.

    python -m bench.minify [FOLDER]

With a folder, project and store are kept there and used again; then nothing is added any more.
"""

import hashlib
import json
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.switch import EXAMPLE, RECONIX

from reconix.base import process
from reconix.base.documents import Fields
from reconix.base.files import remove_tree
from reconix.build.minify.origin import Origin
from reconix.build.minify.reasons import read_reasons
from reconix.build.root import losses, metadata
from reconix.build.software.owners import LISTS
from reconix.composition.parts import walk
from reconix.composition.toplevel_parts import ToplevelParts
from reconix.image.pack import make_pack
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== bench\n"
MINIFY = '\n[minify]\nenable = true\nprograms = ["ip"]\ndevices_files = ["modaliases"]\n'
"""As in `examples/demo.py`."""
MACHINE = "hosts/gateway/machine.toml"
DATA_SIZE = 'data_size = "128M"\n'
MB, MIB = 1e6, float(1 << 20)


@dataclass(frozen=True, slots=True)
class Row:
    """A figure beside its bar."""

    name: str
    value: float
    unit: str
    bar: float
    is_least: bool = False  # or the most

    @property
    def is_missed(self) -> bool:
        """Whether it is on the wrong side."""
        return self.value < self.bar if self.is_least else self.value > self.bar

    def __str__(self) -> str:
        mark = "  missed" if self.is_missed else ""
        return f"{self.name:52}{self.value:9.2f} {self.unit:4} bar {self.bar:5g}{mark}"


@dataclass(frozen=True, slots=True)
class Bench:
    """The example in a folder of its own."""

    folder: Path

    @property
    def machine(self) -> Path:
        """The file about the hardware."""
        return self.folder / "project" / MACHINE

    def reconix(self, *words: str) -> Fields:
        """Run a command as a user would; its answer."""
        where = ("--project", str(self.folder / "project"), "--store", str(self.folder / "store"))
        return Fields.parse(process.run(RECONIX, *where, *words, "--json"), source=words[0])

    def prepare(self) -> None:
        """Make the project, lock it, and build all that Debian has."""
        shutil.copytree(EXAMPLE, self.folder / "project")
        (self.folder / "project/keys/operator.pub").write_text(KEY)
        self.reconix("lock")
        self.reconix("build")
        self.machine.write_text(f"{self.machine.read_text()}{MINIFY}")

    def rows(self) -> Iterator[Row]:
        """All figures."""
        first, unchanged = _seconds(self.build), _seconds(self.build)
        yield Row("added to a build (processor)", first - unchanged, "s", 5)
        yield Row("a build without changes (processor)", unchanged, "s", 2)
        built = self.reconix("build")
        yield from self._contents(built)
        yield from self._at_rest(built.number("slot_image_size_bytes"))
        stream = self.folder / "first.stream"
        self.reconix("send", "gateway", "--output", str(stream))
        yield Row("first installation as a stream", stream.stat().st_size / MIB, "MiB", 25)

    def build(self) -> None:
        """Build what the project says."""
        self.reconix("build")

    def _contents(self, built: Fields) -> Iterator[Row]:
        default, three = (
            self.reconix("size", each, "--minify") for each in ("gateway:default", "gateway")
        )
        yield Row("root of `default`", default.number("after_bytes") / MB, "MB", 44)
        yield Row("three systems, equal files once", three.number("after_bytes") / MB, "MB", 48)
        with ChrootStore(self.folder / "store") as store:
            toplevel = StorePath.parse(built.object("systems").text("default"))
            parts = ToplevelParts.read(store, toplevel)
            assert parts is not None
            modules = store.path(parts.linux).rglob("*.ko*")
            taken = sum(each.stat().st_size for each in modules)
            yield Row("modules of the kernel", taken / MB, "MB", 0.4)
            packed = self._packed(store.path(parts.root)) / default.number("before_bytes")
            smaller = 100 * (1 - packed)
            yield Row("smaller than the plain root at rest", smaller, "%", 90, is_least=True)
            yield Row("paths without a reason", float(_unexplained(store, parts)), "", 0)

    def _packed(self, root: Path) -> int:
        """The bytes that the contents of a root take in a pack."""
        files = (root / path for path, _ in walk(root, {losses.FILE, LISTS}))
        places = {hashlib.sha256(each.read_bytes()).digest(): each for each in files}
        with tempfile.TemporaryDirectory(dir=self.folder) as work:
            make_pack(places, Path(work) / "pack", Path(work))
            return (Path(work) / "pack").stat().st_size

    def _at_rest(self, slot_bytes: int) -> Iterator[Row]:
        plain, own = self._used()
        yield Row("disk: contents and one slot, plain", (plain + slot_bytes) / MB, "MB", 81)
        yield Row("tables and journal of ext4, 2 GiB", own / MB, "MB", 22)
        text = self.machine.read_text()
        self.machine.write_text(text.replace(DATA_SIZE, f"{DATA_SIZE}compress = true\n"))
        packed, _ = self._used()
        self.machine.write_text(text)
        yield Row("disk: the same, compressed at rest", (packed + slot_bytes) / MB, "MB", 50)

    def _used(self) -> tuple[int, int]:
        """The bytes of a new system partition that contents take, and those of ext4 itself."""
        image = self.folder / "disk.img"
        self.reconix("image", "--output", str(image))
        table = json.loads(process.run("sfdisk", "--json", image))["partitiontable"]
        begin = next(each["start"] for each in table["partitions"] if each.get("name") == "system")
        said = process.run("dumpe2fs", "-h", f"{image}?offset={begin * table['sectorsize']}")
        fields = dict(line.split(":", 1) for line in said.decode().splitlines() if ":" in line)
        total, free, own, block = (
            int(fields[name])
            for name in ("Block count", "Free blocks", "Overhead clusters", "Block size")
        )
        return (total - free - own) * block, own * block


def _unexplained(store: ChrootStore, parts: ToplevelParts) -> int:
    """How many files and links of the full root have no reason."""
    origin = Origin.of(store, parts.root)
    assert origin is not None
    found, root = read_reasons(store.path(origin.reasons)), store.path(origin.root)
    known = {path for path, each in {**found.stays, **found.goes}.items() if each.how}
    leaves = (each for each in root.rglob("*") if each.is_symlink() or not each.is_dir())
    paths = {str(each.relative_to(root)) for each in leaves} - {losses.FILE, metadata.FILE}
    return len(paths - known)


def _seconds(work: Callable[[], object]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Measure and print; the exit status says whether a bar is missed."""
    folder = Path(sys.argv[1] if sys.argv[1:] else tempfile.mkdtemp(prefix="reconix-bench-"))
    bench = Bench(folder.absolute())
    try:
        if not bench.machine.exists():
            bench.prepare()
        found = []
        for row in bench.rows():
            print(row, flush=True)
            found.append(row)
    finally:
        if not sys.argv[1:]:
            remove_tree(folder)
    return int(any(row.is_missed for row in found))


if __name__ == "__main__":
    sys.exit(main())
