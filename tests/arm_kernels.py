"""Heads of kernels for 32-bit Arm: what a boot loader reads, and nothing that runs."""

import struct

TABLE_AT = 0x40
_TEXT_OFFSET = 0x8000


def zimage(*, unpacked: int, kind: int = 0x5A534C4B) -> bytes:
    """A zImage that says how far it reaches when it is unpacked, by a tag of some kind."""
    size_at = TABLE_AT + 40
    inflated = unpacked - _TEXT_OFFSET - 4096
    end = size_at + 4
    head = struct.pack("<6I", 0x016F2818, 0, end, 0x04030201, 0x45454545, TABLE_AT)
    other = struct.pack("<3I", 3, 1, 2)
    tag = struct.pack("<6I", 6, kind, size_at, 4096, _TEXT_OFFSET, 65536)
    return bytes(0x24) + head + bytes(4) + other + tag + bytes(4) + struct.pack("<I", inflated)
