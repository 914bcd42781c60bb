"""Our own way, with the product's public functions: ``send.create`` and ``receive.receive``.

A tree becomes an object in a store on the build host, and a generation refers to it; a closure of
Nix is taken in as it is. The stream is signed, so that its size is that of a real one. The device's
partition is laid out as a fresh image has it, and the receiver runs as there: ``python3 -I -S``.
"""

import shutil
import sys
from pathlib import Path

from bench.updates import trees
from bench.updates.peers.peer import Peer, Wrong

import reconix
from reconix.base.process import run
from reconix.nix.chroot import ChrootStore
from reconix.store.links import fill_pool
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.store.tree import File, Symlink, folder
from reconix.transfer.sending import send
from reconix.transfer.sending.signing import Signer, generate

HOST, ARCHITECTURE = "bench", "amd64"
SOURCE = Path(reconix.__file__).parent.parent

_RECEIVER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from reconix.store.registry import Registry
from reconix.transfer.receiving.receive import receive
with open(sys.argv[3], "rb", buffering=0) as stream:
    receive(stream.read, Registry(Path(sys.argv[2])), host=sys.argv[4], architecture=sys.argv[5])
"""


class Reconix(Peer):
    """A stream from one generation to the next."""

    name = "reconix"
    itself = frozenset({"create"})

    def prepare(self) -> None:
        with ChrootStore(self.work / "builder") as store:
            tops = self._add(store)
            paths = [generation(store, top) for top in tops]
            (self.work / "generations").write_text("".join(f"{path}\n" for path in paths))
            install(store, paths[0], self.work / "device")

    def create(self) -> None:
        old, new = self._generations()
        with ChrootStore(self.work / "builder") as store, self.update.open("wb") as file:
            send.create(
                store, [old], new, file.write, sequence=1, signer=Signer((generate("bench"),))
            )

    def apply(self) -> None:
        words = (sys.executable, "-I", "-S", "-c", _RECEIVER, SOURCE)
        run(*words, self.work / "device", self.update, HOST, ARCHITECTURE)

    def check(self) -> None:
        registry = Registry(self.work / "device")
        manifest = registry.get(self._generations()[1])
        if manifest is None:
            raise Wrong(f"{self.name}, {self.pair.name}: the target is not registered")
        for item in manifest.objects:
            if trees.digest(registry.path(item.path)) != item.nar:
                raise Wrong(f"{self.name}, {self.pair.name}: {item.path} is not the target's")

    def _add(self, store: ChrootStore) -> tuple[StorePath, StorePath]:
        closures = self.pair.closures
        if closures is None:
            return store.add(self.pair.old, "root"), store.add(self.pair.new, "root")
        with ChrootStore(closures.root) as source:
            store.take_closure(source, [closures.old, closures.new])
        return closures.old, closures.new

    def _generations(self) -> tuple[StorePath, StorePath]:
        old, new = (self.work / "generations").read_text().split()
        return StorePath.parse(old), StorePath.parse(new)


def generation(store: ChrootStore, top: StorePath) -> StorePath:
    """A generation that refers to an object."""
    document = f'{{"host": "{HOST}", "architecture": "{ARCHITECTURE}"}}\n'
    files = folder({"generation.json": File(document.encode()), "root": Symlink(str(top))})
    return store.add_files(files, f"generation-{HOST}", [top])


def install(store: ChrootStore, path: StorePath, system: Path) -> None:
    """Lay out the system partition of a device that runs a generation, as an image has it."""
    registry = Registry(system)
    registry.store_dir.mkdir(parents=True)
    (system / "reconix").mkdir()
    manifest = store.closure_of(path)
    for item in manifest.objects:
        source, target = store.path(item.path), registry.path(item.path)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy2(source, target, follow_symlinks=False)
    fill_pool(registry.store_dir, [registry.path(item.path) for item in manifest.objects], {})
    registry.add(manifest)
