"""A disk image, compressed as a whole, for whoever carries it elsewhere.

The same image gives the same bytes, as long as the compressor is of the same version: neither name
nor time of the image is written, and how many processors there are does not count.

Source: RFC 8878 (zstd); The .xz File Format 1.2.1.
Tested by ``tests/unit/image/test_compress.py``, and by ``tests/compat/test_bmaptool.py``.
"""

import lzma
from enum import Enum
from pathlib import Path
from typing import Protocol

import zstandard

from reconix.base import progress
from reconix.base.files import chunks, replacing

_ZSTD_LEVEL = 12
_XZ_PRESET = 6
_THREADS = 2
"""Of zstd. The result depends on whether there are threads, not on how many."""


class Compression(Enum):
    """How an image is compressed; the value is the end of its name."""

    ZSTD = "zst"
    XZ = "xz"

    def beside(self, image: Path) -> Path:
        """Where the compressed image lies."""
        return image.with_name(f"{image.name}.{self.value}")


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes:
        """Take more, and give what is ready."""

    def flush(self) -> bytes:
        """Give the rest."""


def compress(image: Path, compression: Compression) -> Path:
    """Write the compressed image beside an image; it has the same mode.

    Returns:
        Where it is.
    """
    target = compression.beside(image)
    status = image.stat()
    compressor = _compressor(compression, status.st_size)
    with (
        image.open("rb") as source,
        replacing(target, mode=status.st_mode & 0o777) as sink,
        progress.stage(f"compress {image.name}", total=status.st_size) as stage,
    ):
        for chunk in chunks(source):
            sink.write(compressor.compress(chunk))
            stage.advance(len(chunk))
        sink.write(compressor.flush())
    return target


def _compressor(compression: Compression, size_bytes: int) -> _Compressor:
    if compression is Compression.XZ:
        return lzma.LZMACompressor(preset=_XZ_PRESET, check=lzma.CHECK_CRC64)
    options = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, threads=_THREADS, write_checksum=True)
    return options.compressobj(size=size_bytes)
