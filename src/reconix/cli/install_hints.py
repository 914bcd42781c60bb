"""Which Debian package to install when a program is missing.

Programs are started far below, also on a device, where nobody installs anything; what to do about a
missing one is advice for whoever typed a command here.

Tested by ``tests/unit/cli/test_install_hints.py``.
"""

from collections.abc import Iterable

from reconix.base.errors import ReconixError
from reconix.base.process import ProgramMissing

INSTALLED_BY = {
    "age": "age",
    "apt-cache": "apt",
    "apt-config": "apt",
    "apt-get": "apt",
    "blockdev": "util-linux",
    "cp": "coreutils",
    "depmod": "kmod",
    "dpkg-deb": "dpkg",
    "dtc": "device-tree-compiler",
    "e2fsck": "e2fsprogs",
    "e2image": "e2fsprogs",
    "fdtoverlay": "device-tree-compiler",
    "fsck.fat": "dosfstools",
    "git": "git",
    "gzip": "gzip",
    "losetup": "mount",
    "mkfs.erofs": "erofs-utils",
    "mkfs.ext4": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "mount": "mount",
    "newuidmap": "uidmap",
    "nix": "nix-bin",
    "nix-store": "nix-bin",
    "qemu-img": "qemu-utils",
    "qemu-storage-daemon": "qemu-system-common",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-system-x86_64": "qemu-system-x86",
    "scp": "openssh-client",
    "sh": "dash",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sync": "coreutils",
    "tar": "tar",
    "umount": "mount",
    "unshare": "util-linux",
}
"""Which Debian package has a program; any other program is in one of its own name."""


NOT_IN_DEBIAN = frozenset({"sops"})
"""Programs that no package of Debian has."""


def how_to_install(programs: Iterable[str]) -> str:
    """The command that brings some programs, as far as Debian has them."""
    names = set(programs)
    packages = {INSTALLED_BY.get(program, program) for program in names - NOT_IN_DEBIAN}
    foreign = [f"get {name} from its makers" for name in sorted(names & NOT_IN_DEBIAN)]
    return "; ".join(
        [*([f"apt install {' '.join(sorted(packages))}"] if packages else []), *foreign]
    )


def hint(error: ReconixError) -> str:
    """What to do about an error: its own hint, or which package to install."""
    if isinstance(error, ProgramMissing) and not error.hint:
        return how_to_install([error.program])
    return error.hint
