"""Architectures: what each is called by whom, and what programs of it look like.

Debian, the kernel, Nix, QEMU and UEFI have names of their own for the same processor. All of them
are here, so another architecture is one more entry, and no ``if`` anywhere.

Source: Debian Policy, section 11.1; elf(5); UEFI Specification 2.10, section 3.5.1.1.
Tested by ``tests/unit/base/test_architecture.py``.
"""

import enum
import os

from reconix.base.records import dataclass


@dataclass(frozen=True, slots=True)
class _Facts:
    machine: str
    qemu: str
    triplet: str
    uefi: str
    loader: str
    elf_bits: int
    elf_machine: int
    exit_code: bytes
    emulated_processor: str


class Architecture(enum.Enum):
    """An architecture, as Debian calls it."""

    AMD64 = "amd64"
    ARM64 = "arm64"
    ARMHF = "armhf"

    @property
    def is_of_this_machine(self) -> bool:
        """Whether programs of it run here as they are."""
        return self.machine == os.uname().machine

    @property
    def machine(self) -> str:
        """As the kernel says it, and Python's wheels: ``x86_64``."""
        return _FACTS[self].machine

    @property
    def qemu(self) -> str:
        """As programs of QEMU are called: ``qemu-system-x86_64``."""
        return _FACTS[self].qemu

    @property
    def nix_system(self) -> str:
        """As Nix says it: ``x86_64-linux``."""
        return f"{_FACTS[self].machine}-linux"

    @property
    def triplet(self) -> str:
        """The folder of its libraries: ``x86_64-linux-gnu``."""
        return _FACTS[self].triplet

    @property
    def uefi(self) -> str:
        """As names of UEFI programs end: ``x64``."""
        return _FACTS[self].uefi

    @property
    def loader(self) -> str:
        """Where the dynamic loader of the GNU C library is."""
        return _FACTS[self].loader

    @property
    def elf_bits(self) -> int:
        """How many an address has: 32 or 64."""
        return _FACTS[self].elf_bits

    @property
    def elf_machine(self) -> int:
        """``e_machine`` of its programs."""
        return _FACTS[self].elf_machine

    @property
    def emulated_processor(self) -> str:
        """One of the oldest that Debian supports, and fast to emulate, as QEMU calls it.

        Programs of Debian sign their pointers where the processor can (ARMv8.3). Emulated, that
        takes six times as long as everything else.
        """
        return _FACTS[self].emulated_processor

    @property
    def exit_code(self) -> bytes:
        """The instructions of a program that ends with status 0."""
        return _FACTS[self].exit_code


_FACTS = {
    Architecture.AMD64: _Facts(
        "x86_64",
        "x86_64",
        "x86_64-linux-gnu",
        "x64",
        "/lib64/ld-linux-x86-64.so.2",
        64,
        62,
        bytes.fromhex("b83c000000 31ff 0f05"),  # mov eax, 60; xor edi, edi; syscall
        "qemu64",
    ),
    Architecture.ARM64: _Facts(
        "aarch64",
        "aarch64",
        "aarch64-linux-gnu",
        "aa64",
        "/lib/ld-linux-aarch64.so.1",
        64,
        183,
        bytes.fromhex("a80b80d2 000080d2 010000d4"),  # mov x8, #93; mov x0, #0; svc #0
        "cortex-a57",
    ),
    Architecture.ARMHF: _Facts(
        "armv7l",
        "arm",
        "arm-linux-gnueabihf",
        "arm",
        "/lib/ld-linux-armhf.so.3",
        32,
        40,
        bytes.fromhex("0170a0e3 0000a0e3 000000ef"),  # mov r7, #1; mov r0, #0; svc #0
        "cortex-a15",
    ),
}
