"""Trees as the programs compared want them: a sorted archive, a digest, the files by content.

A tree consists of folders, files with one bit of mode, and links; that is all that a store keeps.
Owners and times are the same everywhere. So two trees are equal if their sorted archives are, and
an applier is right if the archive of what it made is that of the target.

Tested by ``tests/unit/bench/test_trees.py``.
"""

import hashlib
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from reconix.base.digests import Digest
from reconix.store import nar


def entries(tree: Path) -> Iterator[Path]:
    """All that lies in a tree, folders before what is in them, names sorted."""
    for path in sorted(tree.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from entries(path)


def files(tree: Path) -> list[Path]:
    """The regular files of a tree."""
    return [path for path in entries(tree) if stat.S_ISREG(path.lstat().st_mode)]


def write_archive(tree: Path, into: BinaryIO) -> None:
    """A tar archive that depends on names, contents, links and executable bits alone."""
    with tarfile.open(fileobj=into, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        for path in entries(tree):
            entry = member(path, str(path.relative_to(tree)))
            if entry.isreg():
                with path.open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)


def read_archive(source: BinaryIO, tree: Path) -> None:
    """Write the tree of an archive to a folder that does not exist yet."""
    tree.mkdir(parents=True)
    with tarfile.open(fileobj=source, mode="r|") as archive:
        archive.extractall(tree, filter="fully_trusted")


def digest(tree: Path) -> Digest:
    """What tells two trees apart."""
    return nar.digest(tree).digest


def content_digests(tree: Path) -> dict[bytes, Path]:
    """One file for each content in a tree."""
    found: dict[bytes, Path] = {}
    for path in files(tree):
        found.setdefault(content_digest(path), path)
    return found


def content_digest(path: Path) -> bytes:
    """What tells the contents of two files apart."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


def size_bytes(place: Path) -> int:
    """The bytes of a file, or of all files in a folder: what has to be sent."""
    if place.is_dir():
        return sum(path.stat().st_size for path in files(place))
    return place.stat().st_size


def member(path: Path, name: str) -> tarfile.TarInfo:
    """How an entry stands in an archive."""
    status = path.lstat()
    entry = tarfile.TarInfo(name)
    entry.mtime = 1
    if stat.S_ISLNK(status.st_mode):
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
    elif stat.S_ISDIR(status.st_mode):
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    else:
        entry.mode = 0o755 if status.st_mode & 0o100 else 0o644
        entry.size = status.st_size
    return entry
