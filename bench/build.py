"""How long a build takes: cold, unchanged, and after one generated file has changed.

Then the questions about what was built: what takes how much room, what it consists of, why.

The example is built into an empty store. A cold build is compared with its peer in the same run:
bare mmdebstrap, once for each distinct set of packages, one after the other, writing an archive to
nowhere.

    python bench/build.py
"""

import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from reconix.base import process
from reconix.base.files import remove_tree
from reconix.build.archive import fetch
from reconix.build.root import debian
from reconix.cli import places
from reconix.config.load import load
from reconix.config.lock.document import parse_lock

EXAMPLE = Path(__file__).parents[1] / "examples/gateway"
RECONIX = Path(sys.executable).with_name("reconix")
RUNS = 3


def main() -> int:
    """Measure and print."""
    folder = Path(tempfile.mkdtemp(prefix="reconix-bench-"))
    try:
        measure(folder)
    finally:
        remove_tree(folder)
    return 0


def measure(folder: Path) -> None:
    """All figures, each on a line with its bar."""
    project = folder / "project"
    shutil.copytree(EXAMPLE, project)
    (project / "keys/operator.pub").write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== bench\n")
    reconix(folder, "lock")
    sets = package_sets(project)
    bare = seconds(lambda: install_bare(folder, sets))
    cold = seconds(lambda: reconix(folder, "build"))
    row("cold build", f"{cold:.1f} s", f"{cold / bare:.2f} x bare mmdebstrap, bar 1.5 x")
    row("bare mmdebstrap", f"{bare:.1f} s", f"{len(sets)} distinct sets of packages")
    unchanged = min(seconds(lambda: reconix(folder, "build")) for _ in range(RUNS))
    row("nothing changed", f"{unchanged:.2f} s", "bar 1 s")
    page = project / "hosts/gateway/systems/web/index.html"
    page.write_text(page.read_text() + "<p>changed</p>\n")
    changed = seconds(lambda: reconix(folder, "build"))
    row("one generated file changed", f"{changed:.2f} s", "bar 5 s")
    for words in (
        ("size", "--html", str(folder / "size.html")),
        ("sbom", "--output", str(folder / "bill.json")),
        ("why", "gateway:web", "libc6"),
    ):
        needed = min(processor_seconds(partial(reconix, folder, *words)) for _ in range(RUNS))
        row(f"reconix {words[0]}", f"{needed:.2f} s", "of processor time, bar 2 s")


def processor_seconds(work: Callable[[], object]) -> float:
    """How much processor time the programs take that are started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def reconix(folder: Path, *words: str) -> None:
    """Run the command as a user would."""
    where = ("--project", folder / "project", "--store", folder / "store", "--no-progress")
    process.run(RECONIX, *where, *words)


def package_sets(project: Path) -> set[tuple[Path, ...]]:
    """The files of each distinct set of packages, in the cache afterwards."""
    lock = parse_lock((project / "reconix.lock").read_bytes(), source="lock")
    loaded, cache = load(project).project, places.cache_home() / "downloads"
    fetch.fetch(lock.packages(), lambda: fetch.locate(loaded, project), cache=cache)
    return {
        tuple(sorted(fetch.cached_path(cache, package.sha256) for package in system.packages))
        for host in lock.hosts.values()
        for system in host.systems.values()
    }


def install_bare(folder: Path, sets: set[tuple[Path, ...]]) -> None:
    """Let mmdebstrap install each set from a folder of its packages."""
    for number, packages in enumerate(sorted(sets)):
        archive = folder / f"archive-{number}"
        archive.mkdir()
        names = debian.make_archive(packages, archive)
        words = (
            *("mmdebstrap", "--quiet", "--mode=root", "--variant=custom", "--format=tar"),
            *(f"--include={','.join(names)}", "trixie", "/dev/null"),
            f"deb [trusted=yes] copy:{archive} ./",
        )
        process.run(*words)


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def row(what: str, figure: str, bar: str) -> None:
    """Print one figure."""
    print(f"{what:<28} {figure:>10}   {bar}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
