"""Whether the kernel compares what it reads, and which files it could not give in this boot.

The kernel names an inode, or a name in the pool. From there it is found out which content that is,
and in the images, which files have it. Nothing is read again, and what nobody has read since the
start is not known here: ``reconix-device verify`` reads all.

Source: Linux, fs/verity/ and fs/overlayfs/util.c for what is said.
Tested by ``tests/unit/device/status/test_integrity.py``, and by ``tests/vm/test_integrity.py`` with
what the kernel really says.
"""

import os
import re
from collections.abc import Container, Iterator
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded
from reconix.base.records import dataclass
from reconix.boot.loaders.loader import VERITY
from reconix.device.device import Device
from reconix.device.hardware.kernel_log import read_kernel_log
from reconix.device.paths import Paths
from reconix.device.state.running import MAX_BYTES
from reconix.store import intact
from reconix.store.manifest import Manifest
from reconix.store.registry import Registry

_BY_INODE = re.compile(r"fs-verity \(([^,)]+), inode (\d{1,18})\): ")
_BY_NAME = re.compile(r"overlayfs: lower file '([0-9a-f]{62})' has ")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_NAMED = 100
"""Files that are told; on a disk that fails there may be thousands."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What the kernel does about altered files, and what it found.

    Attributes:
        by_kernel: whether it compares what it reads.
        damaged: files that it could not give: paths, or digests of what no file has any more.
    """

    by_kernel: bool
    damaged: tuple[str, ...] = ()


def read_compared(device: Device) -> Compared:
    """What is known since the kernel was started.

    Raises:
        OSError: not even the command line of the kernel can be read.
    """
    if not compares(device.paths):
        return Compared(by_kernel=False)
    try:
        said = _Said.of(device)
    except OSError:
        return Compared(by_kernel=True)
    return Compared(True, tuple(_named(device.registry, said)[:_MAX_NAMED]))


def compares(paths: Paths) -> bool:
    """Whether the kernel was told to compare."""
    return VERITY.encode() in read_bounded(paths.proc / "cmdline", MAX_BYTES).split()


@dataclass(frozen=True, slots=True)
class _Said:
    """What the kernel complained of: inodes of our file system, and names in the pool."""

    inodes: frozenset[int]
    names: frozenset[str]

    @classmethod
    def of(cls, device: Device) -> "_Said":
        ours = _kernel_name(device.paths)
        inodes, names = set(), set()
        for line in read_kernel_log(device.paths):
            if found := _BY_INODE.match(line):
                if ours in (None, found[1]):
                    inodes.add(int(found[2]))
            elif found := _BY_NAME.match(line):
                names.add(found[1])
        return cls(frozenset(inodes), frozenset(names))


def _kernel_name(paths: Paths) -> str | None:
    """What the kernel calls the partition ``system``; None if it does not say."""
    number = paths.system.stat().st_dev
    place = paths.sysfs / f"dev/block/{os.major(number)}:{os.minor(number)}"
    return place.readlink().name if place.is_symlink() else None


def _named(registry: Registry, said: _Said) -> list[str]:
    """The files that are meant, sorted."""
    if not said.inodes and not said.names:
        return []
    images = sorted(
        f"the image {entry.name}"
        for entry in os.scandir(registry.images_dir)
        if entry.inode() in said.inodes
    )
    digests = frozenset(_digests(registry.pool.folder, said))
    try:
        manifests = [each for each in registry.each_manifest() if isinstance(each, Manifest)]
        users = intact.users(registry, intact.entries(manifests), digests)
    except ReconixError:
        users = {}
    paths = {path for digest in digests for path in users.get(digest, (digest.hex(),))}
    return [*images, *sorted(paths)]


def _digests(pool: Path, said: _Said) -> Iterator[bytes]:
    """The contents that are meant."""
    for folder in sorted(pool.iterdir()):
        yield from _digests_in(folder, said.inodes, said.names)


def _digests_in(folder: Path, inodes: Container[int], names: Container[str]) -> Iterator[bytes]:
    if not folder.is_dir():
        return
    for entry in os.scandir(folder):
        name = folder.name + entry.name
        is_meant = entry.inode() in inodes or entry.name in names
        if is_meant and _DIGEST.fullmatch(name):
            yield bytes.fromhex(name)
