"""Programs that no compiler made."""

import struct

BLOCK_BYTES = 65_520
"""Of instructions, in which references are looked for at once."""


def program(blocks: int) -> bytes:
    """An ELF file with so many blocks of instructions, all of them calls."""
    code = b"\xe8\1\0\0\0" * (blocks * BLOCK_BYTES // 5)
    start = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack("<HHIQQQ", 2, 62, 1, 0, 0, 64)
    start += struct.pack("<IHHHHHH", 0, 64, 0, 0, 64, 2, 0) + bytes(64)
    return start + struct.pack("<IIQQQQIIQQ", 0, 1, 6, 4096, 192, len(code), 0, 0, 0, 0) + code
