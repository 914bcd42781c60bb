"""Programs of another architecture: they run here while a root is made, and change nothing here.

Maintainer scripts, and the Python of a root, are programs of the device. QEMU executes those of
another architecture one by one, and the kernel starts it for them if a rule of ``binfmt_misc`` says
so. Since Linux 6.7 each user namespace has rules of its own; so a build brings its rule along, in
namespaces that end with it. It needs no rights for that, and the machine keeps the rules it has.

An older kernel has one table for all, which only root of the machine writes, as the package of QEMU
does. Which of the two works is tried out with a program of a few bytes, and in an empty folder: the
interpreter must have been opened when the rule was made (flag F), as no root has it.

Source: ``Documentation/admin-guide/binfmt-misc.rst`` of Linux, ``load_binfmt_misc`` in
``fs/binfmt_misc.c``; elf(5).
Tested by ``tests/unit/build/test_emulation.py`` and ``tests/compat/test_isolation.py``.
"""

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from reconix.base import process
from reconix.base.architecture import Architecture
from reconix.base.errors import ReconixError

_OWN_RULE = """\
mount -t binfmt_misc binfmt_misc /sys && printf %s "$1" > /sys/register || exit
shift
exec "$@"
"""
"""In a mount namespace of one's own; ``/sys`` is a folder that is always there."""

_LOADED_AT = 0x400000
_SECONDS = 30.0


class NotEmulated(ReconixError):
    """Programs of a device cannot be run on this machine."""

    exit_code = 60

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(
            f"programs of {architecture.value} do not run here, and packages of it have some",
            hint=f"apt install {PACKAGE}; a kernel before 6.7 also needs its rule, with flag F, "
            f"which the package makes at boot or with: systemctl restart systemd-binfmt",
        )


PACKAGE = "qemu-user-static"


def interpreter(architecture: Architecture) -> str:
    """The program that executes those of an architecture."""
    return f"qemu-{architecture.qemu}-static"


@cache
def own_rule(architecture: Architecture) -> tuple[str, ...]:
    """The words before a command that let it start programs of an architecture.

    They are for a user namespace and a mount namespace that were made for it. Empty if it is the
    architecture of this machine.

    Raises:
        NotEmulated: there is no way.
    """
    if architecture.is_of_this_machine:
        return ()
    for words in (*_words(architecture), ()):
        if _works(words, architecture):
            return (*words, "env", *environment(architecture))
    raise NotEmulated(architecture)


def environment(architecture: Architecture) -> tuple[str, ...]:
    """What programs of an architecture shall find in their environment: ``NAME=value``."""
    if architecture.is_of_this_machine:
        return ()
    return (f"QEMU_CPU={architecture.emulated_processor}",)


def _words(architecture: Architecture) -> Sequence[tuple[str, ...]]:
    program = process.find(interpreter(architecture))
    return () if program is None else [("sh", "-c", _OWN_RULE, "sh", rule(architecture, program))]


def rule(architecture: Architecture, program: Path) -> str:
    r"""What is written into ``register``; the kernel reads ``\x`` itself.

    Position-independent programs are as good as others: the lowest bit of the type is not compared.
    Flags: P, programs are told how they were called; O, they may be readable by none; C, set-id
    bits count; F, the interpreter is opened now.
    """
    header = _Elf(architecture).header()[:20]
    magic, mask = bytearray(header), bytearray(b"\xff" * len(header))
    mask[7], mask[16] = 0, 0xFE  # byte 7: the operating system that it was made for
    texts = ("".join(f"\\x{byte:02x}" for byte in each) for each in (magic, mask))
    return f":reconix:M::{':'.join(texts)}:{program}:FPC"


def _works(words: Sequence[str], architecture: Architecture) -> bool:
    """Whether a program that only ends itself does so, in a root that has nothing else."""
    with tempfile.TemporaryDirectory(prefix="reconix-probe-") as folder:
        probe = Path(folder, "probe")
        probe.write_bytes(smallest_program(architecture))
        probe.chmod(0o755)
        namespaces = ("unshare", "--user", "--map-root-user", "--mount", "--")
        return process.succeeds(
            *namespaces, *words, "chroot", folder, "/probe", timeout_seconds=_SECONDS
        )


def smallest_program(architecture: Architecture) -> bytes:
    """One that ends with status 0."""
    return _Elf(architecture).program(architecture.exit_code)


class _Elf:
    """Programs of one segment and nothing else, little endian.

    Source: elf(5), ``Elf32_Ehdr``, ``Elf64_Ehdr``, ``Elf32_Phdr``, ``Elf64_Phdr``.
    """

    def __init__(self, architecture: Architecture) -> None:
        self._machine, self._is_64 = architecture.elf_machine, architecture.elf_bits == 64
        self._word = architecture.elf_bits // 8
        self._header_bytes, self._segment_bytes = (64, 56) if self._is_64 else (52, 32)

    def header(self) -> bytes:
        entry = _LOADED_AT + self._header_bytes + self._segment_bytes
        fields = [
            *((2, 2), (self._machine, 2), (1, 4)),
            *((entry, self._word), (self._header_bytes, self._word), (0, self._word)),
            *((0, 4), (self._header_bytes, 2), (self._segment_bytes, 2), (1, 2)),
            *((0, 2), (0, 2), (0, 2)),
        ]
        kind = 2 if self._is_64 else 1
        return bytes((*b"\x7fELF", kind, 1, 1)).ljust(16, b"\0") + _little(fields)

    def program(self, code: bytes) -> bytes:
        size = self._header_bytes + self._segment_bytes + len(code)
        places = [(value, self._word) for value in (0, _LOADED_AT, _LOADED_AT, size, size)]
        flags = (5, 4)
        segment = [(1, 4), flags, *places] if self._is_64 else [(1, 4), *places, flags]
        return self.header() + _little([*segment, (1 << 16, self._word)]) + code


def _little(fields: Sequence[tuple[int, int]]) -> bytes:
    """Numbers with their sizes in bytes."""
    return b"".join(value.to_bytes(size, "little") for value, size in fields)
