"""Whole disks that are files: block devices without hardware, for root only."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconix.base.process import run

OLD = b"\xa5"
"""What a used disk is full of."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="loop devices are for root only")


def used_file(path: Path, size_bytes: int) -> Path:
    """A file that is full of something."""
    with path.open("wb") as file:
        for _ in range(size_bytes >> 20):
            file.write(OLD * (1 << 20))
        file.write(OLD * (size_bytes % (1 << 20)))
    return path


@contextlib.contextmanager
def looped(file: Path, *options: str) -> Iterator[Path]:
    """A file as a disk."""
    device = run("losetup", "--find", "--show", "--partscan", *options, file).decode().strip()
    try:
        yield Path(device)
    finally:
        run("losetup", "--detach", device)


@contextlib.contextmanager
def partition(disk: Path, folder: Path, *, mib: int = 8) -> Iterator[Path]:
    """The first MiBs of a disk behind the first as a partition, whatever the table says.

    Not each kernel reads tables, and not each machine makes nodes: so both are made here.
    """
    run("addpart", disk, "1", "2048", str(mib << 11))
    try:
        node = folder / f"{disk.name}p1"
        number = Path(f"/sys/class/block/{node.name}/dev").read_text()
        run("mknod", node, "b", *number.strip().split(":"))
        yield node
    finally:
        run("delpart", disk, "1")
