"""Kernels for 64-bit Arm that say a text and their command line, and restart.

Some hundred bytes with the header that a boot loader reads. They run on the board ``virt`` of QEMU,
with the MMU off: the text goes to its PL011, byte by byte; the command line is found in the device
tree by its first word, ``init``; a restart is PSCI's, function 0x84000009.

Source: Arm Architecture Reference Manual, *A64 base instructions*; Linux, *booting.rst*.
"""

import struct

_MOVE_UART = 0xD2A12002  # movz x2, #0x900, lsl 16
_FIND = (
    0x528DCD24,  # movz w4, #"ni", as it lies in memory: "in"
    0x72AE8D24,  # movk w4, #"ti", lsl 16: "it"
    0xB8404403,  # ldr w3, [x0], #4
    0x6B04007F,  # cmp w3, w4
    0x54FFFFC1,  # b.ne -2
    0xD1001001,  # sub x1, x0, #4
)
_SAY = (
    0x38401423,  # ldrb w3, [x1], #1
    0x34000063,  # cbz w3, +3
    0xB9000043,  # str w3, [x2]
    0x17FFFFFD,  # b -3
)
_RESTART = (
    0x52800120,  # movz w0, #9
    0x72B08000,  # movk w0, #0x8400, lsl 16
    0xD4000002,  # hvc #0
    0x14000000,  # b 0
)
_LINE = b" runs\r\n"


def kernel(text: str) -> bytes:
    """A kernel that says its text, its command line and ``runs``, and restarts."""
    before, after = f"{text}: ".encode() + b"\0", _LINE + b"\0"
    words = [_MOVE_UART, 0, *_SAY, *_FIND, *_SAY, 0, *_SAY, *_RESTART]
    end = 4 * len(words)
    first = words.index(0)
    last = words.index(0, first + 1)
    words[first] = _address(end - 4 * first)
    words[last] = _address(end + len(before) - 4 * last)
    body = struct.pack(f"<{len(words)}I", *words) + before + after
    head = struct.pack(
        "<IIQQQQQQ4sI", 0x14000010, 0, 0, 64 + len(body), 0xA, 0, 0, 0, b"ARM\x64", 0
    )
    return head + body


def _address(offset: int) -> int:
    """``adr x1, offset``."""
    return 0x10000001 | (offset & 3) << 29 | (offset >> 2) << 5
