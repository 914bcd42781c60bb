"""Compressed members of files: to expand them, and to make them again bit by bit.

Two kernels differ in one per cent of their bytes; their compressed forms differ in nearly all. So
what is compressed in a file travels expanded, as a difference to the expanded old one, and the
device compresses it again. That gives the very same bytes only with the very same program, so
the sender tries it, and sends the file as it is if the result differs
(``transfer/sending/members.py``).

======== ===================================== ============================
pack     made by                               holds in memory
======== ===================================== ============================
gzip     the program, ``gzip -9n``             the expanded member, 8 MiB
zlib     zlib, the same bytes for most files   0.5 MiB
xz       liblzma, one block of 3 MiB at once   16 MiB
lz4      liblz4, one block of 8 MiB at once    16 MiB
======== ===================================== ============================

The zlib of zlib.net gives the same in each release that was tried (decision 117); what others made
of it (zlib-ng) does not. So a device tries its own on something known before it takes a stream that
makes use of it (``packs_as_known``).

Tested by ``tests/unit/transfer/codecs/test_packs.py`` against gzip, xz and lz4.
"""

import enum
import hashlib
import lzma
import mmap
import zlib
from collections.abc import Callable, Iterator

from reconix.base.process import CommandFailed, ProgramMissing, run
from reconix.transfer.codecs import lz4

MAX_GZIP_BYTES = 8 << 20
"""A member that expands to more is sent as it is."""

XZ_BLOCK_BYTES = 3 << 20
_XZ_DICTIONARY = 1 << 20
_XZ_MEMORY = 10 << 20  # enough for a dictionary of 8 MiB, that of `xz -6`
_XZ_MAGIC = b"\xfd7zXZ\0"
_HEADER_BYTES = 20
_XZ_FLAGS = b"\0\x01"  # the check is a CRC-32
_CHUNK_BYTES = 1 << 16
_GZIP_MEMBER = 31  # for zlib: a window of 32 KiB, head and tail of gzip
_PROBE_LINES = 4000
_PROBE_PACKED = "482d8e1197be19a5099c09096f469898a520cd72e1eaf8b83b46a750303fcc4a"

Read = Callable[[int], bytes]
Write = Callable[[bytes], object]


class Pack(enum.IntEnum):
    """How content is packed in a file, and how exactly the same bytes are made again."""

    NONE = 0
    GZIP = 1  # ``gzip -9n``
    XZ = 2  # ``xz --threads=2 --check=crc32 --lzma2=dict=1MiB``, as Debian packs kernel modules
    LZ4 = 3  # ``lz4 -l -9`` without what follows the last block, as Linux packs itself
    MODULE = 4  # not of a part, only of a source: the compiled form of a module (``modules.py``)
    ZLIB = 5  # not of a source, only of a part: as ``gzip -9n``, where zlib gives the same


class BadPack(ValueError):
    """Content cannot be expanded or packed."""


