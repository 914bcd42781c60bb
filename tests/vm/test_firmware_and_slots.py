"""A real UEFI firmware reads our tables, our file systems and our load options.

There is no operating system here. Each slot holds one tiny program for UEFI, assembled below, that
says which slot it is from and then, if it was made so, sets variables and restarts.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconix.boot import fat
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR, Guid
from reconix.boot.oneshots.load_option import LoadOption, print_load_option
from reconix.boot.rescue import rescue
from reconix.boot.tables import Copy, Slot, SlotTables, read_selection, repair, select_slot
from reconix.boot.tree import BootTree
from reconix.image.layout import MIB, Sizes, plan
from reconix.vm.firmware import prepare
from reconix.vm.hardware import PC, Hardware
from reconix.vm.machine import running
from reconix.vm.qemu import PROGRAM, Accelerator, Disk, Guest

pytestmark = pytest.mark.vm

SECONDS = 300.0
LOADER = "EFI/BOOT/BOOTX64.EFI"
GLOBAL_VARIABLE = Guid.parse("8BE4DF61-93CA-11D2-AA0D-00E098032B8C")
OURS = Guid.parse("5D1C7F0A-4E0B-4B6F-9A43-7B6C1D0E2F31")
"""Of variables that no specification knows; a firmware takes others only by name."""
SLOTS = 3


class Assembler:
    """Machine code whose data follows it; ``lea`` reaches the data relative to the code."""

    def __init__(self) -> None:
        self._code = bytearray()
        self._data = bytearray()
        self._places: list[tuple[int, int]] = []

    def code(self, instructions: str) -> None:
        self._code += bytes.fromhex(instructions)

    def lea(self, instruction: str, data: bytes) -> None:
        self._data += bytes(-len(self._data) % 8)
        self.code(instruction)
        self._places.append((len(self._code), len(self._data)))
        self._code += bytes(4)
        self._data += data

    def link(self) -> bytes:
        code = bytearray(self._code) + bytes(-len(self._code) % 16)
        for at, data in self._places:
            struct.pack_into("<i", code, at, len(code) + data - (at + 4))
        return bytes(code + self._data)


def text(value: str) -> bytes:
    return value.encode("utf-16-le") + b"\0\0"


def program(says: str, variables: dict[str, bytes], *, restarts: bool) -> bytes:
    """A program for UEFI on x86-64; offsets are those of the specification, chapter 4."""
    made = Assembler()
    made.code("4883ec38 4889d3")  # sub rsp, 56; mov rbx, rdx: the system table
    made.code("488b4b40")  # mov rcx, [rbx+64]: ConOut
    made.lea("488d15", text(f"{says}\r\n"))  # lea rdx, the text
    made.code("ff5108")  # call OutputString
    for name, value in variables.items():
        made.lea("488d0d", text(name))  # lea rcx, the name
        vendor = GLOBAL_VARIABLE if name.startswith("Boot") else OURS
        made.lea("488d15", vendor.value)  # lea rdx, the vendor
        made.code("41b807000000")  # mov r8d, 7: kept
        made.code("41b9" + struct.pack("<I", len(value)).hex())  # mov r9d, the size
        made.lea("488d05", value)  # lea rax, the value
        made.code("4889442420")  # mov [rsp+32], rax
        made.code("488b4358 ff5058")  # mov rax, [rbx+88]; call SetVariable
    if restarts:
        made.code("31c931d24d31c04d31c9")  # a cold one, without a status and data
        made.code("488b4358 ff5068")  # mov rax, [rbx+88]; call ResetSystem
    made.code("f4ebfd")  # hlt; again
    return portable_executable(made.link())


def portable_executable(code: bytes) -> bytes:
    """One section that can be read, written and run, at any address."""
    raw = code.ljust(-(-len(code) // 512) * 512, b"\0")
    dos = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, 1, 0, 0, 0, 240, 0x22)
    optional = struct.pack(
        "<HBBIIIII QIIHHHHHHIIIIHHQQQQII",
        *(0x20B, 0, 0, len(raw), 0, 0, 4096, 4096),
        *(0, 4096, 512, 0, 0, 0, 0, 0, 0, 0, 4096 + len(raw), 512, 0),
        *(10, 0, 0, 0, 0, 0, 0, 16),
    ).ljust(240, b"\0")
    section = struct.pack(
        "<8sIIIIIIHHI", b".text", len(raw), 4096, len(raw), 512, 0, 0, 0, 0, 0xE0000020
    )
    return (dos + coff + optional + section).ljust(512, b"\0") + raw


def make_disk(path: Path, programs: dict[int, bytes]) -> SlotTables:
    sizes = Sizes(SLOTS, slot_bytes=34 * MIB, system_bytes=MIB, data_bytes=MIB)
    tables = plan("gateway", size_bytes=112 * MIB, sizes=sizes)
    with path.open("wb") as file:
        file.truncate(112 * MIB)
        for write in tables.writes(Slot(1)):
            file.seek(write.offset)
            file.write(write.content)
        for slot, content in programs.items():
            file.seek(tables.slot(Slot(slot)).first * SECTOR)
            for chunk in fat.image(BootTree.of({LOADER: content}), 34 * MIB):
                file.write(chunk)
    return tables


def each_says_its_name() -> dict[int, bytes]:
    return {slot: program(f"slot {slot} runs", {}, restarts=False) for slot in (1, 2, 3)}


@pytest.fixture
def boot(tmp_path: Path, need: Callable[..., None]) -> Callable[..., None]:
    """Give a function that starts a guest with a disk and waits for what is said, in this order."""
    need(PROGRAM)

    def boot(
        disk: Path,
        *says: str,
        is_protected: bool = False,
        computer: Hardware = PC,
    ) -> None:
        firmware = replace(prepare(tmp_path / "variables", computer), is_protected=is_protected)
        guest = Guest(firmware, disks=(Disk(disk),), memory_mib=256)
        with running(guest, tmp_path, Accelerator.TCG) as machine:
            for words in says:
                said = machine.console.wait(words, seconds=SECONDS)
                assert said.count(" runs") == words.count(" runs"), "another slot ran in between"

    return boot


def damage(path: Path, lba: int) -> None:
    with path.open("r+b") as file:
        file.seek(lba * SECTOR)
        file.write(b"\xa5" * SECTOR)


def test_the_firmware_boots_the_slot_that_is_selected(
    tmp_path: Path, boot: Callable[..., None]
) -> None:
    disk = tmp_path / "disk"
    tables = make_disk(disk, each_says_its_name())
    for slot in (1, 3, 2):
        with DiskFile(disk) as opened:
            select_slot(opened, Slot(slot))
        before = disk.read_bytes()
        boot(disk, f"slot {slot} runs")
        assert disk.read_bytes() == before, "two valid headers: the firmware repairs nothing"
    assert tables.numbers == (1, 2, 3)


def states_of_a_cut(disk: Path, tables: SlotTables) -> Iterator[int]:
    """Slot 2 is selected, cut at different moments; gives the slot that must boot."""
    damage(disk, tables.header_at(Copy.BACKUP))
    yield 1
    with DiskFile(disk) as opened:
        repair(opened)
        write = tables.header(Slot(2), Copy.BACKUP)
        opened.write(write.offset, write.content)
    yield 1
    damage(disk, tables.header_at(Copy.PRIMARY))
    yield 2


def test_p6_the_firmware_finds_one_table_whenever_a_switch_is_cut(
    tmp_path: Path, boot: Callable[..., None]
) -> None:
    disk = tmp_path / "disk"
    tables = make_disk(disk, each_says_its_name())
    for expected in states_of_a_cut(disk, tables):
        before = disk.read_bytes()
        boot(disk, f"slot {expected} runs")
        with DiskFile(disk) as opened:
            repair(opened)  # what the firmware made of the damage is explained, and kept
            assert read_selection(opened).slot == expected
        boot(disk, f"slot {expected} runs")
        disk.write_bytes(before)


ASKS = "slot 1 asks for slot 3"


def make_asking_disk(disk: Path, *, first: dict[str, bytes], restarts: bool) -> SlotTables:
    """Slot 1 sets some variables, then those that let slot 3 boot next."""
    tables = make_disk(disk, {})
    slot = tables.slot(Slot(3))
    option = LoadOption("reconix slot-3", 3, slot.first, slot.sectors, slot.guid, LOADER)
    variables = {**first, "Boot0042": print_load_option(option), "BootNext": b"\x42\0"}
    make_disk(
        disk,
        {
            1: program(ASKS, variables, restarts=restarts),
            2: program("slot 2 runs", {}, restarts=False),
            3: program("slot 3 runs", {}, restarts=True),
        },
    )
    return tables


def test_a_load_option_of_ours_boots_another_slot_once(
    tmp_path: Path, boot: Callable[..., None]
) -> None:
    disk = tmp_path / "disk"
    make_asking_disk(disk, first={}, restarts=True)
    boot(disk, ASKS, "slot 3 runs", ASKS, "slot 3 runs")


# -- B1, B4: what the slot of a trial holds --------------------------------------------------------


def test_b1_a_loader_that_is_damaged_leaves_the_selected_slot(
    tmp_path: Path, boot: Callable[..., None]
) -> None:
    disk = tmp_path / "disk"
    tables = make_asking_disk(disk, first={}, restarts=True)
    place = tables.slot(Slot(3))
    with disk.open("r+b") as file:
        file.seek(place.first * SECTOR)
        content = file.read(place.sectors * SECTOR)
        file.seek(place.first * SECTOR + content.index(b"MZ"))
        file.write(b"\xa5" * SECTOR)
    boot(disk, ASKS, ASKS, ASKS)


def test_b4_a_slot_full_of_rubbish_leaves_the_selected_one(
    tmp_path: Path, boot: Callable[..., None]
) -> None:
    disk = tmp_path / "disk"
    tables = make_asking_disk(disk, first={}, restarts=True)
    for lba in range(tables.slot(Slot(3)).first, tables.slot(Slot(3)).first + 2048):
        damage(disk, lba)
    boot(disk, ASKS, ASKS, ASKS)


# -- B2: partition tables --------------------------------------------------------------------------


@pytest.mark.parametrize("copy", list(Copy))
@pytest.mark.parametrize("part", ["header", "array"])
def test_b2_one_damaged_table_does_not_keep_the_firmware_from_booting(
    tmp_path: Path, boot: Callable[..., None], copy: Copy, part: str
) -> None:
    disk = tmp_path / "disk"
    tables = make_disk(disk, each_says_its_name())
    with DiskFile(disk) as opened:
        select_slot(opened, Slot(2))
    header, array = tables.header_at(copy), tables.array_at(Slot(2), copy)
    damage(disk, header if part == "header" else array)
    boot(disk, "slot 2 runs")
    with DiskFile(disk) as opened:
        repair(opened)
        assert read_selection(opened).slot == 2
        assert read_selection(opened).faults == ()
    boot(disk, "slot 2 runs")


def test_b2_a_rescue_after_both_tables_were_damaged_is_what_the_firmware_boots(
    tmp_path: Path, boot: Callable[..., None]
) -> None:
    disk = tmp_path / "disk"
    tables = make_disk(disk, each_says_its_name())
    for copy in Copy:
        damage(disk, tables.header_at(copy))
    with DiskFile(disk) as opened:
        rescue(opened, Slot(3))
    boot(disk, "slot 3 runs")


# -- firmware that takes no variables, or keeps none -----------------------------------------------


def test_a_firmware_whose_memory_is_protected_boots_the_selected_slot(
    tmp_path: Path, boot: Callable[..., None]
) -> None:
    disk = tmp_path / "disk"
    make_disk(disk, each_says_its_name())
    boot(disk, "slot 1 runs", is_protected=True)


def test_a_firmware_that_forgets_boots_the_selected_slot(
    tmp_path: Path, boot: Callable[..., None]
) -> None:
    disk = tmp_path / "disk"
    make_asking_disk(disk, first={}, restarts=False)
    boot(disk, ASKS)
    (tmp_path / "variables").unlink()
    boot(disk, ASKS)


SMALL_MEMORY = replace(PC, firmware=PC.firmware[1:2])
"""A flash of a quarter: it is written byte by byte, and all of it whenever room is looked for."""


def test_a_firmware_whose_memory_is_full_boots_the_selected_slot(
    tmp_path: Path, boot: Callable[..., None]
) -> None:
    disk = tmp_path / "disk"
    sizes = [8000] * 8 + [1000] * 10 + [100] * 12 + [10] * 12 + [1] * 12
    full = {f"Full{number}": bytes([number]) * size for number, size in enumerate(sizes)}
    make_asking_disk(disk, first=full, restarts=True)
    boot(disk, ASKS, ASKS, ASKS, computer=SMALL_MEMORY)
