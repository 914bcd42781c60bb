"""The pool: contents of files, each under its digest.

::

    pool/ab/cdef…      the content whose digest is abcdef…  (``images/verity.py``)

A content gets its name when it is whole and durable and what the disk gives back has this digest;
so a name is a promise, also after a power cut. Whether a content is needed, the images say.

What the first image of a device has brought may rest in a *pack* instead: a compressed file system
with the same names, mounted when the device starts. The pool comes first, as in ``/nix/store``::

    packs/<sha256>                    the file, on the system partition
    /run/reconix/packs/<sha256>/ab/cdef…    its contents, while it is mounted

Nothing is added to a pack, nor removed from it: it goes as a whole (``collect.py``). When its file
is gone it counts no more, although it may be mounted until the device is started again.

Nobody but root may read here: among the contents are those of files that only root may read.

Tested by ``tests/unit/store/test_pool.py`` and ``tests/unit/store/test_packs.py``.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from reconix.base.errors import ReconixError
from reconix.base.files import BadFile, chunks, open_regular, read_bounded
from reconix.store.images.verity import DIGEST_BYTES, VerityHash

FILE_MODE, FOLDER_MODE = 0o400, 0o700
_FOLDER_DIGITS = 2


class BadContent(ReconixError):
    """A content is missing, or is not what its name says."""

    exit_code = 20

    def __init__(self, digest: bytes, what: str) -> None:
        super().__init__(
            f"the content {digest.hex()} {what}",
            hint="repair it: `reconix repair --to DEVICE` on the build host",
        )
        self.digest, self.what = digest, what


class Pack(NamedTuple):
    """Contents that came together.

    Attributes:
        file: the file system in which they are.
        folder: where that is mounted; empty if it is not.
    """

    file: Path
    folder: Path

    def has(self, digest: bytes) -> bool:
        """Whether a content rests here."""
        return _status(str(self.folder), digest) is not None and self.file.exists()

    def is_mounted(self) -> bool:
        """Whether anything can be said of its contents."""
        return any(_sorted_names(self.folder))


class Pool:
    """The contents below a folder, and in packs.

    Args:
        folder: where contents are put.
        packs: where some rest besides.
    """

    def __init__(self, folder: Path, packs: Iterable[Pack] = ()) -> None:
        self.folder = folder
        self._packs = tuple(packs)

    @property
    def packs(self) -> tuple[Pack, ...]:
        """Those that are still there."""
        return tuple(pack for pack in self._packs if pack.file.exists())

    def place(self, digest: bytes) -> Path:
        """Where a content is put."""
        return self.folder / _name(digest)

    def path(self, digest: bytes) -> Path:
        """Where a content rests, or would be put."""
        place = self.place(digest)
        if self._packs and not os.path.lexists(place):
            pack = self._pack_with(digest)
            return place if pack is None else pack.folder / _name(digest)
        return place

    def has(self, digest: bytes, size_bytes: int) -> bool:
        """Whether a content is there; it is not read."""
        status = _status(str(self.folder), digest)
        if status is None and self._packs and (pack := self._pack_with(digest)):
            status = _status(str(pack.folder), digest)
        return status is not None and stat.S_ISREG(status.st_mode) and status.st_size == size_bytes

    def _pack_with(self, digest: bytes) -> Pack | None:
        return next((pack for pack in self._packs if pack.has(digest)), None)

    def read(self, digest: bytes, size_bytes: int) -> bytes:
        """A whole content, not compared with its name: the start of a device hashes nothing.

        Raises:
            BadContent: it is missing, or has another size.
        """
        try:
            content = read_bounded(self.path(digest), size_bytes, follow_links=False)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise BadContent(digest, "is missing") from error
        except (OSError, BadFile) as error:
            raise BadContent(digest, f"cannot be read: {error}") from error
        if len(content) != size_bytes:
            raise BadContent(digest, f"has {len(content)} bytes instead of {size_bytes}")
        return content

    def verify(self, digest: bytes, size_bytes: int) -> None:
        """Read a content and compare it with its name.

        Raises:
            BadContent: it is missing, or altered.
        """
        found = VerityHash()
        try:
            with open_regular(self.path(digest), follow_links=False, buffering=0) as file:
                for data in chunks(file):
                    found.update(data)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise BadContent(digest, "is missing") from error
        except (OSError, BadFile) as error:
            raise BadContent(digest, f"cannot be read: {error}") from error
        if found.size_bytes != size_bytes or found.digest() != digest:
            raise BadContent(digest, "was altered")

    def digests(self) -> Iterator[bytes]:
        """All contents that were put here, sorted; not those in packs."""
        for folder in filter(self._is_folder, _sorted_names(self.folder)):
            for name in _sorted_names(self.folder / folder):
                digest = _parse(folder + name)
                if digest is not None:
                    yield digest

    def resting(self) -> Iterator[bytes]:
        """All contents that were put here, then those in packs; some may come twice."""
        yield from self.digests()
        for pack in self.packs:
            yield from Pool(pack.folder).digests()

    def strangers(self) -> Iterator[Path]:
        """What is in the pool and is no content."""
        for folder in _sorted_names(self.folder):
            inside = self.folder / folder
            if not self._is_folder(folder):
                yield inside
                continue
            yield from (
                inside / name for name in _sorted_names(inside) if _parse(folder + name) is None
            )

    def _is_folder(self, name: str) -> bool:
        inside = self.folder / name
        return len(name) == _FOLDER_DIGITS and not inside.is_symlink() and inside.is_dir()

    def remove_empty_folders(self) -> None:
        """Remove the folders in which there is nothing; each takes an inode."""
        for name in _sorted_names(self.folder):
            with contextlib.suppress(OSError):  # there is something in it
                (self.folder / name).rmdir()


def _name(digest: bytes) -> str:
    name = digest.hex()
    return f"{name[:_FOLDER_DIGITS]}/{name[_FOLDER_DIGITS:]}"


def _status(folder: str, digest: bytes) -> os.stat_result | None:
    """Asked for some thousand times, so without making a path."""
    try:
        return os.lstat(f"{folder}/{_name(digest)}")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _sorted_names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are enough
    except (FileNotFoundError, NotADirectoryError):
        return []


def _parse(name: str) -> bytes | None:
    """The digest that a name spells, if it does in the one way that there is."""
    try:
        digest = bytes.fromhex(name)
    except ValueError:
        return None
    return digest if len(digest) == DIGEST_BYTES and digest.hex() == name else None
