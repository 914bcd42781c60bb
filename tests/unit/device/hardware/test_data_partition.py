from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.loop_disks import as_root, looped, partition

from reconix.base.process import run
from reconix.device.hardware.data_partition import DataNotGrown, DataPartition, grow_file_system
from reconix.device.paths import Paths
from reconix.image.ext4 import BY_SIZE, GROWING, Format, make_ext4

MIB = 1 << 20
BEGIN, BEFORE, AFTER = 1, 64, 300
"""Where the partition begins, how long it is and how long it shall be, in MiB."""
CONTENT = bytes(range(256)) * 4096


@dataclass(frozen=True)
class Mounted:
    paths: Paths
    file: Path


@pytest.fixture(params=[GROWING, BY_SIZE], ids=["growing", "by size"])
def mounted(request: pytest.FixtureRequest, tmp_path: Path, need: Need) -> Iterator[Mounted]:
    """A data partition in use, at the end of what was the image on a larger disk."""
    need("mkfs.ext4", "e2fsck", "losetup")
    form: Format = request.param
    file, part, data = tmp_path / "disk", tmp_path / "part", tmp_path / "data"
    make_ext4(part, None, label="data", size_bytes=BEFORE * MIB, form=form)
    with file.open("wb") as disk:
        disk.truncate((BEGIN + AFTER) * MIB)
        disk.seek(BEGIN * MIB)
        disk.write(part.read_bytes())
    data.mkdir()
    with looped(file) as device, partition(device, tmp_path, mib=BEFORE) as node:
        (tmp_path / device.name).symlink_to(device)
        run("mount", node, data)
        try:
            yield Mounted(replace(Paths(), data=data, dev=tmp_path), file)
        finally:
            run("umount", data)
        run("e2fsck", "-fn", node)


def found(mounted: Mounted) -> DataPartition:
    part = DataPartition.of(mounted.paths)
    assert part is not None
    return part


@as_root
def test_the_kernel_takes_a_later_end_of_a_partition_in_use(mounted: Mounted) -> None:
    before = found(mounted)
    assert (before.first, before.sectors, before.number) == (BEGIN << 11, BEFORE << 11, 1)
    kept = mounted.paths.data / "kept"
    kept.write_bytes(CONTENT)
    before.extend(AFTER << 11)
    assert found(mounted) == replace(before, sectors=AFTER << 11)
    assert before.file_system_bytes() == BEFORE * MIB
    assert kept.read_bytes() == CONTENT


@as_root
def test_what_is_not_on_the_disk_no_partition_takes(mounted: Mounted) -> None:
    part = found(mounted)
    with pytest.raises(DataNotGrown, match="keeps the old end"):
        part.extend((AFTER + 1) << 11)
    with pytest.raises(DataNotGrown, match="does not grow"):
        grow_file_system(mounted.paths.data, AFTER * MIB)
    assert found(mounted) == part and part.file_system_bytes() == BEFORE * MIB


def test_what_is_mounted_from_no_partition_is_none(tmp_path: Path) -> None:
    paths = replace(Paths(), data=tmp_path, sysfs=tmp_path)
    assert DataPartition.of(paths) is None


def test_a_folder_of_another_file_system_does_not_grow() -> None:
    with pytest.raises(DataNotGrown):
        grow_file_system(Path("/proc"), 1 << 30)
