from collections.abc import Callable
from pathlib import Path

from reconix.base.process import run
from reconix.vm.disks import overlay
from reconix.vm.qemu import DiskFormat


def test_an_overlay_shows_its_image_and_leaves_it_unchanged(
    tmp_path: Path, need: Callable[..., None]
) -> None:
    need("qemu-img", "qemu-io")
    image = tmp_path / "image"
    image.write_bytes(b"\x11" * 65536)
    disk = overlay(image, tmp_path / "overlay")
    assert disk.format is DiskFormat.QCOW2
    run("qemu-io", "-f", "qcow2", "-c", "read -P 0x11 0 64k", "-c", "write -P 0x22 0 4k", disk.path)
    run("qemu-io", "-f", "qcow2", "-c", "read -P 0x22 0 4k", disk.path)
    larger = overlay(image, tmp_path / "larger", more_bytes=1 << 20)
    run("qemu-io", "-f", "qcow2", "-c", "read -P 0 64k 1M", larger.path)
    assert image.read_bytes() == b"\x11" * 65536
