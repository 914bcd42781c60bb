"""systemd-boot: one entry per system, the default one unless the firmware was told another.

    EFI/BOOT/BOOTX64.EFI         systemd-boot; on arm64 BOOTAA64.EFI
    loader/loader.conf           which entry, no menu, no editor
    loader/entries/<system>.conf one for each system
    reconix/<…>-vmlinuz, …       kernels, initrds and device trees, once each

Another system is chosen with ``LoaderEntryOneShot`` (for one boot) or ``LoaderEntryDefault``, whose
values are the names of the entries, see ``boot/oneshots/``.

Source: The Boot Loader Specification, type #1; loader.conf(5).
Tested by ``tests/unit/boot/loaders/test_systemd_boot.py`` and every boot in ``tests/vm/``.
"""

from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from reconix.base.records import dataclass
from reconix.boot.loaders.loader import (
    BootSystem,
    Content,
    check_default,
    slot_path,
)
from reconix.boot.tree import BootTree

ENTRIES = "loader/entries"
_LOADER_CONF = """\
default {default}
timeout 0
editor no
console-mode keep
auto-entries no
auto-firmware no
"""


class Program(Enum):
    """Where a firmware looks for a loader when it was told nothing.

    Source: UEFI Specification 2.10, section 3.5.1.1, table *UEFI Image Types*.
    """

    AMD64 = "EFI/BOOT/BOOTX64.EFI"
    ARM64 = "EFI/BOOT/BOOTAA64.EFI"
    ARMHF = "EFI/BOOT/BOOTARM.EFI"


@dataclass(frozen=True, slots=True)
class SystemdBoot:
    """systemd-boot for one architecture.

    Args:
        program: where it must lie.
        content: the loader itself, ``systemd-bootx64.efi`` or ``systemd-bootaa64.efi``.
    """

    program: Program
    content: bytes | Path

    def boot_tree(
        self, systems: Sequence[BootSystem], *, default: str, content: Content
    ) -> BootTree:
        """The files of a slot, see ``BootLoader``."""
        check_default(systems, default)
        files: dict[str, bytes | Path] = {
            self.program.value: self.content,
            "loader/loader.conf": _LOADER_CONF.format(default=entry_name(default)).encode(),
        }
        for system in systems:
            files[entry_file(system.name)] = _entry(system)
            files |= {slot_path(path): content(path) for path in system.spec.files}
        return BootTree.of(files)


def entry_name(system: str) -> str:
    """What systemd-boot calls the entry of a system."""
    return f"{system}.conf"


def entry_file(system: str) -> str:
    """Where the entry of a system is in a slot."""
    return f"{ENTRIES}/{entry_name(system)}"


def system_of_entry(entry: str) -> str:
    """The system of an entry; the opposite of ``entry_name``."""
    return entry.removesuffix(".conf")


def _entry(system: BootSystem) -> bytes:
    spec = system.spec
    lines = [f"title {spec.label}", f"linux /{slot_path(spec.kernel)}"]
    if spec.initrd is not None:
        lines.append(f"initrd /{slot_path(spec.initrd)}")
    if spec.device_tree is not None:
        lines.append(f"devicetree /{slot_path(spec.device_tree)}")
    lines.append(f"options {system.command_line}")
    return "".join(f"{line}\n" for line in lines).encode()
