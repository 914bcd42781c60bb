"""The command line of QEMU, computed from a description.

What a virtual device is made of is a value (``Guest``), and its command line is a pure function of
it. So a test can compare it word by word, and nothing about a guest depends on the machine that
happens to run it.

The guest is a small computer (``hardware.py``): firmware, with UEFI a variable store of its own,
where ``BootNext`` lives; a virtio disk, a virtio network card behind QEMU's user network. No boot
order is passed in: which disk entry is started is decided by the firmware's own variables, as on a
real device. The network has no way in but the forwarded ports, and these listen on 127.0.0.1 only.

Tested by ``tests/unit/vm/test_qemu.py`` and, by booting, ``tests/compat/test_ovmf.py``.
"""

import enum
from dataclasses import dataclass
from pathlib import Path

from reconix.base.errors import UsageError
from reconix.vm.hardware import PC, Hardware

PROGRAM = PC.program
EMULATED_PROCESSOR = PC.emulated_processor

EMULATED_CORES = 1
"""An emulated guest has one core, whatever it should have. With a thread for each core QEMU 7.2
runs code that another core has just changed: a kernel that patches itself (static keys) met a
breakpoint that was gone already, in one of 7 starts (``Oops: int3``, or a hang at a restart). With
one thread for all, the idle cores of the firmware wait actively and take the time of the other."""

TRANSLATED_MIB = 128
"""How much translated code QEMU keeps before it drops all of it; by default 1 GiB, and a restart of
the guest drops nothing. As long as there is code of a page, each write to that page searches all of
it. Firmware unpacks itself, byte by byte, over the kernel that ran before: the more the guest had
run, the longer that took, up to minutes. Less than this, and much is translated again and again.
Seen with QEMU 7.2, ``page_collection_lock`` in ``accel/tcg/translate-all.c``."""


class Accelerator(enum.Enum):
    """How guest instructions are executed."""

    KVM = "kvm"
    TCG = "tcg"


class DiskFormat(enum.Enum):
    """How the bytes of a disk are kept in its file."""

    RAW = "raw"
    QCOW2 = "qcow2"


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk of the guest."""

    path: Path
    format: DiskFormat = DiskFormat.RAW
    serial: str = ""  # what its hardware is called; without it: disk0, disk1, …
    is_protected: bool = False  # True: the guest cannot write it


@dataclass(frozen=True, slots=True)
class Forward:
    """A TCP port of the guest that can be reached on this machine."""

    guest_port: int
    host_port: int = 0  # 0: QEMU takes a free one, ask ``Machine.port``

    def __post_init__(self) -> None:
        if not 0 < self.guest_port < 1 << 16 or not 0 <= self.host_port < 1 << 16:
            raise UsageError(
                f"cannot forward port {self.host_port} to {self.guest_port}",
                hint="a port is a number from 1 to 65535",
            )


@dataclass(frozen=True, slots=True)
class Firmware:
    """Firmware: its code, shared and read only, and the variables of this one device, if any."""

    code: Path
    variables: Path | None
    is_protected: bool = False  # True: nothing can write the variables


@dataclass(frozen=True, slots=True)
class Guest:
    """A virtual device."""

    firmware: Firmware
    disks: tuple[Disk, ...] = ()
    forwards: tuple[Forward, ...] = (Forward(22),)
    memory_mib: int = 512
    cores: int = 2
    watchdog: bool = False
    restarts: bool = True  # False: a restart of the guest ends QEMU
    clock: str | None = None  # what its clock says at the start: 1970-01-01T00:00:00
    hardware: Hardware = PC
    parameters: tuple[str, ...] = ()  # for kernels that systemd-boot starts, besides their own
    memory: Path | None = None  # has its memory; then it stands still instead of a restart or end

    def __post_init__(self) -> None:
        if self.memory_mib < 64 or self.cores < 1:
            raise UsageError(
                f"a guest cannot have {self.memory_mib} MiB and {self.cores} cores",
                hint="it needs 64 MiB and one core at least",
            )


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the host's side of a running guest is."""

    console_log: Path
    terminal: bool  # the console is also the terminal that we run in
    monitor: Path


