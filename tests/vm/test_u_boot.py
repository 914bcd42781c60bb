"""U-Boot as Debian has it obeys the control sector once, and otherwise boots the selected slot.

There is no operating system here: each system of a slot is a kernel of some hundred bytes, which
says from where it is and what it was told, and restarts. So two boots follow each other.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.u_boot_disks import BASE, ask, asked, make_disk, tree

from reconix.base.process import run
from reconix.boot.control import NOTHING, Request, print_request
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR
from reconix.boot.loaders.loader import MAX_COMMAND_LINE_BYTES
from reconix.boot.tables import Slot, SlotTables, select_slot
from reconix.vm.firmware import prepare
from reconix.vm.hardware import VIRT_ARM64_U_BOOT
from reconix.vm.machine import running
from reconix.vm.qemu import Accelerator, Disk, Guest

pytestmark = pytest.mark.vm

SECONDS = 60.0
Boot = Callable[..., list[str]]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return tmp_path / "disk"


@pytest.fixture
def tables(disk: Path) -> SlotTables:
    return make_disk(disk, {1: tree(1), 2: tree(2)})


@pytest.fixture
def boot(tmp_path: Path, disk: Path, need: Need) -> Boot:
    """Give a function that starts the device and waits for some boots: what each has said."""
    need(VIRT_ARM64_U_BOOT.program)

    def boot(times: int, *, is_protected: bool = False, beside: Sequence[Path] = ()) -> list[str]:
        firmware = prepare(tmp_path / "variables", VIRT_ARM64_U_BOOT)
        disks = (Disk(disk, is_protected=is_protected), *map(Disk, beside))
        guest = Guest(firmware, disks=disks, hardware=VIRT_ARM64_U_BOOT, memory_mib=256)
        log = tmp_path / "console.log"
        log.unlink(missing_ok=True)
        with running(guest, tmp_path, Accelerator.TCG) as machine:
            for _ in range(times):
                machine.console.wait(" runs", seconds=SECONDS)
        said = log.read_bytes().decode(errors="replace").split("\r\n")
        return [line for line in said if line.endswith(" runs")][:times]

    return boot


def told(lines: list[str]) -> list[str]:
    """Which systems have run."""
    return [line.partition(":")[0] for line in lines]


@pytest.mark.parametrize(
    ("request_", "first"),
    [
        (Request(Slot(2), None), "slot 2 default"),
        (Request(None, "mqtt"), "slot 1 mqtt"),
        (Request(Slot(2), "mqtt"), "slot 2 mqtt"),
        (Request(Slot(2), "web"), "slot 2 default"),
    ],
    ids=["slot", "system", "both", "a system that is not there"],
)
def test_what_is_asked_for_is_booted_once_and_a_reset_in_it_leads_back(
    disk: Path, tables: SlotTables, boot: Boot, request_: Request, first: str
) -> None:
    ask(disk, tables, request_)
    lines = boot(2)
    assert told(lines) == [first, "slot 1 default"]
    assert asked(disk, tables) == NOTHING
    for line, slot in zip(lines, (request_.slot or 1, 1), strict=True):
        assert f" reconix.booted={str(tables.slot(Slot(slot)).guid).lower()} runs" in line


def of_version(version: bytes, request_: Request) -> bytes:
    data = print_request(request_)[4:].replace(b"version=1", b"version=" + version)
    return zlib.crc32(data).to_bytes(4, "little") + data


ASKS = Request(Slot(2), "mqtt")


@pytest.mark.parametrize(
    ("sector", "left"),
    [
        (print_request(ASKS)[:60] + b"\xff" + print_request(ASKS)[61:], None),
        (of_version(b"2", ASKS), NOTHING),
    ],
    ids=["damaged", "of another version"],
)
def test_what_cannot_be_understood_is_not_obeyed(
    disk: Path, tables: SlotTables, boot: Boot, sector: bytes, left: bytes | None
) -> None:
    ask(disk, tables, sector)
    assert told(boot(1)) == ["slot 1 default"]
    assert asked(disk, tables) == (sector if left is None else left)


def test_what_cannot_be_taken_back_is_not_obeyed(
    disk: Path, tables: SlotTables, boot: Boot
) -> None:
    """Otherwise a trial would be tried for ever."""
    ask(disk, tables, ASKS)
    assert told(boot(1, is_protected=True)) == ["slot 1 default"]
    assert asked(disk, tables) == print_request(ASKS)


@pytest.mark.parametrize("holds", [b"", b"\xa5" * 4096], ids=["nothing", "rubbish"])
def test_a_slot_that_cannot_be_started_is_left(disk: Path, boot: Boot, holds: bytes) -> None:
    tables = make_disk(disk, {1: tree(1)})
    with DiskFile(disk) as opened:
        opened.write(tables.slot(Slot(2)).first * SECTOR, holds)
    ask(disk, tables, ASKS)
    assert told(boot(1)) == ["slot 1 default"]


def test_a_copy_beside_the_disk_is_neither_asked_nor_written(
    tmp_path: Path, disk: Path, tables: SlotTables, boot: Boot
) -> None:
    copy = tmp_path / "copy"
    make_disk(copy, {1: tree(1), 2: tree(2)})
    ask(copy, tables, ASKS)
    before = copy.read_bytes()
    ask(disk, tables, Request(None, "mqtt"))
    assert told(boot(2, beside=[copy])) == ["slot 1 mqtt", "slot 1 default"]
    assert copy.read_bytes() == before


def test_the_selected_slot_is_booted_and_nothing_is_written(
    disk: Path, tables: SlotTables, boot: Boot
) -> None:
    with DiskFile(disk) as opened:
        select_slot(opened, Slot(2))
    before = disk.read_bytes()
    assert told(boot(1)) == ["slot 2 default"]
    assert disk.read_bytes() == before
    assert tables.numbers == (1, 2)


def test_the_longest_command_line_arrives_to_the_byte(disk: Path, boot: Boot) -> None:
    usual = boot_line(disk, boot, ())
    words = ("a.b=c,d:e/f@g%h~i!j*k?l[m]n^o+p_q-r",) * 60
    free = MAX_COMMAND_LINE_BYTES - len(usual) - 1
    padding = (" ".join(words))[: free - 1].split()
    line = boot_line(disk, boot, padding)
    assert len(line) >= MAX_COMMAND_LINE_BYTES - 2
    assert line.partition(" gpt ")[2].rpartition(" reconix.booted=")[0] == " ".join(padding)


def boot_line(disk: Path, boot: Boot, parameters: tuple[str, ...] | list[str]) -> str:
    """The command line of a kernel with some parameters more."""
    make_disk(disk, {1: tree(1, ("gpt", *parameters))})
    (line,) = boot(1)
    return line.removeprefix("slot 1 default: ").removesuffix(" runs")


def test_a_device_tree_of_the_slot_is_given_to_the_kernel(
    tmp_path: Path, disk: Path, boot: Boot, need: Need
) -> None:
    need("dtc")
    source, compiled = tmp_path / "tree.dts", tmp_path / "tree.dtb"
    source.write_text('/dts-v1/;\n/ { model = "of the slot"; chosen { }; };\n')
    run("dtc", "-q", "-I", "dts", "-O", "dtb", "-o", compiled, source)
    make_disk(disk, {1: tree(1, device_tree=compiled.read_bytes())})
    (line,) = boot(1)
    assert line.startswith("slot 1 default: init=")
    said = (tmp_path / "console.log").read_text(errors="replace")
    assert f"Flattened Device Tree blob at {BASE + (1 << 20):x}" in said


def test_a_disk_without_a_control_partition_boots(disk: Path, boot: Boot) -> None:
    tables = make_disk(disk, {1: tree(1)})
    without = replace(tables, others=tables.others[1:])
    with DiskFile(disk) as opened:
        for write in without.writes(Slot(1)):
            opened.write(write.offset, write.content)
    assert told(boot(1)) == ["slot 1 default"]
