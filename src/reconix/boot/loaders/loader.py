"""Boot loaders: one interface, so that the rest does not know which one a machine has.

A boot loader is given the systems of a generation and says which files a slot must hold. That is
all: it writes nothing, and what it says depends on nothing else. Choosing a system at run time is
the firmware's side, ``boot/oneshots/``.

The kernel's command line names the program to start, and the images that hold it with all that it
needs::

    init=/nix/store/…-system-web/init reconix.images=<sha256>,<sha256>,… gpt panic=10 …

``reconix.verity`` follows the images if the kernel shall compare all that is read with its hashes.

Tested by ``tests/unit/boot/loaders/test_systemd_boot.py``.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.boot.bootspec import BadBootSpec, BootSpec
from reconix.boot.tree import BootTree
from reconix.store.generation import Integrity

Content = Callable[[str], bytes | Path]
"""Where the content of a file in the store is, given its path in the store."""


STORED = "reconix"
"""The folder of a slot with what comes from the store."""

IMAGES = "reconix.images="
"""How the word of the command line begins that names the images of a system."""

VERITY = "reconix.verity"
"""The word that makes the kernel compare."""

MAX_COMMAND_LINE_BYTES = 2047
"""Linux cuts off what is longer, on all our architectures (``COMMAND_LINE_SIZE``)."""


class NoSuchDefault(ReconixError):
    """The default system is not one of the systems."""

    exit_code = 36

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"there is no system {name!r}", hint=f"there are: {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class BootSystem:
    """One system that can be chosen: the name that it is chosen by, and how it is started.

    Args:
        name: of the system.
        spec: which kernel, which program.
        images: that hold it on a device.
        integrity: who compares what is read.
    """

    name: str
    spec: BootSpec
    images: tuple[Digest, ...]
    integrity: Integrity = Integrity.NONE

    def __post_init__(self) -> None:
        size = len(self.command_line.encode())
        if size > MAX_COMMAND_LINE_BYTES:
            raise BadBootSpec(
                f"the kernel of {self.name!r} would get a command line of {size} bytes, "
                f"and takes {MAX_COMMAND_LINE_BYTES}",
                hint="give it fewer parameters",
            )

    @property
    def command_line(self) -> str:
        """What the kernel is told."""
        images = ",".join(digest.hex() for digest in self.images)
        first = [f"init={self.spec.init}", f"{IMAGES}{images}"]
        first += [VERITY] * (self.integrity is Integrity.VERITY)
        return " ".join([*first, *self.spec.kernel_parameters])


class BootLoader(Protocol):
    """Knows which files make a slot bootable."""

    def boot_tree(
        self, systems: Sequence[BootSystem], *, default: str, content: Content
    ) -> BootTree:
        """The files of a slot that offers some systems and starts one of them by default.

        Raises:
            NoSuchDefault: the default is none of the systems.
            BadBootTree: names do not fit on a FAT file system.
        """


def check_default(systems: Sequence[BootSystem], default: str) -> None:
    """Check that the default is one of the systems.

    Raises:
        NoSuchDefault: it is none.
    """
    names = [system.name for system in systems]
    if default not in names:
        raise NoSuchDefault(default, names)


def slot_path(store_path: str) -> str:
    """Where a file of the store lies in a slot: one file there, however many systems use it.

    ``/nix/store/<hash>-linux-6.12/vmlinuz`` becomes ``reconix/<hash>-linux-6.12-vmlinuz``. A ``?``,
    which a store path may contain and FAT may not, becomes ``_``; the hash keeps names apart.
    """
    name = store_path.removeprefix("/nix/store/").replace("/", "-").replace("?", "_")
    return f"{STORED}/{name}"
