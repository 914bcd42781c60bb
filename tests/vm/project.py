"""A project with one host, made for a test and used as a user would."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.projects import reconix

from reconix.base.documents import Fields
from reconix.base.process import run
from reconix.vm.login import Login

STORE = "RECONIX_TEST_STORE"
"""The variable that says where it is: ``conftest.py``."""
MINIFIED = "RECONIX_TEST_MINIFIED"
"""The variable with which all devices are minified, whatever their tests say; for runs by hand."""
MINIFY = "\n[minify]\nenable = true\n"
UNSIGNED = "trust.require_signature = false\n"
FOR_ANY_BOARD = """\
packages = ["systemd", "systemd-sysv", "udev", "kmod", "iproute2", "dropbear", "python3"]
[disk]
system_size = "768M"
data_size = "16M"
[network.lan]
match = "en*"
dhcp = true
names = false
[ssh]
enable = true
[users.root]
authorized_keys_files = ["../../key.pub"]
"""
"""What a small machine has, whatever its board says."""
MACHINE = f"""\
{FOR_ANY_BOARD}\
[boot]
slot_size = "48M"
[kernel]
package = "linux-image-cloud-amd64"
parameters = ["console=ttyS0"]
initrd_modules = ["virtio_pci", "virtio_blk"]
"""
"""A small machine: what a test needs besides stands behind it."""
KEEPS_HOST_KEY = """\
[persist]
shared = ["/var/lib/dropbear"]
"""


@dataclass(frozen=True)
class Project:
    """Where it is, and what the environment of its commands has besides."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def make(
        cls,
        folder: Path,
        machine: str,
        systems: Mapping[str, str] | None = None,
        settings: str = UNSIGNED,
    ) -> "Project":
        """The host is called ``box``; root logs in with the key of the project.

        Args:
            folder: for the project, new or empty.
            machine: what ``machine.toml`` says.
            systems: what the files of the systems say; without it there is one, which adds nothing.
            settings: lines of ``reconix.toml`` besides the name.
        """
        (folder / "hosts/box/systems").mkdir(parents=True)
        name = hashlib.sha256(bytes(folder)).hexdigest()[:12]
        (folder / "reconix.toml").write_text(f'name = "test-{name}"\n{settings}')
        (folder / "hosts/box/machine.toml").write_text(as_wanted(machine))
        for name, text in (systems or {"default": ""}).items():
            (folder / f"hosts/box/systems/{name}.toml").write_text(text)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key")
        return cls(folder)

    @property
    def store(self) -> Path:
        """The build store of all: equal roots are built once. They have different names there."""
        return Path(os.environ[STORE])

    @property
    def login(self) -> Login:
        """How root logs in."""
        return Login(self.folder / "key")

    def reconix(self, *words: str) -> Fields:
        """Run the command as a user would, and give its answer."""
        return reconix(self.folder, *words, store=self.store, environment=self.environment)

    def image(self, *words: str) -> Path:
        """Make the image of a disk; the packages are locked."""
        return Path(self.reconix("image", *words).text("image"))


def as_wanted(machine: str) -> str:
    """What ``machine.toml`` says in this run."""
    return machine + MINIFY if os.environ.get(MINIFIED) and "[minify]" not in machine else machine
