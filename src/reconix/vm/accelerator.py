"""Checking whether KVM really works here.

A machine may offer ``/dev/kvm`` and still not be able to run a guest: inside some virtual machines
KVM takes over instructions that it cannot do, and the guest stops with "emulation failure" in the
middle of a boot. So we ask it: a boot sector of our own enters 64-bit mode, adds a million numbers
twice, once in a general and once in a vector register, and if both sums agree it writes 42 to a
debugging port, which ends QEMU with status 85. Anything else (another status, no end within
seconds) means that every instruction is emulated instead (TCG): slow, but it always works.

The answer is kept until the machine is restarted.

Tested by ``tests/compat/test_accelerator.py``, which runs the boot sector emulated.
"""

import tempfile
from pathlib import Path

from reconix.base.files import write_durably
from reconix.base.process import CommandFailed, run
from reconix.vm.hardware import PC, Hardware
from reconix.vm.qemu import EMULATED_PROCESSOR, PROGRAM, Accelerator

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_KVM = Path("/dev/kvm")
_PROBE_SECONDS = 3.0
_DISK_BYTES = 1 << 20  # SeaBIOS does not start from a disk of one sector
_PASSED = 85  # isa-debug-exit: the value that was written, 42, times two plus one

_BOOT_SECTOR = bytes.fromhex(
    "fa"  # cli
    "31c0 8ed8 8ec0 8ed0"  # ds = es = ss = 0
    "bc0070"  # sp = 0x7000
    "bf0010 6631c0 b9000c fc 66f3ab"  # clear 0x1000..0x3fff: three page tables
    "66c706001003200000"  # PML4[0] = 0x2000, present, writable
    "66c706002003300000"  # PDPT[0] = 0x3000, present, writable
    "66c706003083000000"  # PD[0] = the first 2 MiB, present, writable
    "660f0116b87c"  # lgdt [0x7cb8]
    "66b800100000 0f22d8"  # cr3 = 0x1000
    "66b820060000 0f22e0"  # cr4 = PAE, OSFXSR, OSXMMEXCPT
    "66b9800000c0 0f32 0d0001 0f30"  # EFER |= long mode
    "0f20c0 660d01000080 24fb 0c02 0f22c0"  # cr0 |= paging, protection, MP; no EM
    "ea6e7c0800"  # jump to 8:0x7c6e, the next instruction, now in 64-bit mode
    "b940420f00"  # ecx = 1 000 000
    "31c0 660fefc0"  # eax = 0, xmm0 = 0
    "01c8"  # again: eax += ecx
    "660f6ec9 660ffec1"  # xmm0 += ecx
    "e2f4"  # ecx -= 1, again unless 0
    "660f7ec3 39c3 7515"  # stop if the sums differ
    "3d20295a6a 750e"  # stop if it is not the sum
    "b800000000 0fa2"  # cpuid, which always leaves the guest
    "b82a000000 e7f4"  # write 42 to port 0xf4
    "f4 ebfd"  # stop: wait for ever
    "0f1f00"  # (alignment)
    "0000000000000000 00000000009a2000"  # at 0x7ca8: descriptors: none, 64-bit code
    "0f00 a87c0000"  # at 0x7cb8: size and address of the descriptors
)


def choose(cache: Path, hardware: Hardware = PC) -> Accelerator:
    """KVM if it works on this machine, otherwise TCG.

    Args:
        cache: a file that remembers the answer until the next start of this machine.
        hardware: of the guest; one that has no test is emulated.
    """
    if not _KVM.exists() or not hardware.is_probed_for_kvm:
        return Accelerator.TCG
    boot = _BOOT_ID.read_text().strip()
    if cache.is_file():
        known, _, answer = cache.read_text().strip().partition(" ")
        if known == boot and answer in {each.value for each in Accelerator}:
            return Accelerator(answer)
    found = Accelerator.KVM if works(Accelerator.KVM) else Accelerator.TCG
    cache.parent.mkdir(parents=True, exist_ok=True)
    write_durably(cache, f"{boot} {found.value}\n".encode())
    return found


def works(accelerator: Accelerator) -> bool:
    """Run the instruction test in a guest of its own; takes three seconds at most."""
    with tempfile.TemporaryDirectory(prefix="reconix-probe-") as folder:
        disk = Path(folder, "disk")
        disk.write_bytes(_disk())
        try:
            run(*_words(accelerator, disk), timeout_seconds=_PROBE_SECONDS)
        except CommandFailed as error:
            return error.status == _PASSED
    return False


def _disk() -> bytes:
    """A disk that begins with the boot sector."""
    return (_BOOT_SECTOR.ljust(510, b"\0") + b"\x55\xaa").ljust(_DISK_BYTES, b"\0")


def _words(accelerator: Accelerator, disk: Path) -> list[str]:
    processor = "host" if accelerator is Accelerator.KVM else EMULATED_PROCESSOR
    return [
        *(PROGRAM, "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot"),
        *("-machine", "q35", "-accel", accelerator.value, "-cpu", processor, "-m", "64"),
        *("-device", "isa-debug-exit,iobase=0xf4,iosize=4"),
        *("-drive", f"if=none,id=disk,format=raw,readonly=on,file={disk}"),
        *("-device", "virtio-blk-pci,drive=disk"),
    ]
