"""LZ4 blocks, by the library that the system has: how Linux packs itself on Debian 12.

A *legacy* LZ4 file is a magic number and blocks; each is a size in four bytes, little-endian, and
so many bytes. A block holds 8 MiB when expanded, the last one less. Nothing says where the file
ends: Linux puts the size of the expanded kernel behind it.

The library promises one result for the same version, content and level. Whether the device's gives
what the file holds is unknown until the object's digest was checked: then a stream is refused.
Level 9 was compared with what Linux holds for version 1.9.4, that of Debian 12.

Source: LZ4 Frame Format Description, *Legacy frame*; lz4.h, lz4hc.h.
"""

import ctypes
import functools
import mmap
from collections.abc import Callable, Iterator

LIBRARY = "liblz4.so.1"
MAGIC = b"\x02\x21\x4c\x18"
BLOCK_BYTES = 8 << 20

_LEVEL = 9
_BOUND_BYTES = BLOCK_BYTES + BLOCK_BYTES // 255 + 16

_PIECE_BYTES = 1 << 16

Read = Callable[[int], bytes]
Write = Callable[[bytes], object]


class BadBlock(ValueError):
    """The bytes are no LZ4 blocks."""


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(LIBRARY)
    for name, numbers in (("LZ4_decompress_safe", 2), ("LZ4_compress_HC", 3)):
        function = getattr(library, name, None)  # without one of them ``is_there`` says no
        if function is not None:
            function.restype = ctypes.c_int
            function.argtypes = [ctypes.c_char_p, ctypes.c_char_p, *[ctypes.c_int] * numbers]
    return library


def is_there() -> bool:
    """Whether the library can be used."""
    try:
        return hasattr(_library(), "LZ4_compress_HC")
    except OSError:
        return False


class _Room:
    """Memory that the library writes to; what it does not touch takes none."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._memory = mmap.mmap(-1, size_bytes)
        self.address = (ctypes.c_char * size_bytes).from_buffer(self._memory)

    def content(self, end: int, begin: int = 0) -> bytes:
        return self._memory[begin:end]


def compress_block(content: memoryview, write: Write) -> None:
    """Write one block, at most ``BLOCK_BYTES``, with its size before it."""
    if not 0 < len(content) <= BLOCK_BYTES:
        raise BadBlock(f"a block of {len(content)} bytes")
    packed = _Room(_BOUND_BYTES)
    source = (ctypes.c_char * len(content)).from_buffer(content)
    size: int = _library().LZ4_compress_HC(
        source, packed.address, len(content), packed.size_bytes, _LEVEL
    )
    if not 0 < size <= packed.size_bytes:
        raise BadBlock("a block cannot be compressed")
    write(size.to_bytes(4, "little"))
    for begin in range(0, size, _PIECE_BYTES):
        write(packed.content(min(begin + _PIECE_BYTES, size), begin))


def expand(read: Read, packed_bytes: int) -> Iterator[bytes]:
    """Expand a legacy file of exactly that many bytes.

    Raises:
        BadBlock: it is not one.
    """
    if packed_bytes < len(MAGIC) or _exactly(read, len(MAGIC)) != MAGIC:
        raise BadBlock("this is no LZ4 file")
    left = packed_bytes - len(MAGIC)
    room = _Room(BLOCK_BYTES)
    while left:
        size = int.from_bytes(_exactly(read, 4), "little")
        left -= 4 + size
        if left < 0 or not 0 < size <= _BOUND_BYTES:
            raise BadBlock(f"a block of {size} bytes")
        expanded = _expand_block(_exactly(read, size), room)
        if expanded < 0:
            raise BadBlock("a block cannot be expanded")
        for begin in range(0, expanded, _PIECE_BYTES):
            yield room.content(min(begin + _PIECE_BYTES, expanded), begin)


def _exactly(read: Read, size_bytes: int) -> bytes:
    """Exactly that many bytes; the library trusts the number that it gets."""
    content = read(size_bytes)
    if len(content) != size_bytes:
        raise BadBlock(f"a block ends after {len(content)} of {size_bytes} bytes")
    return content


def _expand_block(content: bytes, room: _Room) -> int:
    """Expand a block into some room; gives its size there, or less than 0."""
    expanded: int = _library().LZ4_decompress_safe(
        content, room.address, len(content), room.size_bytes
    )
    return expanded


def is_block(content: bytes) -> bool:
    """Whether this is one block."""
    return _expand_block(content, _Room(BLOCK_BYTES)) > 0
