"""A partition without a free block or inode is a reason for a factory reset, and no obstacle."""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.crash.made_roots import INITRD, Maker

from reconix.base.process import CommandFailed, run
from reconix.device.factory_reset import NoRoomForOrder, leave_order
from reconix.image.ext4 import make_ext4

KEPT = "systems/web/var/lib/web"


@pytest.fixture
def maker(need: Callable[..., None], tmp_path: Path) -> Iterator[Maker]:
    """A device with a real ext4, on which one system has kept something."""
    need("mkfs.ext4", "busybox")
    image, data = tmp_path / "image", tmp_path / "data"
    data.mkdir()
    make_ext4(image, None, label="data", size_bytes=4 << 20)
    try:
        run("mount", "-o", "loop", image, data)
    except CommandFailed as error:
        pytest.skip(f"tests may not mount here: {error}")
    try:
        (data / KEPT).mkdir(parents=True)
        (data / "machine-id").write_text("0123456789abcdef" * 2 + "\n")
        made = Maker(tmp_path, INITRD, limits="")
        made.keeps("systems/web /var/lib/web")
        made.brings("var/lib/web/given")
        yield made
    finally:
        run("umount", data)


def fill_blocks(data: Path) -> None:
    with contextlib.suppress(OSError), (data / KEPT / "big").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    assert os.statvfs(data).f_bavail == 0


def fill_inodes(data: Path) -> None:
    with contextlib.suppress(OSError):
        for number in itertools.count():
            (data / KEPT / f"{number}").touch()
    assert os.statvfs(data).f_ffree == 0


@pytest.mark.parametrize("fill", [fill_blocks, fill_inodes])
@pytest.mark.parametrize("order", ["all", "systems.web"])
def test_d3_a_full_partition_is_reset_and_can_be_used_at_once(
    maker: Maker, order: str, fill: Callable[[Path], None]
) -> None:
    data = maker.place / "data"
    fill(data)
    leave_order(data, order)
    maker.do("reset_data; find_machine_id; keep_paths")
    assert maker.faults() == []
    assert not list(data.glob(".reset*"))
    assert [path.name for path in (data / KEPT).iterdir()] == ["given"]
    assert len((data / "machine-id").read_text()) == 33


def test_an_order_that_cannot_be_carried_out_stays_and_says_why(maker: Maker) -> None:
    data = maker.place / "data"
    leave_order(data, "all")
    maker.do("mount -o bind data data; mount -o remount,bind,ro data", "reset_data")
    assert (data / ".reset.all").exists() and (data / KEPT).exists()
    (fault,) = maker.faults()
    assert "(all) is still to be done" in fault and "Read-only file system" in fault
    maker.do("reset_data")
    assert not (data / KEPT).exists()


def test_without_anything_that_could_carry_the_name_nothing_is_ordered(maker: Maker) -> None:
    data = maker.place / "data"
    (data / "machine-id").unlink()
    fill_inodes(data)
    with pytest.raises(NoRoomForOrder):
        leave_order(data, "all")
    assert not list(data.glob(".reset*"))
