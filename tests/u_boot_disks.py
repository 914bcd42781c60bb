"""Disks for U-Boot whose slots hold kernels that say where they are from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.arm64_kernels import kernel

from reconix.base.digests import Digest
from reconix.base.firmware import FirmwareKind
from reconix.boot import fat
from reconix.boot.bootspec import BootSpec
from reconix.boot.control import PARTITION, Request, print_request
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR
from reconix.boot.loaders.loader import BootSystem
from reconix.boot.loaders.u_boot import UBootScript
from reconix.boot.tables import Slot, SlotTables
from reconix.boot.tree import BootTree
from reconix.build.templates import fill
from reconix.image.layout import MIB, Sizes, plan

SYSTEMS = ("default", "mqtt")
BASE = 0x41000000
SIZES = Sizes(2, 34 * MIB, MIB, MIB, FirmwareKind.U_BOOT)
DISK_BYTES = 80 * MIB
HASH = "0123456789abcdfghijklmnpqrsvwxyz"
LOADER = UBootScript(partial(fill, "boot.cmd"), BASE)


def spec(system: str, kernel_name: str, parameters: Sequence[str] = ("gpt",)) -> BootSpec:
    """A system of some kernel."""
    place = f"/nix/store/{HASH}"
    return BootSpec(
        name=system,
        system="aarch64-linux",
        label=system,
        kernel=f"{place}-{kernel_name}/vmlinuz",
        kernel_parameters=tuple(parameters),
        initrd=f"{place}-initrd/initrd",
        toplevel=f"{place}-system-{system}",
        init=f"{place}-system-{system}/init",
    )


def tree(
    slot: int, parameters: Sequence[str] = ("gpt",), device_tree: bytes | None = None
) -> BootTree:
    """What a slot holds: two systems, which say their names and that of the slot."""
    contents: dict[str, bytes] = {f"/nix/store/{HASH}-initrd/initrd": bytes(99_999)}
    systems = []
    for name in SYSTEMS:
        made = spec(name, f"slot-{slot}-{name}", parameters)
        if device_tree is not None:
            made = replace(made, device_tree=f"/nix/store/{HASH}-device-tree/device-tree.dtb")
            contents[made.device_tree or ""] = device_tree
        contents[made.kernel] = kernel(f"slot {slot} {name}")
        systems.append(BootSystem(name, made, (Digest(bytes(32)),)))
    return LOADER.boot_tree(systems, default="default", content=contents.__getitem__)


def make_disk(path: Path, trees: Mapping[int, BootTree]) -> SlotTables:
    """A disk whose slot 1 is selected."""
    tables = plan("gateway", size_bytes=DISK_BYTES, sizes=SIZES)
    with path.open("wb") as file:
        file.truncate(DISK_BYTES)
        for write in tables.writes(Slot(1)):
            file.seek(write.offset)
            file.write(write.content)
        for slot, content in trees.items():
            file.seek(tables.slot(Slot(slot)).first * SECTOR)
            for chunk in fat.image(content, SIZES.slot_bytes):
                file.write(chunk)
    return tables


def ask(path: Path, tables: SlotTables, sector: bytes | Request | None) -> None:
    """Leave a control sector."""
    content = sector if isinstance(sector, bytes) else print_request(sector)
    with DiskFile(path) as disk:
        disk.write(tables.named(PARTITION).first * SECTOR, content)


def asked(path: Path, tables: SlotTables) -> bytes:
    """The control sector."""
    with DiskFile(path) as disk:
        return disk.read(tables.named(PARTITION).first * SECTOR, SECTOR)
