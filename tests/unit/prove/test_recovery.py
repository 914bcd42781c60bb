"""A file system is recovered as a mount would, and refused where the kernel refuses it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.base.process import run
from reconix.image.ext4 import make_ext4
from reconix.prove.blocks import Disk
from reconix.prove.recovery import Recovered, Recovery, crc32c, extract, superblock_problem, volume

MIB = 1 << 20
OFFSET = MIB
SUPER = slice(OFFSET + 1024, OFFSET + 2048)


@pytest.fixture
def image(need: Callable[..., None], tmp_path: Path) -> Path:
    need("mkfs.ext4", "debugfs", "e2fsck", "e2image")
    part, image = tmp_path / "part", tmp_path / "image"
    make_ext4(part, None, label="system", size_bytes=16 * MIB)
    image.write_bytes(bytes(OFFSET) + part.read_bytes())
    return image


def recovered(image: Path, folder: Path, change: Callable[[bytearray], None]) -> Recovered:
    """The image with a change in its superblock, recovered."""
    metadata = folder / "metadata"
    extract(image, OFFSET, metadata)
    disk = Disk(image.read_bytes(), b"", 1024)
    block = bytearray(image.read_bytes()[SUPER])
    change(block)
    number = SUPER.start // 1024
    place = volume(disk, OFFSET, 16 * MIB, {number: [bytes(block)]})
    assert place.superblock_at == number and place.asked == (number,)
    disk.set(number, disk.keep(bytes(block)))
    return Recovery(disk, place, metadata, folder).recover()


def test_a_whole_file_system_has_no_problem(image: Path, tmp_path: Path) -> None:
    found = recovered(image, tmp_path, lambda block: None)
    assert (found.problem, dict(found.patches)) == ("", {})


def test_a_file_system_whose_counts_are_wrong_is_damaged(image: Path, tmp_path: Path) -> None:
    def change(block: bytearray) -> None:
        block[0x20] ^= 8  # blocks per group

    assert recovered(image, tmp_path, change).problem


def test_a_superblock_without_its_signature_is_none(image: Path, tmp_path: Path) -> None:
    def change(block: bytearray) -> None:
        block[0x38] ^= 1

    assert "no ext4 superblock" in recovered(image, tmp_path, change).problem


def test_a_superblock_with_a_wrong_checksum_is_refused(
    need: Callable[..., None], tmp_path: Path
) -> None:
    """As Linux does, which says "invalid superblock checksum"."""
    need("mkfs.ext4")
    part = tmp_path / "part"
    with part.open("wb") as file:
        file.truncate(16 * MIB)
    run("mkfs.ext4", "-q", "-F", "-O", "metadata_csum", part)
    block = bytearray(part.read_bytes()[1024:2048])
    assert superblock_problem(bytes(block)) == ""
    block[0x2C] ^= 1  # the time of the last mount: the first sector
    assert "wrong checksum" in superblock_problem(bytes(block))


def test_the_checksum_is_crc32c() -> None:
    assert crc32c(b"123456789") ^ 0xFFFFFFFF == 0xE3069283
