"""What each command needs of this machine, asked before it works.

A build that stops after a minute because a program is not there has wasted that minute, and the
next one stops at the next program. So a command asks first for all that it needs, and all that is
missing is told at once. Which package brings a program is in ``install_hints.py``; `reconix doctor`
tells the same for all commands, and what else a machine must be able to do (``features.py``).

Tested by ``tests/unit/cli/test_needs.py``, which also finds a program that stands in no table.
"""

from collections.abc import Iterable

from reconix.base.errors import ReconixError
from reconix.base.process import ProgramMissing, find
from reconix.build import emulation, isolation
from reconix.build.boot import device_tree
from reconix.cli.install_hints import how_to_install
from reconix.config.schema.hosts import Host
from reconix.vm import hardware

LOCK = ("apt-get", "apt-cache", "apt-config")
PACKAGES = ("apt-config", "dpkg-deb", "tar")
"""What a build needs, whatever the systems are: the boot loader comes from a package."""
ROOTS = ("mmdebstrap", "unshare", "mount", "sh", "depmod")
"""What systems of Debian need beside."""
DEBS = ("dpkg-deb",)
"""What package files of the project need beside, when they are locked."""
NIX = ("nix-store", "nix")
"""What systems that Nix builds need beside."""
IMAGE = ("mkfs.ext4",)
DISK = ("sh", "blockdev")
"""What writing a disk needs beside."""
OVERLAYS = device_tree.PROGRAMS
"""What a build needs beside where `boot.device_tree_overlays` is set."""
PACK = ("mkfs.erofs",)
"""What an image needs beside where `disk.compress` is set."""
RUN = ("qemu-img",)
COMPUTERS = tuple(each.program for each in hardware.ALL.values())
"""What emulates a device; which of them, its board says."""
REACH = ("ssh",)
PROVE = (
    *("qemu-storage-daemon", "losetup", "mount", "umount", "mkfs.ext4"),
    *("e2image", "e2fsck", "fsck.fat", "cp", "sync", "sh"),
)

NEEDED_BY = {
    "init": ("ssh-keygen",),
    "diff": ("git", "tar"),
    "lock": LOCK,
    "build": (*PACKAGES, *ROOTS),
    "image": (*PACKAGES, *ROOTS, *IMAGE),
    "install": (*DISK, *PACKAGES, *ROOTS, *IMAGE),
    "run": RUN,
    "deploy": REACH,
    "shell": REACH,
    "logs": REACH,
    "timeline": REACH,
    "cp": (*REACH, "tar"),
    "repair": REACH,
    "prove": PROVE,
}
"""By command, whatever it is told."""

SECRETS = ("age", "sops")
"""What reads values that are encrypted."""

USED_BY = {
    "lock": (*NIX, *DEBS),
    "diff": (*PACKAGES, *ROOTS, *NIX),
    "build": (*NIX, *OVERLAYS, "gzip"),
    "image": (*NIX, *OVERLAYS, *PACK, *SECRETS),
    "install": (*REACH, *NIX, *OVERLAYS, *PACK, *SECRETS),
    "run": COMPUTERS,
    "secrets": (*REACH, *SECRETS),
    "status": REACH,
}
"""What a command needs only for some projects, or with some of its words."""


class ProgramsMissing(ReconixError):
    """Programs that a command needs are not installed."""

    exit_code = ProgramMissing.exit_code

    def __init__(self, programs: Iterable[str]) -> None:
        missing = list(programs)
        are = "is" if len(missing) == 1 else "are"
        super().__init__(
            f"{', '.join(missing)} {are} not installed",
            hint=f"{how_to_install(missing)}; `reconix doctor` tells what else this machine lacks",
        )
        self.programs = tuple(missing)


def expect(*programs: str) -> None:
    """Ask for all programs that a command is about to need.

    Raises:
        ProgramsMissing: some are not there.
    """
    missing = [program for program in dict.fromkeys(programs) if find(program) is None]
    if missing:
        raise ProgramsMissing(missing)


def expect_build(host: Host) -> None:
    """Ask for what building a host needs.

    Raises:
        ProgramsMissing: some programs are not there.
        NotIsolated: packages could not be installed cut off.
        NotEmulated: programs of the host's architecture do not run here.
    """
    expect(*PACKAGES, *(ROOTS if host.systems else ()), *(NIX if host.nixos else ()))
    expect(*(OVERLAYS if host.machine.boot.device_tree_overlays else ()))
    if host.systems:
        isolation.check()
        emulation.own_rule(host.architecture)
