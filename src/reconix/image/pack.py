"""The pack of a new device: its first contents in one compressed file system.

A device that has little room gets the contents of its first image so (``[disk] compress``). The
names in the pack are those of the pool, and ``/nix/store`` lies over both (``store/pool.py``)::

    contents, by digest -> a folder ab/cdef… of links to the build store -> EROFS

``mkfs.erofs`` makes it: clusters of 64 KiB, tails beside the inodes. It compresses by zstd if it
can, otherwise by LZ4. Owners, times and the identifier are fixed, attributes left out, and folders
and files are made in the order of their names. So the same contents and the same ``mkfs.erofs``
give the same bytes; another release of it may give others. A pack is part of a disk image and of no
object, so nothing is built anew by that.

Source: mkfs.erofs(1).
Tested by ``tests/compat/test_pack.py`` with ``fsck.erofs`` and the kernel, and by
``tests/vm/test_pack.py``.
"""

import errno
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from reconix.base import process
from reconix.store.pool import FOLDER_MODE, Pool

CLUSTER_BYTES = 64 << 10
"""What is compressed together: larger ones save little, and more is read for a small file."""

_UUID = "7265636f-6e69-4000-8000-7061636b0001"
_ZSTD = ("-zzstd,level=9", "--workers=1")
_LZ4 = ("-zlz4hc",)
_KNOWS_ZSTD = re.compile(rb"^\s+zstd$", re.MULTILINE)
"""In the help of those that can: each method has a line of its own."""


def make_pack(places: Mapping[bytes, Path], pack: Path, work: Path) -> None:
    """Make a pack.

    Args:
        places: a file for each content, by its digest.
        pack: the new file.
        work: a folder for what is needed meanwhile; links can be made there, or copies.

    Raises:
        ProgramMissing, CommandFailed: ``mkfs.erofs`` does not make it.
    """
    folder = Pool(work / "contents")
    folder.folder.mkdir(FOLDER_MODE)
    for digest in sorted(places):
        place = folder.place(digest)
        place.parent.mkdir(FOLDER_MODE, exist_ok=True)
        _link(places[digest], place)
    process.run(
        *("mkfs.erofs", "--quiet", "-x-1", "-T1", "-U", _UUID, "--all-root"),
        *(*_method(), f"-C{CLUSTER_BYTES}", "-Eztailpacking"),
        *(pack, folder.folder),
    )
    shutil.rmtree(folder.folder)


def _method() -> tuple[str, ...]:
    said = process.run("mkfs.erofs", "--help")
    return _ZSTD if _KNOWS_ZSTD.search(said) else _LZ4


def _link(source: Path, place: Path) -> None:
    try:
        place.hardlink_to(source)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EMLINK, errno.EPERM):
            raise
        shutil.copyfile(source, place)
