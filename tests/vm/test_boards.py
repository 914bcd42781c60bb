"""Boards that QEMU has start from a card as the real ones do, up to the disk in our initrd.

The loader is Debian's and lies where the boot ROM looks; from there on nothing is given to QEMU.
Kernel, device tree and modules are those of the board's file. The system partition is empty: what
the initrd says of it proves that the drivers of the disk, and all that these wait for, are there.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.vm.project import UNSIGNED, Project

from reconix.base.architecture import Architecture
from reconix.base.digests import Digest
from reconix.base.process import run, start
from reconix.boot import fat
from reconix.boot.bootspec import BootSpec
from reconix.boot.gpt import SECTOR
from reconix.boot.loaders.arm_kernels import START_COMMANDS
from reconix.boot.loaders.loader import BootSystem
from reconix.boot.loaders.u_boot import UBootScript
from reconix.boot.tables import Slot, SlotTables
from reconix.build.boot import firmware_files
from reconix.build.boot.device_tree import FILE, make_device_tree
from reconix.build.boot.disk_modules import disk_modules
from reconix.build.boot.fdt import parse_tree
from reconix.build.boot.initrd import make_initrd
from reconix.build.boot.linux import Modules, unpack_kernel
from reconix.build.templates import fill
from reconix.build.toplevel import ALWAYS
from reconix.cli import registries
from reconix.config.schema.hosts import Host
from reconix.image.layout import MIB, SYSTEM, Sizes, plan
from reconix.image.loaders import expect_apart, padded
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles
from reconix.vm.console import Console

pytestmark = [pytest.mark.vm, pytest.mark.archive]

SECONDS = 180.0
CARD_BYTES = 512 * MIB
"""A card has a power of two."""
STORE = f"/nix/store/{'0' * 32}"
Words = Sequence[str | Path]


@dataclass(frozen=True)
class Board:
    """A board of ours, and how QEMU starts from its card.

    Attributes:
        name: of its file.
        program: of QEMU.
        words: that are like its boot ROM, from what is on the card.
    """

    name: str
    program: str
    words: Callable[[Path, SlotTables, Path], Words]


def i_mx6(card: Path, _: SlotTables, folder: Path) -> Words:
    """Load what the image vector table in the third sector names, and go to its entry.

    Source: i.MX 6Dual/6Quad Reference Manual, *Image Vector Table*, *Boot Data*.
    """
    with card.open("rb") as file:
        file.seek(1024)
        tag, entry, _, _, boot_data, itself, _, _ = struct.unpack("<8I", file.read(32))
        assert tag & 0xFF == 0xD1, "no loader lies there"
        file.seek(1024 + boot_data - itself)
        begin, length = struct.unpack("<2I", file.read(8))
        file.seek(0)
        (folder / "loaded").write_bytes(file.read(length))
    loaded = f"loader,file={folder}/loaded,addr={begin:#x},force-raw=on"
    started = f"loader,addr={entry:#x},cpu-num=0"
    return (
        *("-machine", "sabrelite", "-device", loaded, "-device", started),
        *("-drive", f"if=none,id=card,format=raw,file={card}", "-device", "sd-card,drive=card"),
        *("-serial", "null"),
    )


def raspberry_pi(card: Path, tables: SlotTables, folder: Path) -> Words:
    """Take U-Boot and the device tree from the slot that is selected, as the firmware does."""
    slot = f"{card}@@{tables.slot(Slot(1)).first * SECTOR}"
    for name in ("u-boot.bin", "board.dtb"):
        run("mcopy", "-n", "-i", slot, f"::{name}", folder / name)
    return (
        *("-machine", "raspi3b", "-kernel", folder / "u-boot.bin", "-dtb", folder / "board.dtb"),
        *("-drive", f"if=sd,format=raw,file={card}", "-serial", "null"),
    )


BOARDS = (
    Board("imx6-sabrelite", "qemu-system-arm", i_mx6),
    Board("raspberrypi-3b", "qemu-system-aarch64", raspberry_pi),
)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_a_board_starts_from_its_card_and_finds_its_disk(
    tmp_path: Path, need: Need, board: Board
) -> None:
    need(board.program, "mcopy", "mkfs.ext4", "depmod")
    project = Project.make(tmp_path / "project", machine(board), settings=UNSIGNED)
    project.reconix("lock")
    host, packages = fetched(project)
    starts(board, host, packages, tmp_path)


def machine(board: Board) -> str:
    """What a machine of this board says: the firmware in QEMU reads its device tree here."""
    return f'board = "{board.name}"\n[[boot.slot_files]]\ndevice_tree = "board.dtb"\n'


def fetched(project: Project) -> tuple[Host, dict[str, Path]]:
    """The host, and by name what starts it: kernel, busybox, firmware."""
    files = ProjectFiles.read(project.folder)
    host = files.host("box")
    lock = files.host_lock(host)
    wanted = [*lock.systems["default"].kernel, *lock.initrd]
    wanted += [each for each in lock.loader if each.name in host.machine.boot.firmware_packages]
    with ChrootStore(project.store) as store:
        found = files.workshop(store, registries.downloads()).fetch(wanted)
    return host, {package.name: path for package, path in found.items()}


def starts(board: Board, host: Host, packages: dict[str, Path], folder: Path) -> None:
    """Make the card of a board, start from it, and wait for what the initrd says of the disk."""
    card = folder / "card"
    tables = make_card(host, packages, card, folder)
    log = folder / "console.log"
    process = start(
        *(board.program, "-no-user-config", "-nodefaults", "-display", "none", "-m", "1G"),
        *("-accel", "tcg,tb-size=128", *board.words(card, tables, folder)),
        *("-chardev", f"file,id=console,path={log}", "-serial", "chardev:console"),
    )
    try:
        console = Console(log, running=lambda: process.poll() is None)
        said = console.wait("the disk has layout 1, this system needs 2", seconds=SECONDS)
    finally:
        process.kill()
        process.wait()
    assert "reconix: default starts from partition 1" in said
    assert "does not load" not in said
    assert "watchdog" in said.lower()


def make_card(host: Host, packages: dict[str, Path], card: Path, folder: Path) -> SlotTables:
    """A card with a loader, one slot, and a system partition without a system."""
    boot, kernel = host.machine.boot, host.systems["default"].kernel
    assert boot.load_base is not None and boot.device_tree is not None and boot.disk is not None
    images = [path for name, path in packages.items() if name.startswith("linux-")]
    version = unpack_kernel(images, folder / "linux")
    make_device_tree(images, boot.device_tree, boot.device_tree_overlays, folder / "tree")
    tree = (folder / "tree" / FILE).read_bytes()
    modules = folder / "linux/modules" / version
    wanted = (*kernel.initrd_modules, *disk_modules(parse_tree(tree), boot.disk, modules))
    busybox = firmware_files.member(packages["busybox-static"], "usr/bin/busybox")
    contents: dict[str, bytes | Path] = {
        f"{STORE}-linux/vmlinuz": folder / "linux/vmlinuz",
        f"{STORE}-initrd/initrd": make_initrd(busybox, Modules.read(modules), wanted),
        f"{STORE}-device-tree/{FILE}": tree,
    }
    script = UBootScript(
        partial(fill, "boot.cmd"), boot.load_base, START_COMMANDS[host.architecture]
    )
    loader = firmware_files.WithSlotFiles(
        script,
        firmware_files.in_slots(boot.slot_files, packages),
        firmware_files.device_trees(boot.slot_files),
    )
    system = BootSystem("default", spec(host, [*contents]), (Digest(bytes(32)),))
    files = loader.boot_tree([system], default="default", content=contents.__getitem__)
    loaders = firmware_files.on_disk(boot.firmware_files, packages)
    sizes = Sizes(
        2,
        boot.slot_size,
        16 * MIB,
        firmware=boot.firmware,
        reserved_bytes=host.machine.disk.reserved,
    )
    tables = plan("box", size_bytes=CARD_BYTES, sizes=sizes)
    expect_apart(tables, loaders)
    with card.open("wb") as file:
        file.truncate(CARD_BYTES)
        for at, content in [(w.offset, w.content) for w in tables.writes(Slot(1))] + [
            (each.offset, padded(each.content)) for each in loaders
        ]:
            file.seek(at)
            file.write(content)
        file.seek(tables.slot(Slot(1)).first * SECTOR)
        for chunk in fat.image(files, boot.slot_size):
            file.write(chunk)
    place = tables.named(SYSTEM)
    run("mkfs.ext4", "-q", "-F", "-E", f"offset={place.first * SECTOR}", card, "16M")
    return tables


def spec(host: Host, files: Sequence[str]) -> BootSpec:
    """How the system is started: its kernel, its initrd and its device tree."""
    kernel, initrd, tree = files
    return BootSpec(
        name="default",
        system=Architecture(host.architecture).nix_system,
        label="default",
        kernel=kernel,
        kernel_parameters=(*ALWAYS, *host.systems["default"].kernel.parameters),
        initrd=initrd,
        toplevel=f"{STORE}-system",
        init=f"{STORE}-system/init",
        device_tree=tree,
    )
