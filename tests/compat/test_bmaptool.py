"""Block maps of disk images, used by the program that they are for."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.compat import test_disk as disks
from tests.loop_disks import OLD, as_root, looped, used_file

from reconix.base.digests import Digest
from reconix.base.process import CommandFailed, run
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR
from reconix.boot.tables import Slot, read_selection
from reconix.image.compress import Compression, compress
from reconix.image.disk import Layout, make_disk, map_beside
from reconix.nix.chroot import ChrootStore

PROGRAMS = ("bmaptool", "losetup", *disks.PROGRAMS)
pytestmark = as_root


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("image")
    with ChrootStore(folder / "store") as store:
        make_disk(store, disks.add(store), Layout(disks.SIZES), folder / "disk.img")
    return folder / "disk.img"


@pytest.fixture
def used_disk(image: Path, tmp_path: Path) -> Iterator[Path]:
    """A disk a little larger than the image, all of it in use before."""
    size = image.stat().st_size + (1 << 20)
    with looped(used_file(tmp_path / "used", size)) as disk:
        yield disk


@pytest.mark.parametrize("compression", [None, Compression.ZSTD])
def test_a_disk_that_was_full_is_whole_after_it(
    image: Path, used_disk: Path, tmp_path: Path, compression: Compression | None
) -> None:
    source = image if compression is None else compress(image, compression)
    run("bmaptool", "--quiet", "copy", source, used_disk)
    with DiskFile(used_disk) as disk, DiskFile(image) as original:
        found = read_selection(disk)
        assert found.slot == Slot(1)
        assert [fault for fault in found.faults if "grown" not in fault] == []
        slot = found.tables.slot(Slot(1))
        place = slot.first * SECTOR, slot.size_bytes
        assert disk.read(*place) == original.read(*place)
        for number in (2, 3):
            begin = found.tables.slot(Slot(number)).first * SECTOR
            assert not any(disk.read(begin, 1 << 20)), "an old file system would be found"
            assert disk.read(begin + (1 << 20), 512) == OLD * 512, "it is not needed"
    for name in ("system", "data"):
        run("e2fsck", "-fn", disks.part(used_disk, name, tmp_path / name))


def test_a_damaged_image_is_refused(image: Path, tmp_path: Path, used_disk: Path) -> None:
    other = tmp_path / "disk.img"
    shutil.copy(image, other)
    shutil.copy(map_beside(image), map_beside(other))
    with other.open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"X")
    with pytest.raises(CommandFailed, match="checksum"):
        run("bmaptool", "copy", other, used_disk)


def test_the_same_generation_gives_the_same_map(image: Path, tmp_path: Path) -> None:
    with ChrootStore(tmp_path / "store") as store:
        made = make_disk(store, disks.add(store), Layout(disks.SIZES), tmp_path / "disk.img")
    maps = [Digest.of_file(map_beside(each)) for each in (image, tmp_path / "disk.img")]
    assert maps[0] == maps[1]
    assert made.mapped_bytes < made.size_bytes
