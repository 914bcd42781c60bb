"""The crash test of the example: does a power cut during its update keep the gateway from booting?

Locks and builds `examples/gateway`, changes a page, adds a package and changes a setting, builds
again, and tests the update between the two generations with `reconix prove`: at least 20,000 crash
states, and some of them really booted. Then it does so with an update that changes one of two
containers and nothing else, which needs no restart. Everything happens in a folder of its own; a
second run needs no network and builds only what has changed. Needs root.

    examples/prove.py [--folder DIR] [--states N] [--boot N]
"""

import argparse
import shutil
import sys
from pathlib import Path

from demo import RECONIX, Project

from reconix.base import process, progress
from reconix.base.errors import ReconixError
from reconix.base.process import CommandFailed
from reconix.cli import places
from reconix.cli.progress import listener

SYSTEMS = "hosts/gateway/systems"
DEFAULT = f"{SYSTEMS}/default.toml"
CONTAINERS = """
[containers.steady]
packages = ["busybox"]
command = ["busybox", "sleep", "1000000"]

[containers.changing]
packages = ["busybox"]
command = ["busybox", "sleep", "2000000"]
"""
ENDS = (("1", "2"), ("-1", "latest"))
"""The updates that are tested."""


def main() -> int:
    """Prove it; gives the exit status of `reconix prove`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=places.cache_home() / "prove")
    parser.add_argument("--states", default="20000")
    parser.add_argument("--boot", default="60")
    arguments = parser.parse_args()
    progress.listen(listener(sys.stderr))
    project = Project(arguments.folder)
    try:
        if not project.files.exists():
            make_generations(project)
        if CONTAINERS not in (project.files / DEFAULT).read_text():
            build_containers(project)
        return max(prove(project, *ends, arguments) for ends in ENDS)
    except (ReconixError, CommandFailed) as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code


def prove(project: Project, base: str, target: str, arguments: argparse.Namespace) -> int:
    """Test one update; gives the exit status of `reconix prove`."""
    words = ("--base", base, "--states", arguments.states, "--boot", arguments.boot)
    child = process.start(RECONIX, *project.places(), "prove", *words, "--generation", target)
    return child.wait()


def build_containers(project: Project) -> None:
    """Two generations more: one with containers, and one that changes the second of them."""
    place = project.files / DEFAULT
    before = place.read_text()
    try:
        place.write_text(before + CONTAINERS.replace("2000000", "1500000"))
        project.reconix("lock")
        project.reconix("build")
        project.edit(DEFAULT, "1500000", "2000000")
        project.reconix("build")
    except BaseException:
        place.write_text(before)
        raise


def make_generations(project: Project) -> None:
    """Two generations of the example, as its demo makes them."""
    project.folder.mkdir(parents=True, exist_ok=True)
    made = project.folder / "making"
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(Path(__file__).parent / "gateway", made)
    key = made / "keys/operator"
    process.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", key)
    made.rename(project.files)
    try:
        build_both(project)
    except BaseException:
        shutil.rmtree(project.files)
        raise


def build_both(project: Project) -> None:
    """Build the example, change it, build it again."""
    project.reconix("lock")
    project.reconix("build")
    project.edit(f"{SYSTEMS}/web/index.html", "<h1>gateway</h1>", "<h1>second edition</h1>")
    project.edit(f"{SYSTEMS}/web.toml", '["nginx"]', '["nginx", "less"]')
    setting = '[sysctl]\n"vm.swappiness" = 10\n\n[persist]'
    project.edit("hosts/gateway/machine.toml", "[persist]", setting)
    project.reconix("lock")
    project.reconix("build")


if __name__ == "__main__":
    sys.exit(main())
