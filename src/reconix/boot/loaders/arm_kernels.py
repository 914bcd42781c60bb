"""How much memory a kernel for Arm takes when it runs, which is more than its file.

U-Boot has a command for each of two forms, and a header of the kernel says what it will take:

    booti   64-bit Arm, ``Image``: bytes 16-23 say how much, from where it lies
    bootz   32-bit Arm, ``zImage``: it unpacks itself to the beginning of the 128 MiB that it lies
            in; a tag says how large it is then

So a build knows where the next thing may lie, and nothing overlaps.

Source: Linux, ``Documentation/arch/arm64/booting.rst``, *Call the kernel image*;
``Documentation/arch/arm/booting.rst``; ``arch/arm/boot/compressed/head.S`` (the magic numbers) and
``vmlinux.lds.S`` (the table of tags, and the tag of the size).
Tested by ``tests/unit/boot/loaders/test_arm_kernels.py``.
"""

import enum
import struct
from pathlib import Path

from reconix.base.architecture import Architecture
from reconix.base.errors import ReconixError

_MOST_BYTES = 1 << 30
_IMAGE_MAGIC = b"ARM\x64"
_ZIMAGE = struct.Struct("<5I")
"""At byte 0x28: its end, the order of bytes, the mark of the table, where that is."""
_ZIMAGE_AT, _ZIMAGE_MAGIC, _LITTLE, _HAS_TABLE = 0x24, 0x016F2818, 0x04030201, 0x45454545
_SIZE_TAG, _MOST_TAGS = 0x5A534C4B, 16
_REGION = 128 << 20
_OWN_BYTES = 1 << 20
"""For the stack and the heap of a kernel that unpacks itself."""


class UnfitKernel(ReconixError):
    """U-Boot cannot start this kernel on this board."""

    exit_code = 36


class StartCommand(enum.Enum):
    """The command of U-Boot that starts a kernel, and with it the form that one must have."""

    BOOTI = "booti"
    BOOTZ = "bootz"

    def end(self, kernel: bytes | Path, name: str, at: int) -> int:
        """The first address after all that a kernel takes.

        Args:
            kernel: its content.
            name: of the file.
            at: where it is loaded; what lies between the beginning of memory and there stays.

        Raises:
            UnfitKernel: it is not one of this form, or would overwrite what lies before it.
        """
        if self is StartCommand.BOOTI:
            return at + image_bytes(_part(kernel, 0, 64), name)
        return _end_of_zimage(kernel, name, at)


START_COMMANDS = {Architecture.ARM64: StartCommand.BOOTI, Architecture.ARMHF: StartCommand.BOOTZ}
"""What starts the kernels of an architecture; U-Boot starts no others for us."""


def image_bytes(head: bytes, name: str) -> int:
    """How many bytes of memory a kernel for 64-bit Arm takes.

    Args:
        head: its first 64 bytes.
        name: of the file.

    Raises:
        UnfitKernel: it is not one, or compressed.
    """
    if len(head) < 64 or head[56:60] != _IMAGE_MAGIC:
        raise _wrong_form(name, StartCommand.BOOTI, "and it must not be compressed")
    (size,) = struct.unpack_from("<Q", head, 16)
    return _expect_size(int(size), name)


def unpacked_bytes(kernel: bytes | Path, name: str) -> int:
    """How far from the beginning of its 128 MiB a kernel for 32-bit Arm reaches, unpacked.

    Raises:
        UnfitKernel: it is not one, or older than Linux 4.15 and without a table.
    """
    head = _part(kernel, _ZIMAGE_AT, 4 + _ZIMAGE.size)
    if len(head) < 4 + _ZIMAGE.size or int.from_bytes(head[:4], "little") != _ZIMAGE_MAGIC:
        raise _wrong_form(name, StartCommand.BOOTZ, "a zImage")
    _, _, order, mark, table = _ZIMAGE.unpack_from(head, 4)
    if (order, mark) != (_LITTLE, _HAS_TABLE):
        raise _wrong_form(name, StartCommand.BOOTZ, "of Linux 4.15 or later")
    for _ in range(_MOST_TAGS):
        tag = _part(kernel, table, 24)
        if len(tag) < 24:
            break
        words, kind, size_at, zeros, offset, _ = struct.unpack("<6I", tag)
        if kind == _SIZE_TAG:
            size = int.from_bytes(_part(kernel, size_at, 4), "little")
            return _expect_size(offset + size + zeros, name) if size else _expect_size(0, name)
        table += 4 * words
    raise UnfitKernel(f"{name} does not say how much memory it takes")


def _end_of_zimage(kernel: bytes | Path, name: str, at: int) -> int:
    unpacked = at // _REGION * _REGION + unpacked_bytes(kernel, name)
    if unpacked > at - _OWN_BYTES * 2:
        raise UnfitKernel(
            f"{name} unpacks itself up to 0x{unpacked:x} and is loaded at 0x{at:x}",
            hint=f'boot.load_base must be "0x{-(-unpacked // (2 << 20)) * (2 << 20):x}" or more',
        )
    size = len(kernel) if isinstance(kernel, bytes) else kernel.stat().st_size
    return at + size + _OWN_BYTES


def _wrong_form(name: str, command: StartCommand, also: str) -> UnfitKernel:
    return UnfitKernel(
        f"{name} is no kernel that U-Boot can start with {command.value}",
        hint=f"its architecture must be {_ARCHITECTURE_OF[command]}, {also}",
    )


_ARCHITECTURE_OF = {command: each.value for each, command in START_COMMANDS.items()}


def _expect_size(size: int, name: str) -> int:
    if not 0 < size < _MOST_BYTES:
        raise UnfitKernel(f"{name} says that it takes {size} bytes of memory")
    return size


def _part(content: bytes | Path, at: int, size: int) -> bytes:
    """Some bytes of a content, fewer at its end."""
    if isinstance(content, bytes):
        return content[at : at + size]
    with content.open("rb") as file:
        file.seek(at)
        return file.read(size)
