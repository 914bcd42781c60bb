"""Disks for guests that leave the image they start from unchanged."""

from pathlib import Path

from reconix.base.process import run
from reconix.vm.qemu import Disk, DiskFormat


def overlay(image: Path, path: Path) -> Disk:
    """Make a disk that reads from a raw ``image`` and keeps what the guest writes in ``path``.

    Raises:
        ProgramMissing, CommandFailed: ``qemu-img`` is not there or fails.
    """
    base = image.resolve()
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, path)
    return Disk(path, DiskFormat.QCOW2)
