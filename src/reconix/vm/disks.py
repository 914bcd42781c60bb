"""Disks for guests that leave the image they start from unchanged."""

from pathlib import Path

from reconix.base.process import run
from reconix.vm.qemu import Disk, DiskFormat


def overlay(image: Path, path: Path, *, more_bytes: int = 0) -> Disk:
    """Make a disk that reads from a raw ``image`` and keeps what the guest writes in ``path``.

    Args:
        image: is not changed.
        path: of the disk.
        more_bytes: by which the disk is larger than the image.

    Raises:
        ProgramMissing, CommandFailed: ``qemu-img`` is not there or fails.
    """
    base = image.resolve()
    words = ("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, path)
    run(*words, str(image.stat().st_size + more_bytes))
    return Disk(path, DiskFormat.QCOW2)
