"""U-Boot: one script in each slot, and a file of variables for each system.

    boot.scr                     the script, in the wrapping that U-Boot looks for
    reconix/<system>.env         for each system: its kernel, its initrd, where they go, arguments
    reconix/<…>-vmlinuz, …       kernels, initrds and device trees, once each

The script (``build/data/boot.cmd``) reads the control sector, forgets what it asks for before it
obeys, goes on with the script of another slot where that is asked for, and starts a system. It is
in no way ours which program runs it: any U-Boot that finds scripts on a bootable partition.

Where things go in memory follows from one address, the base of the board. A kernel takes more than
its file when it runs; its header says how much (``arm_kernels.py``), so nothing overlaps, whatever
a board's own variables say::

    base            what the script reads: sector, zeros, variables, the script of another slot
    base + 1 MiB    the device tree, and the room that U-Boot needs to complete it
    base + 2 MiB    the kernel, as far as its header says
    the next 2 MiB  the initrd

Source: U-Boot, ``include/image.h`` (legacy image) and *booti command*; Linux, ``Documentation/arch/
arm64/booting.rst`` (2 MiB).
Tested by ``tests/unit/boot/loaders/test_u_boot.py``, against ``mkimage`` by
``tests/compat/test_u_boot.py``, and by every boot in ``tests/vm/test_u_boot.py``.
"""

import re
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from reconix.base.records import dataclass
from reconix.boot.loaders.arm_kernels import StartCommand, UnfitKernel
from reconix.boot.loaders.loader import STORED, BootSystem, Content, check_default, slot_path
from reconix.boot.tree import BadBootTree, BootTree

SCRIPT = "boot.scr"
BOOTED = "reconix.booted="
"""How the word of the command line begins that names the partition which was booted."""

ALIGNMENT = 2 << 20
_PLACES = {"control": 0x0, "zeros": 0x1000, "entry": 0x10000, "script": 0x80000, "tree": 0x100000}
_DEVICE_TREE_BYTES = 512 << 10
_ENTRY_BYTES = _PLACES["script"] - _PLACES["entry"]
_ADDED = len(f" {BOOTED}{'0' * 36}")
_MAX_ARGUMENTS_BYTES = 2047 - _ADDED
_UNSAFE = re.compile(r"""[^ -~]|["'\\$`;&|<>(){}#]""")
"""What the shell of U-Boot, or its import of variables, might take for something else."""

_LEGACY = struct.Struct(">IIIIIIIBBBB32s")
_MAGIC = 0x27051956
_OS_LINUX, _TYPE_SCRIPT, _NO_COMPRESSION = 5, 6, 0
_ARCHITECTURES = {StartCommand.BOOTI: 22, StartCommand.BOOTZ: 2}


@dataclass(frozen=True, slots=True)
class UBootScript:
    """U-Boot for Arm.

    Args:
        script: fills the places of the script; gets a text for each.
        base: the first address of memory that may be used, a multiple of ``ALIGNMENT``.
        command: what starts a kernel.
    """

    script: Callable[..., str]
    base: int
    command: StartCommand = StartCommand.BOOTI

    def boot_tree(
        self, systems: Sequence[BootSystem], *, default: str, content: Content
    ) -> BootTree:
        """The files of a slot, see ``BootLoader``.

        Raises:
            UnfitKernel: a kernel is not of the form that the command starts, a device tree is too
                large, or arguments cannot be said.
        """
        check_default(systems, default)
        places = {name: f"{self.base + offset:x}" for name, offset in _PLACES.items()}
        words = {**places, "default": default, "start": self.command.value}
        script = print_script(self.script(**words).encode(), self.command)
        files: dict[str, bytes | Path] = {SCRIPT: script}
        for system in systems:
            files[entry_file(system.name)] = self._entry(system, content)
            files |= {slot_path(path): content(path) for path in system.spec.files}
        return BootTree.of(files)

    def _entry(self, system: BootSystem, content: Content) -> bytes:
        spec = system.spec
        kernel_at = self.base + ALIGNMENT
        kernel = slot_path(spec.kernel)
        said = {"kernel": kernel, "kernel_at": f"{kernel_at:x}"}
        end = self.command.end(content(spec.kernel), kernel, kernel_at)
        if spec.initrd is not None:
            said["initrd"] = slot_path(spec.initrd)
            said["initrd_at"] = f"{_aligned(end):x}"
        if spec.device_tree is not None:
            said["device_tree"] = slot_path(spec.device_tree)
            _expect_device_tree(content(spec.device_tree), said["device_tree"])
        said["arguments"] = _arguments(system)
        made = "".join(f"reconix_{name}={value}\n" for name, value in said.items()).encode()
        if len(made) > _ENTRY_BYTES:
            raise BadBootTree(f"the variables of {system.name!r} take {len(made)} bytes")
        return made


def entry_file(system: str) -> str:
    """Where the variables of a system are in a slot."""
    return f"{STORED}/{system}.env"


def _arguments(system: BootSystem) -> str:
    """The command line of a kernel, if U-Boot can say it."""
    line = system.command_line
    if found := _UNSAFE.search(line):
        raise UnfitKernel(
            f"the kernel of {system.name!r} would get {found[0]!r} on its command line, "
            "and the shell of U-Boot has a meaning of its own for that",
            hint="write the parameter without it",
        )
    if len(line) > _MAX_ARGUMENTS_BYTES:
        raise UnfitKernel(
            f"the kernel of {system.name!r} would get a command line of {len(line) + _ADDED} "
            f"bytes, and takes {_MAX_ARGUMENTS_BYTES + _ADDED}",
            hint="give it fewer parameters",
        )
    return line


def _expect_device_tree(content: bytes | Path, name: str) -> None:
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if size > _DEVICE_TREE_BYTES:
        raise UnfitKernel(f"{name} has {size} bytes, a device tree may have {_DEVICE_TREE_BYTES}")


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def print_script(script: bytes, command: StartCommand = StartCommand.BOOTI) -> bytes:
    """A script in the wrapping of U-Boot's legacy images, of time 0 and without a name."""
    data = struct.pack(">II", len(script), 0) + script
    body = zlib.crc32(data)
    kind = (_OS_LINUX, _ARCHITECTURES[command], _TYPE_SCRIPT, _NO_COMPRESSION, bytes(32))
    bare = _LEGACY.pack(_MAGIC, 0, 0, len(data), 0, 0, body, *kind)
    return _LEGACY.pack(_MAGIC, zlib.crc32(bare), 0, len(data), 0, 0, body, *kind) + data
