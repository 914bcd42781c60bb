"""A disk at this computer, to be written whole.

It is opened for nobody else, which fails as long as anything of it is mounted, and written and read
around the page cache.

Tested by ``tests/compat/test_install.py`` on loop devices, with the contract of all targets.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from reconix.base.digests import Digest
from reconix.base.process import run, succeeds
from reconix.boot.disk import DiskFile
from reconix.image.block_map import Extent
from reconix.image.layout import MIB
from reconix.image.target_disk import MAX_FACTS_BYTES, SCRIPT, TargetDisk, parse_facts


def describe(path: Path) -> TargetDisk:
    """Find out what a disk of this computer is; a link leads to it.

    Raises:
        UnfitTarget: it must not be written.
    """
    resolved = str(path.resolve())
    said = run("sh", "-c", SCRIPT, "describe", resolved, limit_bytes=MAX_FACTS_BYTES)
    return parse_facts(said, resolved)


class LocalDisk:
    """A disk of this computer, open.

    Args:
        path: of its device.
        disk: nobody else has it.

    Raises:
        DiskFailed: from all that reads or writes.
    """

    def __init__(self, path: str, disk: DiskFile) -> None:
        self._path, self._disk = path, disk

    @classmethod
    @contextmanager
    def open(cls, path: str) -> Iterator[Self]:
        """Have the disk alone, as long as the block lasts.

        Raises:
            UnfitDisk: something uses it.
        """
        with DiskFile(Path(path), exclusive=True) as disk:
            yield cls(path, disk)

    def write(self, pieces: Iterable[tuple[Extent, Iterable[bytes]]]) -> None:
        """Write pieces of the disk; durable when it returns."""
        for extent, content in pieces:
            offset = extent.offset
            for chunk in content:
                self._disk.write(offset, chunk)
                offset += len(chunk)
        self._disk.flush()

    def digests(self, extents: Sequence[Extent]) -> Iterator[Digest]:
        """The SHA-256 of each piece, from the medium."""
        for extent in extents:
            hashing = hashlib.sha256()
            for offset in range(extent.offset, extent.end, MIB):
                hashing.update(self._disk.read(offset, min(MIB, extent.end - offset)))
            yield Digest(hashing.digest())

    def finish(self) -> None:
        """Let the kernel look at the new table; it does so later anyway, if it will not now."""
        succeeds("blockdev", "--rereadpt", self._path)
