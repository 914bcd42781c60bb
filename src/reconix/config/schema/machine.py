"""``machine.toml`` only: what all systems of a host share, and what it takes to start them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from reconix.base.architecture import Architecture
from reconix.base.firmware import FirmwareKind
from reconix.config.options import Form, Option, Range
from reconix.config.schema.firmware import DiskFile, OfPackage, SlotFile
from reconix.config.schema.values import (
    REST,
    Address,
    DeviceNode,
    DeviceTreeName,
    Forward,
    ForwardedPort,
    HostName,
    Interface,
    MemoryAddress,
    Name,
    OneShot,
    PublicKey,
    ScheduledHours,
    Seconds,
    Serial,
    SizeBytes,
    SizeOrRest,
)
from reconix.store.generation import Integrity

GROWING_DATA_BYTES = 64 << 20
"""The size in an image of a partition that grows."""
BOARDS = Path(__file__).parents[1] / "boards"
"""A file for each board that we know."""
_BOARDS = sorted(file.stem for file in BOARDS.glob("*.toml"))
BoardName = Annotated[str, Form(f"a board: {' or '.join(_BOARDS)}", "|".join(_BOARDS))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """How the device starts."""

    firmware: Annotated[
        FirmwareKind,
        Option(
            "Firmware that starts the device. It decides what a slot holds, how the disk selects "
            "one, and how the next boot is asked for: with `u-boot`, in a partition `control`. A "
            "disk must have been made with the same setting; no update can change it.",
            '"u-boot"',
            "when the board starts in another way",
        ),
    ] = FirmwareKind.UEFI
    load_base: Annotated[
        MemoryAddress | None,
        Option(
            "Address in memory from which U-Boot may load things: a kernel at 2 MiB after it, "
            "then its initrd. Nothing else may lie there, U-Boot itself included.",
            '"0x41000000"',
            "when the firmware is U-Boot and no board says it",
        ),
    ] = None
    device_tree: Annotated[
        DeviceTreeName | None,
        Option(
            "The description of the board, a file in the package of the kernel below "
            "`/usr/lib/linux-image-VERSION`. Without one the kernel gets that of the firmware.",
            '"broadcom/bcm2711-rpi-4-b.dtb"',
            "when the firmware has none, or an older one than the kernel, and no board says it",
        ),
    ] = None
    device_tree_overlays: Annotated[
        tuple[Path, ...],
        Option(
            "Files that change the device tree when it is built, in this order: compiled "
            "(`.dtbo`), or text (`.dts`, `.dtso`).",
            '["hat.dtso"]',
            "when something is connected to the board that its description does not have",
        ),
    ] = ()
    disk: Annotated[
        DeviceNode | None,
        Option(
            "What of the device tree the disk is connected to: an alias, or the path of a node. "
            "The modules that it needs, and all that it waits for, get into the initrd.",
            '"mmc1"',
            "when `boot.device_tree` is set and the drivers of the disk are modules",
        ),
    ] = None
    firmware_files: Annotated[
        tuple[DiskFile, ...],
        Option(
            "Loaders that the board reads from fixed places of the disk, outside of partitions. "
            "They are written with the image and never by an update.",
            '[{ package = "u-boot-imx", member = "usr/lib/u-boot/mx6qsabrelite/u-boot-dtb.imx", '
            'offset = "1K" }]',
            "when the board has no loader in a memory of its own, and no board says it",
        ),
    ] = ()
    slot_files: Annotated[
        tuple[SlotFile, ...],
        Option(
            "Files that the firmware of the board reads in a boot partition. Updates bring them, "
            "as all that is there.",
            '[{ text = "arm_64bit=1\\n", path = "config.txt" }]',
            "when the firmware needs some, as that of a Raspberry Pi does",
        ),
    ] = ()
    one_shot: Annotated[
        OneShot,
        Option(
            "What records that the next boot is a trial. `disk` needs no firmware variable, and "
            "guarantees less: the device does not recover by itself from a kernel or an initrd "
            "that does not start.",
            '"disk"',
            "when the firmware stores no variables, or loses them",
        ),
    ] = OneShot.FIRMWARE
    slots: Annotated[
        Annotated[int, Range(2, 8)],
        Option(
            "Number of boot partitions; one is in use and one takes the next generation, more "
            "keep older generations bootable.",
            "3",
            "to keep older generations bootable, at the price of a slot each",
        ),
    ] = 2
    slot_size: Annotated[
        SizeBytes,
        Option(
            "Size of each boot partition; kernels and initrds must fit.",
            '"128M"',
            "when kernels and initrds of all systems need more, or the disk is small",
        ),
    ] = 64 << 20
    default: Annotated[
        Name,
        Option(
            "The protected system: started unless another one is chosen, and when another one "
            "fails.",
            '"maintenance"',
            "when the protected system has a better name",
        ),
    ] = "default"

    @property
    def firmware_packages(self) -> tuple[str, ...]:
        """The packages that have files for the firmware, sorted."""
        wanted = (*self.firmware_files, *self.slot_files)
        return tuple(sorted({each.package for each in wanted if isinstance(each, OfPackage)}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """How large the parts of the disk are, and how it is looked after."""

    system_size: Annotated[
        SizeBytes,
        Option(
            "Size of the partition for the store; two generations must fit.",
            '"4G"',
            "when two generations need more; sizes cannot grow on devices in the field",
        ),
    ] = 1 << 30
    data_size: Annotated[
        SizeOrRest,
        Option(
            'Size of the partition for what persists. `"rest"`: the image has a small one, and the '
            "device lets it grow to the end of its disk when it is first started.",
            '"1G"',
            "when the device keeps more than settings, such as recordings",
        ),
    ] = 256 << 20
    size: Annotated[
        SizeBytes | None,
        Option(
            "Size of the whole disk; by default, what the partitions need.",
            '"8G"',
            "when the image must fit a certain disk exactly",
        ),
    ] = None
    reserved: Annotated[
        SizeBytes,
        Option(
            "Room at the beginning of the disk for loaders of the board, in whole MiB; tables and "
            "partitions come after it. No update can change it.",
            '"16M"',
            "when `boot.firmware_files` would lie over the tables",
        ),
    ] = 0
    scrub: Annotated[
        SizeBytes,
        Option(
            "How much of what is installed the device reads each hour and compares with what it "
            'was given; `status` tells what is damaged. `"0"`: nothing.',
            '"16M"',
            "when reading costs more, or less, than finding damage late",
        ),
    ] = 64 << 20
    integrity: Annotated[
        Integrity,
        Option(
            "Who compares files with their hashes when they are read: with `verity` it is the "
            "kernel, and a file that was altered on the disk is an error, never wrong content. "
            "It needs an image of this setting on the disk; no update can bring it.",
            '"verity"',
            "when a worn or failing disk must not feed wrong content to programs",
        ),
    ] = Integrity.NONE
    compress: Annotated[
        bool,
        Option(
            "Whether the files of a disk image are compressed: one pack, which takes about half of "
            "the room. Files of updates are not. The pack stays until no file in it is needed, so "
            "`system_size` must hold it beside two generations.",
            "true",
            "when the disk is small, and slower reading matters less",
        ),
    ] = False

    @property
    def data_grows(self) -> bool:
        """Whether ``data`` takes on the device what is left of its disk."""
        return self.data_size == REST

    @property
    def new_data_size(self) -> int:
        """The size of ``data`` in the image; at least, if it grows."""
        return GROWING_DATA_BYTES if self.data_grows else self.data_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How `reconix run` starts the device in QEMU."""

    memory: Annotated[
        SizeBytes,
        Option(
            "Memory of the virtual machine.",
            '"512M"',
            "to try whether the device's own memory is enough",
        ),
    ] = 512 << 20
    cores: Annotated[
        Annotated[int, Range(1, 64)],
        Option(
            "Processors of the virtual machine; without KVM it has one.",
            "4",
            "to try what the device does with as many as it has",
        ),
    ] = 2
    forward: Annotated[
        tuple[ForwardedPort, ...],
        Option(
            "Ports of the device to forward from 127.0.0.1: a name, the port on the device and, if "
            "it must be a certain one, the local port. `reconix run` logs in through `ssh`.",
            '["ssh:22", "mqtt:1883", "http:80:8080"]',
            "to reach the services of the device from here",
        ),
    ] = (Forward("ssh", 22),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Which system runs when, by the clock of the device and in its time zone."""

    hours: Annotated[
        tuple[ScheduledHours, ...],
        Option(
            "Systems and the hours in which they run; hours of two systems must not overlap.",
            '["mqtt 06:00-22:00"]',
            "when the device has different jobs at different times",
        ),
    ] = ()
    otherwise: Annotated[
        Name | None,
        Option(
            "System that runs at all other times; by default, the default system.",
            '"web"',
            "when the default system is kept for maintenance",
        ),
    ] = None
    confirm_within: Annotated[
        Seconds | None,
        Option(
            "How long a system other than the default one runs without `reconix-device confirm`; "
            "then the default system takes over, and the schedule rests until its next change.",
            '"30min"',
            "when someone or something must keep confirming that the system does its job",
        ),
    ] = None

    @property
    def is_set(self) -> bool:
        """Whether there is one."""
        return bool(self.hours) or self.otherwise is not None or self.confirm_within is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What one device of the host has of its own; the generation is the same for all."""

    hostname: Annotated[
        HostName | None,
        Option(
            "Name of this device on the network; by default, that of the host.",
            '"gateway-0001"',
            "when devices of one kind must be told apart",
        ),
    ] = None
    address: Annotated[
        Mapping[Interface, Address],
        Option(
            "Static addresses that replace those of a network, by the name of its table.",
            '{ lan = "192.0.2.11/24" }',
            "when addresses are assigned by hand",
        ),
    ] = field(default_factory=dict)
    authorized_keys: Annotated[
        tuple[PublicKey, ...],
        Option(
            "Additional public keys that may log in to this device, as any user who has keys.",
            '["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 site@home"]',
            "when someone maintains this device and no other",
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A device: what exists once, whichever system runs. Written in `machine.toml`."""

    hostname: Annotated[
        HostName | None,
        Option(
            "Name of the device on the network; by default, that of the host's folder.",
            '"gateway"',
            "when the folder has another name than the device on the network",
        ),
    ] = None
    board: Annotated[
        BoardName | None,
        Option(
            "The hardware. It sets architecture, kernel, the modules of the disk, the console and "
            "the size of slots by default; what is written here or in a system counts more, and "
            "lists add.",
            '"qemu-arm64-uefi"',
            "when the hardware is a board that is known; `docs/boards` has a page for each",
        ),
    ] = None
    architecture: Annotated[
        Architecture | None,
        Option(
            "Architecture of the processor; by default, that of the board or else the project.",
            '"arm64"',
            "when this host has another processor than most",
        ),
    ] = None
    boot: Boot = field(default_factory=Boot)
    disk: Disk = field(default_factory=Disk)
    run: Run = field(default_factory=Run)
    schedule: Schedule = field(default_factory=Schedule)
    devices: Annotated[
        Mapping[Serial, Device],
        Option(
            "Devices of this host, by serial number, and what each has of its own. It is written "
            "by `reconix image --device`, signed; the generation does not contain it.",
            '{ GW-0001 = { hostname = "gateway-0001" } }',
            "when several devices share one host, and so one generation and one stream",
        ),
    ] = field(default_factory=dict)
