"""Which Debian package to install when a program is missing.

Programs are started far below, also on a device, where nobody installs anything; what to do about a
missing one is advice for whoever typed a command here.

Tested by ``tests/unit/cli/test_install_hints.py``.
"""

from reconix.base.errors import ReconixError
from reconix.base.process import ProgramMissing

INSTALLED_BY = {
    "apt-cache": "apt",
    "apt-get": "apt",
    "depmod": "kmod",
    "dpkg-deb": "dpkg",
    "e2fsck": "e2fsprogs",
    "e2image": "e2fsprogs",
    "fsck.fat": "dosfstools",
    "git": "git",
    "losetup": "mount",
    "mkfs.erofs": "erofs-utils",
    "mkfs.ext4": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "nix": "nix-bin",
    "nix-store": "nix-bin",
    "qemu-img": "qemu-utils",
    "qemu-storage-daemon": "qemu-system-common",
    "qemu-system-x86_64": "qemu-system-x86",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
"""Which Debian package has a program; any other program is in one of its own name."""


def hint(error: ReconixError) -> str:
    """What to do about an error: its own hint, or which package to install."""
    if isinstance(error, ProgramMissing) and not error.hint:
        return f"apt install {INSTALLED_BY.get(error.program, error.program)}"
    return error.hint
