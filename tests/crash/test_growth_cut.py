"""P9: power that is lost while the file system of data grows does not keep it from being mounted.

The kernel's part takes a capability that is missing here, so what a cut of it leaves is made: a
superblock that counts two groups of blocks, of which the second is described in the journal alone.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.crash.initrd_functions import function_of
from tests.loop_disks import as_root, looped

from reconix.base.process import CommandFailed, run
from reconix.build.boot.initrd import SCRIPT
from reconix.image.ext4 import GROWING, make_ext4

BLOCK_BYTES, DESCRIPTOR_BYTES = 4096, 64
SIZE_BYTES = 160 << 20
MOUNT_DATA = function_of(SCRIPT.read_text(), "mount_data")


@pytest.fixture
def cut(tmp_path: Path, need: Callable[..., None]) -> Path:
    """Data as it is when its superblock was written, and the descriptors were not."""
    need("losetup", "mkfs.ext4", "e2fsck")
    disk, kept, mounted = tmp_path / "disk", tmp_path / "kept", tmp_path / "mounted"
    make_ext4(disk, None, label="data", size_bytes=SIZE_BYTES, form=GROWING)
    mounted.mkdir()
    with looped(disk) as device:
        run("mount", "-t", "ext4", device, mounted)
        try:
            (mounted / "file").write_text("kept")
            os.sync()
            shutil.copyfile(disk, kept)
        finally:
            run("umount", mounted)
    with kept.open("r+b") as file:
        file.seek(BLOCK_BYTES + DESCRIPTOR_BYTES)
        file.write(bytes(DESCRIPTOR_BYTES))
    return kept


@as_root
def test_p9_the_initrd_mounts_data_whose_growth_was_cut(tmp_path: Path, cut: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with looped(cut) as device:
        with pytest.raises(CommandFailed):
            run("mount", "-t", "ext4", device, data)
        run("sh", "-c", f"DATA={data}; {MOUNT_DATA}\nmount_data {device}")
        try:
            assert (data / "file").read_text() == "kept"
            (data / "more").touch()
        finally:
            run("umount", data)
    run("e2fsck", "-fn", cut)


def test_p9_the_journal_of_data_is_replayed_before_it_is_mounted_for_writing() -> None:
    """A mount that does both would go on with the number of groups from before."""
    told = 'mount() { echo "mount $4"; }; umount() { echo "umount $1"; }'
    said = run("sh", "-c", f"{told}; DATA=/d; {MOUNT_DATA}\nmount_data /dev/x").decode()
    options = "noatime,nosuid,nodev"
    assert said.splitlines() == [f"mount ro,{options}", "umount /d", f"mount {options}"]
