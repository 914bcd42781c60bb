"""What one stream for devices with different generations costs, beside streams for one each.

    python -m bench.updates.several

The bases are Debian bookworm as it was released and with its updates; the target is what the pair
``config`` leads to. Each stream is received by a device with each of its bases, and compared.
"""

import argparse
import io
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.updates import pairs
from bench.updates.ours import ARCHITECTURE, HOST, generation

from reconix.cli import places
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import read_device_generation
from reconix.nix.install import install
from reconix.store.intact import check_image
from reconix.store.manifest import Manifest
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.transfer.receiving.receive import receive
from reconix.transfer.sending import send


def main(words: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.updates.several", description=__doc__)
    home = places.cache_home() / "bench-updates"
    parser.add_argument("--cache", type=Path, default=home, help="keeps the pairs")
    cache: Path = parser.parse_args(words).cache
    security, config = (pairs.make(name, cache) for name in ("security", "config"))
    with (
        tempfile.TemporaryDirectory(dir=cache) as name,
        ChrootStore(Path(name, "builder")) as store,
    ):
        released, updated, target = (
            generation(store, store.add(tree, "root"))
            for tree in (security.old, config.old, config.new)
        )
        for bases in ([released], [updated], [released, updated]):
            print(line(store, bases, target, Path(name, "device")), flush=True)
    return 0


def line(store: ChrootStore, bases: Sequence[StorePath], target: StorePath, device: Path) -> str:
    """One stream: its size, what it took to make, and whether it does what it should."""
    began, written = time.process_time(), io.BytesIO()
    sent = send.create(store, bases, target, written.write)
    seconds = time.process_time() - began
    wanted = read_device_generation(store, target)
    for base in bases:
        install(read_device_generation(store, base), Registry(device))
        written.seek(0)
        received = receive(written.read, Registry(device), host=HOST, architecture=ARCHITECTURE)
        assert received == wanted.manifest
        expect_intact(Registry(device), received)
        shutil.rmtree(device)
    count = f"{len(bases)} base{'s' * (len(bases) > 1)}"
    return f"{count:8} {sent.size_bytes:>12,} B  make {seconds:6.1f} s of this process"


def expect_intact(registry: Registry, manifest: Manifest) -> None:
    """Each image and each content is what its name says."""
    for entry in manifest.images:
        for digest, size_bytes in check_image(registry, entry).items():
            registry.pool.verify(digest, size_bytes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
