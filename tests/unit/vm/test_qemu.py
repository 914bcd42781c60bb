import os
from dataclasses import replace
from pathlib import Path

import pytest

from reconix.base.errors import UsageError
from reconix.vm.hardware import VIRT_ARM64, VIRT_ARM64_U_BOOT
from reconix.vm.qemu import (
    Accelerator,
    Disk,
    DiskFormat,
    Ends,
    Firmware,
    Forward,
    Guest,
    command_line,
)

DATA = Path(__file__).parents[2] / "data" / "vm"
FIRMWARE = Firmware(Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("work/variables.fd"))
GUEST = Guest(FIRMWARE, disks=(Disk(Path("work/disk.img")),))
RICH = Guest(
    FIRMWARE,
    disks=(Disk(Path("a,b.qcow2"), DiskFormat.QCOW2), Disk(Path("second.img"), serial="QM0002")),
    forwards=(Forward(22, 2222), Forward(1883)),
    memory_mib=1024,
    cores=4,
    watchdog=True,
    restarts=False,
    clock="2106-03-01T00:00:00",
    parameters=("trace_buf_size=4M", "kprobe_event=p:a,b"),
    memory=Path("work/memo,ry"),
)
U_BOOT = replace(
    GUEST,
    firmware=Firmware(Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin"), None),
    hardware=VIRT_ARM64_U_BOOT,
    disks=(Disk(Path("disk"), is_protected=True),),
)
ENDS = Ends(Path("work/console.log"), terminal=False, monitor=Path("/tmp/vm/monitor"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plain", command_line(GUEST, Accelerator.TCG, ENDS)),
        ("arm64", command_line(replace(GUEST, hardware=VIRT_ARM64), Accelerator.TCG, ENDS)),
        ("u-boot", command_line(U_BOOT, Accelerator.TCG, ENDS)),
        ("rich", command_line(RICH, Accelerator.KVM, replace(ENDS, terminal=True))),
    ],
)
def test_command_line_is_the_golden_one(name: str, words: list[str]) -> None:
    golden = DATA / f"qemu-{name}.txt"
    text = "".join(f"{word}\n" for word in words)
    if os.environ.get("ACCEPT"):
        golden.write_text(text)
    assert text == golden.read_text()


def test_ports_are_open_on_this_machine_only() -> None:
    words = command_line(RICH, Accelerator.TCG, ENDS)
    forwards = [part for word in words for part in word.split(",") if part.startswith("hostfwd=")]
    assert len(forwards) == 2
    assert all(forward.startswith("hostfwd=tcp:127.0.0.1:") for forward in forwards)


@pytest.mark.parametrize(("guest_port", "host_port"), [(0, 1), (22, 65536), (65536, 0), (22, -1)])
def test_a_port_that_does_not_exist_is_refused(guest_port: int, host_port: int) -> None:
    with pytest.raises(UsageError):
        Forward(guest_port, host_port)


def test_a_guest_without_a_core_is_refused() -> None:
    with pytest.raises(UsageError):
        replace(GUEST, cores=0)
