"""W1. All partitions come from the disk that booted, whatever else is plugged in.

The script is the initrd's own, run by the shell of the initrd. Devices are files: real partition
tables, and the kernel's view of them below a folder. Folders stand for mounted partitions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconix.base.process import CommandFailed, run
from reconix.boot.disk import DiskFile
from reconix.boot.oneshots.load_option import print_text
from reconix.boot.oneshots.variables import GLOBAL, LOADER, Variables
from reconix.boot.tables import Slot, SlotTables
from reconix.build.boot.initrd import DISK_SCRIPT
from reconix.image.layout import MIB, Sizes, plan

IMAGES, OTHERS = ("a" * 64, "b" * 64), ("a" * 64, "c" * 64)
"""Of the system that is to start, and of another one, which share an image."""
ONBOARD = "pci0000:00/0000:00:03.0/virtio1"
SECOND = "pci0000:00/0000:00:04.0/virtio2"
EARLIER = "pci0000:00/0000:00:02.0/virtio0"
USB = "pci0000:00/0000:00:01.0/usb1/1-1/host0"
CARD = "platform/soc/2198000.mmc/mmc_host/mmc0/mmc0:aaaa"
EMMC = "platform/soc/219c000.mmc/mmc_host/mmc1/mmc1:0001"
ALL = ("slot-1", "slot-2", "system", "data")

FUNCTIONS = """\
say() {{ echo "$*" >> {here}/said; }}
fail() {{ echo "$*" >> {here}/said; exit 1; }}
need() {{ "$@" || fail "$*"; }}
mount() {{
    echo "$*" >> {here}/mounts
    [ -d "{here}/parts/${{5##*/}}" ] || return 1
    rmdir "$6" && ln -s "{here}/parts/${{5##*/}}" "$6"
}}
umount() {{ rm "$1" && mkdir "$1"; }}
seconds() {{ echo $((tick / 10)); }}
sleep() {{
    tick=$((tick + 1))
    [ ! -e "{here}/late/$tick" ] || mv "{here}/late/$tick"/* "$SYS/class/block/"
}}
"""
BOOTS = """\
find_candidates
choose_disk $found
mount_system $found
tell_others
echo "$DISK $(partition "$DISK" data) $tick"
"""


def tables_of(host: str) -> SlotTables:
    return plan(host, size_bytes=16 * MIB, sizes=Sizes(2, 4 * MIB, MIB, MIB))


def _called(disk: str) -> str:
    """The file in which the kernel shows what the hardware of a disk is called."""
    return "device/cid" if disk.startswith("mmcblk") else "serial"


def _partition(disk: str, number: int) -> str:
    """What the kernel calls a partition."""
    return f"{disk}p{number}" if disk[-1].isdigit() else f"{disk}{number}"


@dataclass
class Computer:
    """Disks that are plugged in, and what the firmware tells."""

    here: Path
    late: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("sys/class/block", "sys/firmware/efi/efivars", "dev", "system", "peek"):
            (self.here / name).mkdir(parents=True)

    def plug(
        self,
        disk: str,
        place: str,
        *,
        host: str = "gateway",
        names: Sequence[str] = ALL,
        serial: str = "",
        noted: str = "",
        images: Sequence[str] = IMAGES,
        after: int = 0,
    ) -> None:
        """Plug in a disk.

        Args:
            disk: what the kernel calls it.
            place: where it is, below the kernel's devices.
            host: whose tables it has.
            names: its partitions.
            serial: what its hardware is called.
            noted: what the agent noted about it.
            images: what lies on its system partition.
            after: how many tenths of a second it takes to be found.
        """
        device = self.here / "sys/devices" / place / "block" / disk
        device.mkdir(parents=True)
        (device / "uevent").write_text(f"DEVNAME={disk}\nDEVTYPE=disk\n")
        tables = tables_of(host)
        (device / "size").write_text(f"{tables.sectors}\n")
        called = _called(disk)
        (device / called).parent.mkdir(exist_ok=True)
        (device / called).write_text(serial)
        shown = self.here / ("sys/class/block" if not after else f"late/{after}")
        shown.mkdir(parents=True, exist_ok=True)
        (shown / disk).symlink_to(device)
        for number, name in enumerate(names, 1):
            part = device / _partition(disk, number)
            part.mkdir()
            (part / "partition").write_text(f"{number}\n")
            (part / "uevent").write_text(f"DEVNAME={part.name}\nPARTN={number}\nPARTNAME={name}\n")
            (shown / part.name).symlink_to(part)
            content = self.here / "parts" / part.name
            (content / "reconix").mkdir(parents=True)
            if name == "system":
                (content / "images").mkdir()
                for image in images:
                    (content / "images" / image).touch()
                if noted:
                    (content / "reconix/hardware").write_text(f"{called}:{noted}\n")
        with (self.here / "dev" / disk).open("wb") as file:
            file.truncate(tables.sectors * 512)
        with DiskFile(self.here / "dev" / disk) as opened:
            for write in tables.writes(Slot(1)):
                opened.write(write.offset, write.content)

    def loaded_from(self, host: str = "gateway", slot: int = 1) -> None:
        """Let the boot loader leave the partition that it came from."""
        guid = str(tables_of(host).slot(Slot(slot)).guid).lower()
        self.set("LoaderDevicePartUUID", LOADER, print_text(guid))

    def set(self, name: str, vendor: str, value: bytes) -> None:
        Variables(self.here / "sys/firmware/efi/efivars").set(name, vendor, value)

    def boot(self, images: Sequence[str] = IMAGES, started_from: str = "") -> str:
        """Run the script: which disk it takes, where data is, how many tenths it waited."""
        setting = (
            f"SYS={self.here}/sys DEV={self.here}/dev SYSTEM={self.here}/system "
            f"PEEK={self.here}/peek IMAGES={','.join(images)} FROM={started_from} tick=0 DISK=\n"
        )
        script = DISK_SCRIPT.read_text().replace("WAIT_SECONDS=30", "WAIT_SECONDS=6")
        text = setting + script + FUNCTIONS.format(here=self.here) + BOOTS
        disk, data, tick = run("busybox", "sh", "-c", text).decode().split()
        assert data == f"{self.here}/dev/{_partition(disk, 1 + ALL.index('data'))}"
        mounted = (self.here / "system").readlink().name
        assert mounted == _partition(disk, 1 + ALL.index("system")), "what is mounted"
        self.waited = int(tick)
        return disk

    @property
    def said(self) -> str:
        return (self.here / "said").read_text()

    @property
    def mounted(self) -> list[str]:
        """What was mounted otherwise than to look at it."""
        mounts = (self.here / "mounts").read_text().splitlines()
        return [line.split()[4].rpartition("/")[2] for line in mounts if "noload" not in line]


@pytest.fixture
def computer(tmp_path: Path, need: Callable[..., None]) -> Computer:
    need("busybox")
    return Computer(tmp_path)


def test_sectors_that_are_not_possible_are_told(computer: Computer) -> None:
    computer.plug("sda", ONBOARD, names=[])
    queue = computer.here / "sys/class/block/sda/queue"
    queue.mkdir()
    (queue / "logical_block_size").write_text("4096\n")
    with pytest.raises(CommandFailed):
        computer.boot()
    assert "sda has sectors of 4096 bytes, and must have 512" in computer.said
    assert "is the disk smaller than its image?" in computer.said
    assert not (computer.here / "mounts").exists()


PLACES = pytest.mark.parametrize("place", [EARLIER, SECOND, USB])


def test_w1_a_disk_that_knows_itself_is_not_waited_for(computer: Computer) -> None:
    computer.plug("vda", ONBOARD, serial="A", noted="A")
    computer.loaded_from()
    assert (computer.boot(), computer.waited) == ("vda", 0)
    assert not (computer.here / "said").exists()


@PLACES
def test_w1_a_card_with_data_of_somebody_is_not_touched(computer: Computer, place: str) -> None:
    computer.plug("sda", place, host="camera", names=["data"])
    computer.plug("vda", ONBOARD, serial="A", noted="A")
    computer.loaded_from()
    assert computer.boot() == "vda"
    assert computer.mounted == ["vda3"]
    assert "sda has partitions named like ours, and is not used" in computer.said


@PLACES
@pytest.mark.parametrize("names", [["system"], ALL])
def test_w1_a_foreign_system_is_not_touched(
    computer: Computer, place: str, names: Sequence[str]
) -> None:
    computer.plug("sda", place, host="other", names=names, serial="B", noted="B")
    computer.plug("vda", ONBOARD, serial="A")
    computer.loaded_from()
    assert computer.boot() == "vda"
    assert computer.mounted == ["vda3"]


@PLACES
def test_w1_what_u_boot_has_started_from_counts_as_what_a_loader_leaves(
    computer: Computer, place: str
) -> None:
    computer.plug("sda", place, host="other", serial="B", noted="B")
    computer.plug("vda", ONBOARD, serial="A", images=[])
    guid = str(tables_of("gateway").slot(Slot(2)).guid).lower()
    assert computer.boot(started_from=guid) == "vda"


FROM = str(tables_of("gateway").slot(Slot(1)).guid).lower()


@pytest.mark.parametrize("noted", ["E", ""], ids=["a copy", "the image of the host"])
def test_w1_a_card_beside_the_emmc_of_the_device_is_left_alone(
    computer: Computer, noted: str
) -> None:
    """U-Boot looks at cards first, and starts what both have."""
    computer.plug("mmcblk0", CARD, serial="C", noted=noted)
    computer.plug("mmcblk1", EMMC, serial="E", noted="E")
    computer.plug("mmcblk1boot0", f"{EMMC}/block/mmcblk1", names=[])
    assert computer.boot(started_from=FROM) == "mmcblk1"
    assert computer.mounted == ["mmcblk1p3"]
    assert "mmcblk1 is taken: only its note names its own hardware" in computer.said
    assert "mmcblk0 has partitions named like ours, and is not used" in computer.said


def test_w1_a_card_beside_an_emmc_that_lacks_its_system_is_what_booted(
    computer: Computer,
) -> None:
    computer.plug("mmcblk0", CARD, serial="C")
    computer.plug("mmcblk1", EMMC, serial="E", noted="E", images=OTHERS)
    assert computer.boot(started_from=FROM) == "mmcblk0"
    assert computer.mounted == ["mmcblk0p3"]


def test_w1_of_a_card_and_an_emmc_that_are_new_both_the_first_is_taken(
    computer: Computer,
) -> None:
    computer.plug("mmcblk1", EMMC, serial="E")
    computer.plug("mmcblk0", CARD, serial="C")
    assert computer.boot(started_from=FROM) == "mmcblk0"
    assert "mmcblk0 is taken: it comes first" in computer.said


@PLACES
@pytest.mark.parametrize("noted", ["A", ""], ids=["a copy", "the image of the host"])
def test_w1_a_copy_is_told_from_the_disk_by_its_hardware(
    computer: Computer, place: str, noted: str
) -> None:
    computer.plug("sda", place, serial="B", noted=noted)
    computer.plug("vda", ONBOARD, serial="A", noted="A")
    computer.loaded_from()
    assert computer.boot() == "vda"
    assert computer.mounted == ["vda3"]
    assert "vda is taken: only its note names its own hardware" in computer.said


def test_w1_a_copy_that_alone_has_the_system_that_was_loaded_is_what_booted(
    computer: Computer,
) -> None:
    computer.plug("vda", ONBOARD, serial="A", noted="A", images=OTHERS)
    computer.plug("sda", USB, serial="B", noted="A")
    computer.loaded_from()
    assert computer.boot() == "sda"
    assert computer.mounted == ["sda3"]


@pytest.mark.parametrize("late", ["vda", "sda"])
def test_w1_a_disk_that_comes_later_is_considered(computer: Computer, late: str) -> None:
    after = {late: 20}
    computer.plug("sda", USB, serial="B", noted="A", after=after.get("sda", 0))
    computer.plug("vda", ONBOARD, serial="A", noted="A", after=after.get("vda", 0))
    computer.loaded_from()
    assert computer.boot() == "vda"
    assert computer.waited < 60


def test_w1_the_first_boot_waits_a_little_for_a_second_disk(computer: Computer) -> None:
    computer.plug("vda", ONBOARD, serial="A")
    computer.loaded_from()
    assert (computer.boot(), computer.waited) == ("vda", 30)


@pytest.mark.parametrize(("device", "taken"), [("03", "vda"), ("04", "vdb")])
def test_w1_what_hardware_does_not_tell_the_firmware_may(
    computer: Computer, device: str, taken: str
) -> None:
    computer.plug("vda", ONBOARD)
    computer.plug("vdb", SECOND)
    computer.loaded_from()
    root, pci = "02010c00d041030a00000000", f"0101060000{device}"
    computer.set("BootCurrent", GLOBAL, b"\x0a\0")
    option = b"\1\0\0\0\x16\0" + print_text("disk") + bytes.fromhex(f"{root}{pci}7fff0400")
    computer.set("Boot000A", GLOBAL, option)
    assert computer.boot() == taken
    assert "the firmware says that it started from it" in computer.said


@pytest.mark.parametrize(("places", "taken"), [((ONBOARD, SECOND), "vda"), ((USB, ONBOARD), "vdb")])
def test_w1_what_nothing_tells_is_decided_by_where_it_is(
    computer: Computer, places: tuple[str, str], taken: str
) -> None:
    for disk, place in zip(("vda", "vdb"), places, strict=True):
        computer.plug(disk, place)
    computer.loaded_from()
    assert computer.boot() == taken
    assert f"{taken} is taken: it comes first" in computer.said


@PLACES
def test_w1_without_a_word_of_the_loader_the_disk_has_the_system(
    computer: Computer, place: str
) -> None:
    computer.plug("sda", place, host="other", images=OTHERS)
    computer.plug("vda", ONBOARD, after=10)
    assert computer.boot() == "vda"
    assert computer.mounted == ["vda3"]


def test_w1_a_loader_from_a_disk_that_is_not_here_leaves_the_one_that_has_the_system(
    computer: Computer,
) -> None:
    computer.plug("sda", USB, host="other", images=OTHERS)
    computer.plug("vda", ONBOARD)
    computer.loaded_from("rescue-stick")
    assert computer.boot() == "vda"
    assert computer.mounted == ["vda3"]


@pytest.mark.parametrize("damaged", [range(1, 128), range(16 * 2048 - 320, 16 * 2048)])
def test_w1_one_damaged_table_hides_no_disk(computer: Computer, damaged: range) -> None:
    computer.plug("vda", ONBOARD)
    computer.loaded_from(slot=2)
    with (computer.here / "dev/vda").open("r+b") as file:
        file.seek(damaged.start * 512)
        file.write(b"\xa5" * len(damaged) * 512)
    assert computer.boot() == "vda"
    assert computer.waited == 30, "by its tables"


def test_w1_a_disk_with_all_images_but_one_does_not_have_the_system(computer: Computer) -> None:
    computer.plug("vda", ONBOARD, images=IMAGES[:1])
    computer.plug("sda", USB)
    assert computer.boot() == "sda"
    assert computer.mounted == ["sda3"]


def test_w1_a_system_without_images_is_on_no_disk(computer: Computer) -> None:
    computer.plug("vda", ONBOARD)
    assert computer.boot(images=()) == "vda", "as it has slots"
    assert "no disk is known to be the one that booted" in computer.said
