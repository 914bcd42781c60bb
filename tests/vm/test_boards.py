"""Boards that QEMU has start from their disk as the real ones do, up to the disk in our initrd.

The loader is Debian's and lies where the boot ROM looks; from there on nothing is given to QEMU.
Kernel, device tree and modules are those of the board's file. The system partition is empty: what
the initrd says of it proves that the drivers of the disk, and all that these wait for, are there.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.vm.project import UNSIGNED, Project

from reconix.base.digests import Digest
from reconix.base.process import run, start
from reconix.boot import fat
from reconix.boot.bootspec import BootSpec
from reconix.boot.gpt import SECTOR
from reconix.boot.loaders.loader import BootSystem
from reconix.boot.tables import Slot, SlotTables
from reconix.build.boot.device_tree import FILE
from reconix.build.host import Workshop, boot_loader, firmware_on_disk
from reconix.build.starting import Starting
from reconix.build.toplevel import ALWAYS
from reconix.cli import registries
from reconix.config.lock.hosts import HostLock
from reconix.config.schema.hosts import Host
from reconix.image.layout import MIB, SYSTEM, Sizes, plan
from reconix.image.loaders import expect_apart
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles
from reconix.store.paths import STORE_DIR
from reconix.vm.console import Console

pytestmark = [pytest.mark.vm, pytest.mark.archive]

SECONDS = 180.0
CARD_BYTES = 512 * MIB
"""A card has a power of two."""
SETTINGS = f'{UNSIGNED}archive.suites = ["trixie"]\n'
"""One suite: mirrors may lack lists of the others for architectures that few ask for."""
Words = Sequence[str | Path]


@dataclass(frozen=True)
class Board:
    """A board of ours, and how QEMU starts from its card.

    Attributes:
        name: of its file.
        program: of QEMU.
        words: that are like its boot ROM, from what is on the card.
        lines: of the machine, where QEMU differs from the board.
    """

    name: str
    program: str
    words: Callable[[Path, SlotTables, Path], Words]
    lines: str = ""


def i_mx6(card: Path, _: SlotTables, folder: Path) -> Words:
    """Load what the image vector table in the third sector names, and go to its entry.

    The disk is at USB: QEMU 7.2 starts this controller of cards without its clocks, and U-Boot,
    which does not touch them, gets no answer to its first command.

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
        *("-drive", f"if=none,id=card,format=raw,file={card}"),
        *("-device", "usb-storage,drive=card,bus=usb-bus.1"),
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


AT_USB = """\
boot.disk = "/soc/bus@2100000/usb@2184200"
kernel.initrd_modules = ["usb_storage", "sd_mod"]
"""
BOARDS = (
    Board("imx6-sabrelite", "qemu-system-arm", i_mx6, AT_USB),
    Board("raspberrypi-3b", "qemu-system-aarch64", raspberry_pi),
)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_a_board_starts_from_its_card_and_finds_its_disk(
    tmp_path: Path, need: Need, board: Board
) -> None:
    need(board.program, "mcopy", "mkfs.ext4", "depmod")
    project = Project.make(tmp_path / "project", machine(board), settings=SETTINGS)
    project.reconix("lock")
    files = ProjectFiles.read(project.folder)
    host = files.host("box")
    with ChrootStore(project.store) as store:
        workshop = files.workshop(store, registries.downloads())
        starts(board, workshop, host, files.host_lock(host), tmp_path)


def machine(board: Board) -> str:
    """What a machine of this board says: the firmware in QEMU reads its device tree here."""
    copy = '[[boot.slot_files]]\ndevice_tree = "board.dtb"\n'
    return f'board = "{board.name}"\n{board.lines}{copy}'


def starts(board: Board, workshop: Workshop, host: Host, lock: HostLock, folder: Path) -> None:
    """Make the card of a board, start from it, and wait for what the initrd says of the disk."""
    card, log = folder / "card", folder / "console.log"
    tables = make_card(workshop, host, lock, card)
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


def make_card(workshop: Workshop, host: Host, lock: HostLock, card: Path) -> SlotTables:
    """A card with its loaders, one slot, and a system partition without a system."""
    spec = start_spec(workshop, host, lock)
    loader = boot_loader(workshop, host, lock)
    tree = loader.boot_tree(
        [BootSystem("default", spec, (Digest(bytes(32)),))],
        default="default",
        content=lambda path: workshop.store.store_dir / Path(path).relative_to(STORE_DIR),
    )
    loaders = firmware_on_disk(workshop, host, lock)
    boot = host.machine.boot
    reserved = host.machine.disk.reserved
    sizes = Sizes(2, boot.slot_size, 16 * MIB, firmware=boot.firmware, reserved_bytes=reserved)
    tables = plan("box", size_bytes=CARD_BYTES, sizes=sizes)
    expect_apart(tables, loaders)
    pieces = [(each.offset, each.content) for each in tables.writes(Slot(1))]
    pieces += [(each.offset, each.content) for each in loaders]
    with card.open("wb") as file:
        file.truncate(CARD_BYTES)
        for at, content in pieces:
            file.seek(at)
            file.write(content)
        file.seek(tables.slot(Slot(1)).first * SECTOR)
        for chunk in fat.image(tree, boot.slot_size):
            file.write(chunk)
    offset = tables.named(SYSTEM).first * SECTOR
    run("mkfs.ext4", "-q", "-F", "-E", f"offset={offset}", card, "16M")
    return tables


def start_spec(workshop: Workshop, host: Host, lock: HostLock) -> BootSpec:
    """How the default system is started: all but its root, which is not there."""
    configured, boot = host.systems["default"].kernel, host.machine.boot
    starting = Starting(workshop.store, workshop.fetch, lock.systems["default"])
    kernel, tree = starting.kernel(), starting.device_tree(boot)
    wanted = (*configured.initrd_modules, *starting.modules(boot, tree, kernel))
    return BootSpec(
        name="default",
        system=host.architecture.nix_system,
        label="default",
        kernel=f"{kernel.path}/vmlinuz",
        kernel_parameters=(*ALWAYS, *configured.parameters),
        initrd=f"{starting.initrd(wanted, kernel, lock.initrd[0])}/initrd",
        toplevel=str(kernel.path),
        init=f"{kernel.path}/init",
        device_tree=f"{tree}/{FILE}",
    )