class Packer:
    """Takes expanded content and writes it packed; collects what the format takes at once.

    It does so in memory of its own: the C library would keep a block of this size, and a second one
    while the first grows.
    """

    def __init__(self, write: Write, block_bytes: int) -> None:
        self._write = write
        self._block_bytes = block_bytes
        self._room = mmap.mmap(-1, block_bytes)
        self._filled = 0

    def feed(self, data: bytes) -> None:
        """Take the next expanded content."""
        left = memoryview(data)
        while left:
            taken = left[: self._block_bytes - self._filled]
            self._room[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            left = left[len(taken) :]
            if self._filled == self._block_bytes:
                self._end_block()

    def finish(self) -> None:
        """Write what is left."""
        if self._filled:
            self._end_block()

    def _end_block(self) -> None:
        self._pack(memoryview(self._room)[: self._filled])
        self._filled = 0

    def _pack(self, block: memoryview) -> None:
        self._write(bytes(block))


class _Gzip(Packer):
    """The program decides; its output depends on nothing but the content."""

    def __init__(self, write: Write) -> None:
        super().__init__(write, MAX_GZIP_BYTES + 1)

    def feed(self, data: bytes) -> None:
        if self._filled + len(data) > MAX_GZIP_BYTES:
            raise BadPack(f"more than {MAX_GZIP_BYTES} bytes for gzip")
        super().feed(data)

    def finish(self) -> None:
        try:
            self._write(run("gzip", "-9n", stdin=self._room[: self._filled]))
        except (CommandFailed, ProgramMissing) as error:
            raise BadPack(str(error)) from error


class _Zlib(Packer):
    """One stretch after the other, each of the same size whatever comes at once."""

    def __init__(self, write: Write) -> None:
        super().__init__(write, _CHUNK_BYTES)
        self._deflate = zlib.compressobj(9, zlib.DEFLATED, _GZIP_MEMBER, 9)

    def _pack(self, block: memoryview) -> None:
        self._write(self._deflate.compress(block))

    def finish(self) -> None:
        super().finish()
        self._write(self._deflate.flush())


class _Lz4(Packer):
    def __init__(self, write: Write) -> None:
        super().__init__(write, lz4.BLOCK_BYTES)
        write(lz4.MAGIC)

    def _pack(self, block: memoryview) -> None:
        lz4.compress_block(block, self._write)


class _Xz(Packer):
    """The container of the multi-threaded xz: block headers that tell sizes, then an index."""

    def __init__(self, write: Write) -> None:
        super().__init__(write, XZ_BLOCK_BYTES)
        self._records: list[tuple[int, int]] = []
        write(_XZ_MAGIC + _XZ_FLAGS + _crc(_XZ_FLAGS))

    def _pack(self, block: memoryview) -> None:
        lzma2 = {"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": _XZ_DICTIONARY}
        packed = lzma.compress(block, lzma.FORMAT_RAW, filters=[lzma2])
        header = _block_header(len(packed), len(block))
        padding = bytes(-len(packed) % 4)
        self._records.append((len(header) + len(packed) + 4, len(block)))
        self._write(header + packed + padding + _crc(block))

    def finish(self) -> None:
        super().finish()
        numbers = [number for record in self._records for number in record]
        index = b"\0" + b"".join(map(_number, [len(self._records), *numbers]))
        index += bytes(-len(index) % 4)
        index += _crc(index)
        tail = (len(index) // 4 - 1).to_bytes(4, "little") + _XZ_FLAGS
        self._write(index + _crc(tail) + tail + b"YZ")


def _block_header(packed_bytes: int, size_bytes: int) -> bytes:
    """As long as it may have to be, because it is written when the block is complete.

    Source: The .xz File Format, section 3.1.
    """
    fields = b"\xc0" + _number(packed_bytes) + _number(size_bytes) + b"\x21\x01\x10"
    header = bytes([_HEADER_BYTES // 4 - 1]) + fields
    header += bytes(_HEADER_BYTES - 4 - len(header))
    return header + _crc(header)


def _number(number: int) -> bytes:
    spelled = bytearray()
    while number > 0x7F:
        spelled.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*spelled, number])


def _crc(content: bytes | memoryview) -> bytes:
    return zlib.crc32(content).to_bytes(4, "little")


def packer(pack: Pack, write: Write) -> Packer:
    """Something that packs in that way."""
    match pack:
        case Pack.GZIP:
            return _Gzip(write)
        case Pack.ZLIB:
            return _Zlib(write)
        case Pack.XZ:
            return _Xz(write)
        case Pack.LZ4:
            return _Lz4(write)
    return Packer(write, 1)


def packs_as_known() -> bool:
    """Whether the zlib of this Python gives the bytes that ``Pack.ZLIB`` stands for."""
    digests = (hashlib.sha256(b"%d" % number).hexdigest() for number in range(_PROBE_LINES))
    made = bytearray()
    packer = _Zlib(made.extend)
    packer.feed("".join(digest[: 8 + ord(digest[0]) % 9] * 2 for digest in digests).encode())
    packer.finish()
    return hashlib.sha256(made).hexdigest() == _PROBE_PACKED


def expand(pack: Pack, read: Read, packed_bytes: int, limit_bytes: int) -> Iterator[bytes]:
    """Expand a member of a file.

    Args:
        pack: how it is packed.
        read: gives up to that many bytes of it.
        packed_bytes: its size in the file.
        limit_bytes: what it must not exceed.

    Raises:
        BadPack: it is not packed like that, or expands to more.
    """
    try:
        for data in _expand(pack, read, packed_bytes):
            limit_bytes -= len(data)
            if limit_bytes < 0:
                raise BadPack("it expands to more than was declared")
            yield data
    except (zlib.error, lzma.LZMAError, lz4.BadBlock, EOFError) as error:
        raise BadPack(str(error)) from error


def _expand(pack: Pack, read: Read, packed_bytes: int) -> Iterator[bytes]:
    if pack is Pack.LZ4:
        yield from lz4.expand(read, packed_bytes)
        return
    left = packed_bytes
    inflate = zlib.decompressobj(_GZIP_MEMBER)
    unxz = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
    while left > 0:
        content = read(min(left, _CHUNK_BYTES))
        if not content:
            raise BadPack("it is shorter than declared")
        left -= len(content)
        if pack is Pack.XZ:
            yield from _unxz(unxz, content)
        elif pack in (Pack.GZIP, Pack.ZLIB):
            yield from _inflate(inflate, content)
        else:
            yield content


def _inflate(inflate: "zlib._Decompress", content: bytes) -> Iterator[bytes]:
    while content:
        if inflate.eof:
            raise BadPack("bytes follow it")
        yield inflate.decompress(content, _CHUNK_BYTES)
        content = inflate.unconsumed_tail


def _unxz(unxz: lzma.LZMADecompressor, content: bytes) -> Iterator[bytes]:
    yield unxz.decompress(content, max_length=_CHUNK_BYTES)
    while not unxz.eof and not unxz.needs_input:
        yield unxz.decompress(b"", max_length=_CHUNK_BYTES)
