import lzma
import stat
from pathlib import Path

import pytest
import zstandard

from reconix.image.compress import Compression, compress

CONTENT = bytes(3 << 20) + b"some of it is no hole" * 999


def unpacked(packed: Path, compression: Compression) -> bytes:
    if compression is Compression.XZ:
        return lzma.decompress(packed.read_bytes())
    return zstandard.ZstdDecompressor().decompress(packed.read_bytes())


@pytest.mark.parametrize("compression", Compression)
def test_the_compressed_image_is_the_image_and_as_private(
    compression: Compression, tmp_path: Path
) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(CONTENT)
    image.chmod(0o600)
    packed = compress(image, compression)
    assert packed == tmp_path / f"disk.img.{compression.value}"
    assert unpacked(packed, compression) == CONTENT
    assert stat.S_IMODE(packed.stat().st_mode) == 0o600


@pytest.mark.parametrize("compression", Compression)
def test_the_same_image_gives_the_same_bytes(compression: Compression, tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        image = tmp_path / name / "disk.img"
        image.parent.mkdir()
        image.write_bytes(CONTENT)
        found.append(compress(image, compression).read_bytes())
    assert found[0] == found[1]
