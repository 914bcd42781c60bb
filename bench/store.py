"""How fast the store is, beside the real Nix on the same tree in the same run.

Makes a tree of 11,000 files and about 370 MB, then measures each job several times in turn with
Nix, and prints the best time of each side and their ratio. Nix is measured as a program; ours is
measured as a program too, so that both pay for their start.

Nothing is removed before the end: ext4 gives no inode away again for some minutes after it was
freed (``recently_deleted``), and looking for others takes longer than what is measured. So it needs
much room, in the folder for temporary files unless another one is named.

    python bench/store.py [FOLDER]
"""

import contextlib
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconix.base.process import run
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.references import Scanner

FILES = 11_000
SIZE_BYTES = 370 << 20
ROUNDS = 6
ROOM_BYTES = 32 << 30
NIX = {
    "NIX_CONFIG": "extra-experimental-features = nix-command\nbuild-users-group =\nsubstituters ="
}


@dataclass(frozen=True, slots=True)
class Job:
    """One line of the table."""

    what: str
    bar: float
    prepare: Callable[[], None]
    ours: Callable[[], object]
    theirs: Callable[[], object]


def make_tree(root: Path) -> None:
    """Write a tree with the mix of a root file system: many small files, few large ones."""
    chance = random.Random(1)
    weights = [chance.lognormvariate(0, 2) for _ in range(FILES)]
    scale = SIZE_BYTES / sum(weights)
    words = [chance.randbytes(chance.randint(2, 6)).hex().encode() for _ in range(5000)]
    for number, weight in enumerate(weights):
        folder = root / f"usr/d{number % 31}/e{number % 930 // 31}"
        folder.mkdir(parents=True, exist_ok=True)
        size = int(weight * scale)
        if number % 2:
            content = b" ".join(chance.choices(words, k=size // 8 + 1))[:size]
        else:
            content = chance.randbytes(size)
        (folder / f"f{number}").write_bytes(content)
        if number % 20 == 0:
            (folder / f"l{number}").symlink_to(f"f{number}")


def seconds(action: Callable[[], object]) -> float:
    """How long it takes."""
    os.sync()
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def measure(job: Job) -> str:
    """Run both sides in turn, each of them first every second time; give a line of the table."""
    ours: list[float] = []
    theirs: list[float] = []
    sides = [(theirs, job.theirs), (ours, job.ours)]
    for _ in range(ROUNDS):
        job.prepare()
        for times, action in sides:
            times.append(seconds(action))
        sides.reverse()
    ratio = min(ours) / min(theirs)
    verdict = "met" if ratio <= job.bar else "MISSED"
    return (
        f"{job.what:<28} {min(ours):8.2f} s {min(theirs):8.2f} s {ratio:8.2f} "
        f"{job.bar:6.1f}  {verdict}"
    )


def python(code: str, *words: Path) -> bytes:
    """Run our code as a program."""
    head = (
        "import sys; from pathlib import Path; a = [Path(word) for word in sys.argv[1:]]\n"
        "from reconix.store import nar, links, verify\n"
    )
    paths = [entry for entry in sys.path if entry]
    return run(
        sys.executable,
        "-c",
        head + code,
        *words,
        environment={
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONDONTWRITEBYTECODE": "",
        },
    )


def nix(*words: str | Path) -> bytes:
    """Run a program of Nix."""
    return run(*words, environment=NIX)


def jobs(folder: Path, tree: Path) -> list[Job]:
    """The table of issue 3."""
    ours, theirs, both = folder / "ours", folder / "theirs", folder / "both"
    store_code = "from reconix.nix.chroot import ChrootStore\nwith ChrootStore(a[0]) as s: "

    def fresh() -> None:
        for root in (ours, theirs):
            _set_aside(root)
            (root / "nix").mkdir(parents=True)

    def unshared() -> None:
        """The tree in both stores, no file shared."""
        for root in (ours, theirs):
            _set_aside(root)
            (root / "nix").mkdir(parents=True)
            nix("nix", "--store", root, "store", "add-path", tree)

    def once() -> None:
        if not both.exists():
            with ChrootStore(both) as store:
                store.add(tree, "tree")

    return [
        Job(
            "add (copy, hash, scan, ...)",
            1.0,
            fresh,
            lambda: python(store_code + "s.add(a[1], 'tree')", ours, tree),
            lambda: nix("nix", "--store", theirs, "store", "add-path", tree),
        ),
        Job(
            "NAR dump into a file",
            1.2,
            lambda: None,
            lambda: python(
                "with a[1].open('wb', buffering=0) as f: nar.dump(a[0], f.write)",
                tree,
                folder / "ours.nar",
            ),
            lambda: nix("sh", "-c", f"nix-store --dump {tree} > {folder}/theirs.nar"),
        ),
        Job(
            "NAR hash",
            1.2,
            lambda: None,
            lambda: python("nar.digest(a[0])", tree),
            lambda: nix("nix-hash", "--type", "sha256", tree),
        ),
        Job(
            "optimise",
            1.2,
            unshared,
            lambda: python(store_code + "s.optimise()", ours),
            lambda: nix("nix-store", "--store", theirs, "--optimise"),
        ),
        Job(
            "verify all",
            1.2,
            once,
            lambda: python(store_code + "assert not s.verify()", both),
            lambda: nix("nix-store", "--store", both, "--verify", "--check-contents"),
        ),
    ]


def scan_gigabytes_per_minute(tree: Path) -> float:
    """How fast references are found among 1,000 candidates; the files are in memory by then."""
    candidates = [StorePath.parse(f"/nix/store/{number:032d}-object") for number in range(1000)]
    scanner, size = Scanner(candidates), 0
    began = time.perf_counter()
    for path in tree.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            scanner.feed(content)
            size += len(content)
    return size / 1e9 / (time.perf_counter() - began) * 60


def memory_bytes(folder: Path) -> int:
    """The peak of a process that adds one file of 2 GiB."""
    big = folder / "big"
    with big.open("wb") as file:
        file.truncate(2 << 30)
    child = os.fork()
    if child == 0:
        with ChrootStore(folder / "memory") as store:
            path: StorePath = store.add(big, "big")
            os._exit(0 if store.is_valid(path) else 1)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit("adding a large file failed")
    return used.ru_maxrss * (resource.getpagesize() // 4)


def _set_aside(root: Path) -> None:
    if root.exists():
        used = root.with_name("used")
        used.mkdir(exist_ok=True)
        root.rename(used / str(len(list(used.iterdir()))))


def _remove(root: Path) -> None:
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(0o700)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(root)


def main() -> None:
    """Print the table."""
    parent = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < ROOM_BYTES:
            sys.exit(
                f"{folder.parent} has less than {ROOM_BYTES >> 30} GiB free: name another folder"
            )
        make_tree(folder / "tree")
        print(f"{'':<28} {'ours':>10} {'nix':>10} {'ratio':>8} {'bar':>6}")
        for job in jobs(folder, folder / "tree"):
            print(measure(job), flush=True)
        speed = scan_gigabytes_per_minute(folder / "tree")
        print(f"{'scan for references':<28} {speed:8.1f} GB/min")
        peak = memory_bytes(folder)
        verdict = "met" if peak < 200 << 20 else "MISSED"
        print(f"{'memory, a file of 2 GiB':<28} {peak >> 20:8} MiB {'':>19} 200 MiB  {verdict}")
        for root in ("ours", "theirs", "both", "memory", "used"):
            _remove(folder / root)


if __name__ == "__main__":
    main()
