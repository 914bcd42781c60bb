"""The computers that a virtual device can be: a chipset, a processor and its firmware.

A board names one of them (``qemu`` in its file), or none: then it is real hardware that QEMU does
not have. All have PCI, so the disk, the network card and the watchdog are the same everywhere.

    pc-q35             x86-64, chipset q35, OVMF
    virt-arm64         the board ``virt`` of QEMU with a Cortex-A57, AAVMF; console ``ttyAMA0``
    virt-arm64-u-boot  the same board with U-Boot, which keeps no variables

Source: QEMU manual, *i440fx/q35 PC*, *'virt' generic virtual platform*; seen with QEMU 7.2.
Tested by ``tests/unit/vm/test_qemu.py`` and, by booting, ``tests/vm``.
"""

from dataclasses import dataclass, replace

Pairs = tuple[tuple[str, str | None], ...]
"""Code of a firmware and the template of its variables, of the same build each; without a template
it keeps none, and is all of the computer's flash."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """A computer that QEMU has.

    Attributes:
        name: as boards say it.
        program: of QEMU.
        machine: what ``-machine`` says.
        emulated_processor: what ``-cpu`` says where every instruction is emulated.
        firmware: where distributions keep it; Debian's first.
        firmware_package: brings it.
        is_probed_for_kvm: whether there is a test of KVM for it (``accelerator.py``).
    """

    name: str
    program: str
    machine: str
    emulated_processor: str
    firmware: Pairs
    firmware_package: str
    is_probed_for_kvm: bool


PC = Hardware(
    "pc-q35",
    "qemu-system-x86_64",
    "q35,sata=off,smbus=off,vmport=off",
    # x86-64-v2, and of no maker whose faults a kernel works around: a boot takes a fifth less time
    # than with ``Nehalem`` and a third less than with ``max``. Without virtualisation of its own,
    # which costs a guest time and gives it nothing.
    "qemu64,-svm,+ssse3,+sse4.1,+sse4.2,+popcnt",
    (
        ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
        ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
        ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
        ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ),
    "ovmf",
    is_probed_for_kvm=True,
)

VIRT_ARM64 = Hardware(
    "virt-arm64",
    "qemu-system-aarch64",
    "virt",
    # ``max`` takes four times as long: it signs pointers (ARMv8.3), which is slow to emulate.
    "cortex-a57",
    (
        ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
        ("/usr/share/edk2/aarch64/QEMU_CODE.fd", "/usr/share/edk2/aarch64/QEMU_VARS.fd"),
    ),
    "qemu-efi-aarch64",
    is_probed_for_kvm=False,
)

VIRT_ARM64_U_BOOT = replace(
    VIRT_ARM64,
    name="virt-arm64-u-boot",
    firmware=(("/usr/lib/u-boot/qemu_arm64/u-boot.bin", None),),
    firmware_package="u-boot-qemu",
)

ALL = {each.name: each for each in (PC, VIRT_ARM64, VIRT_ARM64_U_BOOT)}
"""By name."""
