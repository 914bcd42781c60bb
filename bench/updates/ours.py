"""Our own way, with the product's public functions: ``send.create`` and ``receive.receive``.

A tree becomes an object in a store on the build host, and a generation refers to it; a closure of
Nix is taken in as it is, and so is a generation of our own. Each other generation has an agent, and
the tools that an agent needs, as that of every device. The stream is signed, so that its size is
that of a real one. The device's partition is laid out as a fresh image has it, and the receiver
runs as there, ``python3 -I -S``: with the Python of the old tree, where that has one which runs
here.
"""

import sys
from pathlib import Path

from bench.updates.peers.peer import Peer, Wrong

import reconix
from reconix.base.architecture import Architecture
from reconix.base.documents import JsonInput, print_json
from reconix.base.process import run
from reconix.build.agent import zipapp
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees, read_device_generation, system_images
from reconix.nix.install import install
from reconix.store.generation import FILE_NAME, VERSION
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.store.tree import File, Node, Symlink, folder
from reconix.transfer.codecs import compiled
from reconix.transfer.codecs.lz4 import LIBRARY
from reconix.transfer.format.stream import AGENT
from reconix.transfer.sending import send
from reconix.transfer.sending.means import Sparing
from reconix.transfer.sending.signing import Signer, generate

HOST, ARCHITECTURE = "bench", "amd64"
SOURCE = Path(reconix.__file__).parent.parent
_LIBRARY = Path("/usr/lib/python3.11")  # for what a small Python lacks

_RECEIVER = """
import sys
sys.path.insert(0, sys.argv[1])
sys.path += sys.argv[6:]
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
    sparing = Sparing.LINK

    def prepare(self) -> None:
        with ChrootStore(self.work / "builder") as store:
            paths = [_generation_of(store, each) for each in self._add(store)]
            (self.work / "generations").write_text("".join(f"{path}\n" for path in paths))
            (self.work / "device").mkdir()
            install(read_device_generation(store, paths[0]), Registry(self.work / "device"))

    def create(self) -> None:
        old, new = self._generations()
        with ChrootStore(self.work / "builder") as store, self.update.open("wb") as file:
            signer = Signer((generate("bench"),))
            send.create(
                store, [old], new, file.write, sequence=1, signer=signer, sparing=self.sparing
            )

    def apply(self) -> None:
        python = self.pair.old / "usr/bin/python3.11"
        words = (python if python.exists() else sys.executable, "-I", "-S", "-c", _RECEIVER)
        library = (_LIBRARY, _LIBRARY / "lib-dynload")
        run(*words, SOURCE, self.work / "device", self.update, HOST, ARCHITECTURE, *library)

    def check(self) -> None:
        registry = Registry(self.work / "device")
        with ChrootStore(self.work / "builder") as store:
            wanted = read_device_generation(store, self._generations()[1])
        if registry.get(wanted.manifest.root) != wanted.manifest:
            raise Wrong(f"{self.name}, {self.pair.name}: the target is not registered")
        for entry in wanted.manifest.images:
            registry.verify_image(entry)
            for digest, size_bytes in registry.contents_of(entry):
                registry.pool.verify(digest, size_bytes)

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


class ReconixForCpu(Reconix):
    """The same for devices whose processor is dear: ``reconix send --for cpu``."""

    name = "reconix-cpu"
    sparing = Sparing.CPU


def _generation_of(store: ChrootStore, tree: StorePath) -> StorePath:
    """A tree as the only one of a generation, if it is none itself."""
    if (store.path(tree) / FILE_NAME).is_file():
        return tree
    return generation(store, _top(store, tree))


def generation(store: ChrootStore, top: StorePath) -> StorePath:
    """A generation whose only system is an object; of its agent there is what is compiled."""
    boot = store.add_files(folder({"x": File(b"")}), f"boot-{HOST}")
    images = system_images(DeviceTrees(store), top)
    document: JsonInput = {
        "version": VERSION,
        "host": HOST,
        "architecture": ARCHITECTURE,
        "default": "root",
        "systems": {
            "root": {"toplevel": str(top), "images": [each.entry.sha256.hex() for each in images]}
        },
        "boot": str(boot),
        "slot": {"image_sha256": "0" * 64, "image_size_bytes": 512, "slot_size_bytes": 512},
    }
    library = compiled.file_name(Architecture(ARCHITECTURE).machine)
    own: dict[str, Node] = {
        FILE_NAME: File(print_json(document)),
        "root": Symlink(str(top)),
    }
    agent = File((SOURCE / compiled.__name__.replace(".", "/")).with_name(library).read_bytes())
    files = folder(own | {library: agent})
    return store.add_files(files, f"generation-{HOST}", [top, boot])


def _top(store: ChrootStore, tree: StorePath) -> StorePath:
    """A system: a tree, an agent, and the tools that the agent needs."""
    tools = folder({name: Symlink(f"/usr/bin/{name}") for name in ("gzip", LIBRARY)})
    files = folder({AGENT: File(zipapp.pack()), "root": Symlink(str(tree)), "tools": tools})
    return store.add_files(files, "system", [tree])