def command_line(guest: Guest, accelerator: Accelerator, ends: Ends) -> list[str]:
    """All words of the command, the program first.

    Source: QEMU manual, *Invocation*; checked with QEMU 7.2.
    """
    return [
        *(guest.hardware.program, "-no-user-config", "-nodefaults", "-display", "none"),
        *_machine(guest),
        *_processor(guest, accelerator),
        *_firmware(guest.firmware),
        *("-device", "virtio-rng-pci"),
        *(word for index, disk in enumerate(guest.disks) for word in _disk(index, disk)),
        *_network(guest.forwards),
        *_console(ends),
        *("-chardev", f"socket,id=monitor,path={_escaped(ends.monitor)},server=on,wait=off"),
        *("-mon", "chardev=monitor,mode=control"),
        *(("-device", "i6300esb", "-action", "watchdog=reset") if guest.watchdog else ()),
        *(() if guest.restarts else ("-no-reboot",)),
        *(("-rtc", f"base={guest.clock}") if guest.clock else ()),
        *_parameters(guest.parameters),
    ]


def _machine(guest: Guest) -> list[str]:
    """The computer, and its memory where that is to be read."""
    if guest.memory is None:
        return ["-machine", guest.hardware.machine]
    file = f"size={guest.memory_mib}M,mem-path={_escaped(guest.memory)},share=on"
    return [
        *("-machine", f"{guest.hardware.machine},memory-backend=memory"),
        *("-object", f"memory-backend-file,id=memory,{file}"),
        *("-action", "reboot=shutdown,shutdown=pause"),
    ]


def _parameters(parameters: tuple[str, ...]) -> list[str]:
    """What systemd-boot adds to the command line of a kernel, wherever that comes from.

    Source: systemd-boot(7), *SMBIOS Type 11 Strings*; since systemd 254.
    """
    if not parameters:
        return []
    words = _escaped(" ".join(parameters))
    return ["-smbios", f"type=11,value=io.systemd.boot.kernel-cmdline-extra={words}"]


def _escaped(path: Path | str) -> str:
    """A path, or words, inside a list of options, where a comma is written twice."""
    return str(path).replace(",", ",,")


def _processor(guest: Guest, accelerator: Accelerator) -> list[str]:
    if accelerator is Accelerator.KVM:
        how, cores = ["-accel", "kvm", "-cpu", "host"], guest.cores
    else:
        processor = guest.hardware.emulated_processor
        how = ["-accel", f"tcg,tb-size={TRANSLATED_MIB}", "-cpu", processor]
        cores = EMULATED_CORES
    return [*how, "-smp", str(cores), "-m", str(guest.memory_mib)]


def _firmware(firmware: Firmware) -> list[str]:
    if firmware.variables is None:
        return ["-bios", str(firmware.code)]
    code, variables = _escaped(firmware.code), _escaped(firmware.variables)
    protected = "readonly=on," if firmware.is_protected else ""
    return [
        *("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}"),
        *("-drive", f"if=pflash,unit=1,format=raw,{protected}file={variables}"),
    ]


def _disk(index: int, disk: Disk) -> list[str]:
    name = f"disk{index}"
    protected = "readonly=on," if disk.is_protected else ""
    source = f"{protected}format={disk.format.value},file={_escaped(disk.path)}"
    return [
        *("-drive", f"if=none,id={name},discard=unmap,{source}"),
        *("-device", f"virtio-blk-pci,drive={name},serial={disk.serial or name}"),
    ]


def _network(forwards: tuple[Forward, ...]) -> list[str]:
    """A user network; the card has no boot ROM, nothing is ever booted from it."""
    ports = "".join(
        f",hostfwd=tcp:127.0.0.1:{forward.host_port}-:{forward.guest_port}" for forward in forwards
    )
    return [
        *("-netdev", f"user,id=network{ports}"),
        *("-device", "virtio-net-pci,netdev=network,romfile="),
    ]


def _console(ends: Ends) -> list[str]:
    log = f"logfile={_escaped(ends.console_log)},logappend=on"
    kind = "stdio,id=console,mux=on,signal=off" if ends.terminal else "null,id=console"
    return ["-chardev", f"{kind},{log}", "-serial", "chardev:console"]
