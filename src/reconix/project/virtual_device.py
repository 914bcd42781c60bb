"""The virtual device of a host: its disk over the image, and what keeps its generation.

What it writes goes to a disk of its own over the image, so an image that was made anew would be
another disk below the same writes: that is refused. The generation that it was started with is kept
in the store, because updates start from it.

Tested by ``tests/unit/project/test_virtual_device.py``.
"""

from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded, write_durably
from reconix.config.schema.hosts import Host
from reconix.nix import roots
from reconix.project.workplace import NotBuilt, Workplace
from reconix.store.paths import StorePath
from reconix.vm import firmware
from reconix.vm.disks import overlay
from reconix.vm.qemu import Disk, DiskFormat, Forward, Guest

_STAMP_BYTES = 1024


class ImageChanged(ReconixError):
    """The disk of a virtual device was made over an image that is another one now."""

    exit_code = 2


def keep_generation(workplace: Workplace, store: Path) -> None:
    """Keep what a new device is started with: updates start from it, whatever is built later."""
    if workplace.generation.is_symlink() and store.is_dir():
        path = StorePath.parse(str(workplace.generation.readlink()))
        roots.link(store / "nix/var/nix", workplace.vm / "generation", path)


def image_of(workplace: Workplace, named: Path | None = None) -> Path:
    """The image that was named, else the one that was made last.

    Raises:
        NotBuilt: it is not there.
    """
    image = workplace.image if named is None else named
    if not image.is_file():
        raise NotBuilt(f"there is no image {image}", hint=f"reconix image {workplace.host}")
    return image


def guest(host: Host, workplace: Workplace, disk: Disk, *, watchdog: bool) -> Guest:
    """The virtual device as the host has it."""
    settings = host.machine.run
    return Guest(
        firmware.prepare(workplace.vm / "variables"),
        disks=(disk,),
        forwards=tuple(Forward(each.port, each.host_port or 0) for each in settings.forward),
        memory_mib=settings.memory >> 20,
        cores=settings.cores,
        watchdog=watchdog,
    )


def disk_over(image: Path, workplace: Workplace) -> Disk:
    """The disk over an image: the one of last time, or a new one.

    Raises:
        ImageChanged: there is one, over another image.
    """
    disk, stamp = workplace.vm / "disk.qcow2", workplace.vm / "image"
    if not disk.exists():
        overlay(image, disk)
        write_durably(stamp, _stamp(image))
    elif not stamp.exists() or read_bounded(stamp, _STAMP_BYTES) != _stamp(image):
        raise ImageChanged(
            f"{image} is not the image that the device {workplace.host} was started from",
            hint=f"start a new device: reconix run {workplace.host} --fresh",
        )
    return Disk(disk, DiskFormat.QCOW2)


def _stamp(image: Path) -> bytes:
    """What tells an image from another one, without reading it."""
    status = image.stat()
    return f"{image.resolve()} {status.st_size} {status.st_mtime_ns}\n".encode()
