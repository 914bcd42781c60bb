"""How long the layers of an image take to become a tree, and how much memory.

An image like those of Node: 19,000 files of another owner in a thousand folders, in two layers, of
which the upper one replaces every tenth file. Memory is that of the whole process.

    python bench/layers.py
"""

import gzip
import hashlib
import io
import multiprocessing
import random
import resource
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.files import remove_tree
from reconix.containers.layers.unpack import PackedLayer, unpack

FILES, FOLDERS = 19_000, 1000
MAX_SECONDS, MAX_BYTES = 10.0, 150 << 20


def main() -> int:
    """Measure and print."""
    folder = Path(tempfile.mkdtemp(prefix="reconix-bench-"))
    try:
        making = multiprocessing.get_context("spawn").Process(target=write_layers, args=(folder,))
        making.start()
        making.join()
        return measure(folder)
    finally:
        remove_tree(folder)


def write_layers(folder: Path) -> None:
    """Write both layers; in a process of its own, because it needs memory."""
    for number, step in enumerate((1, 10)):
        source, packed = random.Random(number), io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for file in range(0, FILES, step):
                name = f"usr/src/app/node_modules/package-{file % FOLDERS}/lib/file-{file}.js"
                info = tarfile.TarInfo(name)
                content = b"%x\n" % source.getrandbits(32) * source.randrange(2500)
                info.size, info.mtime, info.uid, info.gid = len(content), 1.7e9 + file, 1000, 1000
                archive.addfile(info, io.BytesIO(content))
        (folder / f"layer-{number}").write_bytes(gzip.compress(packed.getvalue()))


def measure(folder: Path) -> int:
    """The figures, each with its bar; whether they are kept, as an exit status."""
    layers = [layer(folder / f"layer-{number}") for number in range(2)]
    began = time.process_time()
    found = unpack(layers, folder / "tree")
    seconds = time.process_time() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    row("entries", f"{len(found.entries)}", "")
    row("processor time", f"{seconds:.1f} s", f"bar {MAX_SECONDS:g} s")
    row("memory", f"{memory >> 20} MiB", f"bar {MAX_BYTES >> 20} MiB")
    return 0 if seconds <= MAX_SECONDS and memory <= MAX_BYTES else 1


def layer(file: Path) -> PackedLayer:
    """A layer as it is when it has been fetched."""
    with gzip.open(file) as archive:
        content = hashlib.file_digest(archive, "sha256").digest()
    return PackedLayer(Digest.of_file(file), Digest(content), file)


def row(what: str, figure: str, beside: str) -> None:
    """One line."""
    print(f"{what:30} {figure:>12}   {beside}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
