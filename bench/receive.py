"""What a stream costs: bytes to send, seconds and memory to make and to receive it.

    python bench/receive.py                       a made-up root of 8,000 files and 200 MB
    python bench/receive.py OLD NEW               two folders, as the roots of two generations

The receiver runs in a process of its own, as on a device (``python3 -I -S``); its memory is the
peak of its resident set. Figures are printed, not asserted.
"""

import argparse
import os
import random
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"
sys.path.insert(0, str(SOURCE))

from reconix.base.documents import JsonInput, print_json  # noqa: E402 - not installed
from reconix.nix.chroot import ChrootStore  # noqa: E402
from reconix.nix.images import DeviceTrees, system_images  # noqa: E402
from reconix.store.paths import StorePath  # noqa: E402
from reconix.store.registry import Registry  # noqa: E402
from reconix.store.tree import File, Symlink, folder  # noqa: E402
from reconix.transfer.sending import send  # noqa: E402

HOST, ARCHITECTURE = "bench", "amd64"
FILES, CHANGED, TOTAL_BYTES = 8_000, 10, 200 << 20

RECEIVER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from reconix.store.registry import Registry
from reconix.transfer.receiving.receive import receive
began = time.process_time()
with open(sys.argv[3], "rb", buffering=0) as stream:
    receive(stream.read, Registry(Path(sys.argv[2])), host=sys.argv[4], architecture=sys.argv[5])
took = time.process_time() - began
status = Path("/proc/self/status").read_text().split("VmHWM:")[1]  # maxrss counts the parent's
print(status.split()[0], took)
"""


@dataclass(frozen=True)
class Received:
    """What receiving took."""

    seconds: float
    cpu_seconds: float
    peak_kib: int


def made_up_tree(place: Path) -> None:
    """Files of many sizes whose content compresses about as well as programs do."""
    chance = random.Random(1)
    words = [chance.randbytes(chance.randrange(2, 12)) for _ in range(4_000)]
    weights = [chance.paretovariate(1.0) for _ in range(FILES)]
    for number, weight in enumerate(weights):
        size = min(int(TOTAL_BYTES * weight / sum(weights)), TOTAL_BYTES // 20) + 200
        content = b"".join(chance.choices(words, k=size // 6))[:size]
        path = place / f"usr/{number % 7}/folder-{number % 311}/file-{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def change(place: Path) -> None:
    """Change some files, add one, remove one."""
    files = sorted(path for path in place.rglob("*") if path.is_file())
    for path in files[:: len(files) // CHANGED]:
        path.write_bytes(path.read_bytes() + b"changed")
    (files[5].parent / "an-added-file").write_bytes(b"added" * 100)
    files[6].unlink()


def generation(store: ChrootStore, root: Path) -> StorePath:
    """Add a generation with this root."""
    path = store.add(root, "root")
    tree = folder({"init": Symlink("/bin/init"), "root": Symlink(str(path))})
    toplevel = store.add_files(tree, "system-default", [path])
    boot = store.add_files(folder({"kernel": File(b"")}), "boot")
    images = [image.entry.sha256.hex() for image in system_images(DeviceTrees(store), toplevel)]
    document: JsonInput = {
        "version": 2,
        "host": HOST,
        "architecture": ARCHITECTURE,
        "default": "default",
        "systems": {"default": {"toplevel": str(toplevel), "images": images}},
        "boot": str(boot),
        "slot": {"image_sha256": "0" * 64, "image_size_bytes": 512, "slot_size_bytes": 512},
    }
    made = folder({"generation.json": File(print_json(document))})
    return store.add_files(made, f"generation-{HOST}", [toplevel, boot])


def copied(tree: Path, place: Path) -> Path:
    """Copy a tree without devices and sockets."""

    def special(parent: str, names: list[str]) -> list[str]:
        modes = {name: Path(parent, name).lstat().st_mode for name in names}
        return [
            name
            for name, mode in modes.items()
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))
        ]

    shutil.copytree(tree, place, symlinks=True, ignore=special)
    return place


def receive(system: Path, stream: Path) -> Received:
    """Receive a stream in a process of its own."""
    words = [sys.executable, "-I", "-S", "-c", RECEIVER]
    words += [str(SOURCE), str(system), str(stream), HOST, ARCHITECTURE]
    began = time.monotonic()
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    return Received(time.monotonic() - began, float(said[1]), int(said[0]))


def measure(what: str, make: Callable[[Path], send.Sent], system: Path, work: Path) -> None:
    """Make a stream, receive it, receive it again; print a line."""
    stream = work / "stream"
    began = time.monotonic()
    sent = make(stream)
    seconds = time.monotonic() - began
    first = receive(system, stream)
    again = receive(system, stream)
    print(
        f"{what:12} {sent.header.content_bytes:>12,} {sent.size_bytes:>12,} {seconds:>7.1f}"
        f" {first.seconds:>8.1f} {first.cpu_seconds:>7.1f} {first.peak_kib / 1024:>9.1f}"
        f" {again.seconds:>7.1f}",
        flush=True,
    )


def main() -> None:
    """Measure a full stream and an update."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("trees", nargs="*", type=Path, metavar="OLD NEW")
    trees: list[Path] = parser.parse_args().trees
    if len(trees) not in (0, 2):
        parser.error("give two folders, or none")
    with tempfile.TemporaryDirectory(prefix="reconix-bench-") as name:
        _measure_both(Path(name), trees)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"memory to make them: {peak / 1024:.1f} MiB")


def _measure_both(work: Path, trees: list[Path]) -> None:
    old, new = work / "old", work / "new"
    if trees:
        copied(trees[0], old)
        copied(trees[1], new)
    else:
        made_up_tree(old)
        copied(old, new)
        change(new)
    system = work / "system"
    (system / "reconix").mkdir(parents=True)
    with ChrootStore(work / "build") as store:
        first, second = generation(store, old), generation(store, new)
        print("             content       stream     make s receive s   cpu s  peak MiB again s")
        measure("full", lambda to: _create(store, None, first, to), system, work)
        measure("update", lambda to: _create(store, first, second, to), system, work)
    assert len(Registry(system).manifests()) == 2
    os.sync()


def _create(
    store: ChrootStore, base: StorePath | None, target: StorePath, place: Path
) -> send.Sent:
    with place.open("wb") as file:
        return send.create(store, [base] if base else [], target, file.write)


if __name__ == "__main__":
    main()
