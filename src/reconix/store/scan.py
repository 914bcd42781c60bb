"""Reading a tree of the build store as the nodes of an image.

What a Nix tree does not say comes from a sidecar, if the object has one. Each file is read once,
however many names it has.

Tested by ``tests/unit/store/test_scan.py``.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from reconix.base.files import chunks
from reconix.base.records import dataclass, field
from reconix.store.images.nodes import (
    EXECUTABLE,
    LINK,
    MAX_INLINE_BYTES,
    MAX_SIZE,
    READ_ONLY,
    ImageFile,
    ImageFolder,
    ImageLink,
    Metadata,
    Node,
)
from reconix.store.images.verity import VerityHash
from reconix.store.nar import BadTree

Described = Mapping[bytes, Metadata]
"""Metadata by path within an object, ``b""`` for the object itself."""


class FileContent(NamedTuple):
    """Size of a file, and the digest of its content; the content itself, if that is small."""

    size_bytes: int
    content: bytes


Listed = Mapping[bytes, FileContent]
"""Contents in the pool that are known without reading, by path within an object."""


@dataclass(slots=True)
class Scanner:
    """Reads trees, and remembers where each content is.

    Attributes:
        places: a file for each content that was read, by digest.
    """

    places: dict[bytes, Path] = field(default_factory=dict)
    _known: dict[tuple[int, int], FileContent] = field(default_factory=dict)

    def scan(
        self,
        tree: Path,
        described: Described | None = None,
        omitted: frozenset[bytes] = frozenset(),
        listed: Listed | None = None,
    ) -> Node:
        """Read a tree.

        Args:
            tree: a file, link or folder.
            described: metadata of what is unusual.
            omitted: paths that are left out, with all below them.
            listed: what is not read, as long as its size is the one here.

        Raises:
            BadTree: it holds something other than files, folders and symbolic links.
        """
        return _Scan(self, described or {}, omitted, listed or {}).read(os.fsencode(tree), b"")

    def content(self, path: bytes, status: os.stat_result) -> FileContent:
        """Size and digest of a file, or its content."""
        inode = (status.st_dev, status.st_ino)
        known = self._known.get(inode)
        if known is None:
            known = self._read(path, status)
            self._known[inode] = known
        return known

    def _read(self, path: bytes, status: os.stat_result) -> FileContent:
        if status.st_size > MAX_SIZE:
            raise BadTree(
                f"{os.fsdecode(path)} has {status.st_size} bytes, more than any image holds"
            )
        place = Path(os.fsdecode(path))
        with place.open("rb", buffering=0) as file:
            if status.st_size <= MAX_INLINE_BYTES:
                content = file.read(MAX_INLINE_BYTES + 1)
                return FileContent(len(content), content)
            state = VerityHash()
            for data in chunks(file):
                state.update(data)
        digest = state.digest()
        self.places.setdefault(digest, place)
        return FileContent(state.size_bytes, digest)


@dataclass(frozen=True, slots=True)
class _Scan:
    """One tree."""

    scanner: Scanner
    described: Described
    omitted: frozenset[bytes]
    listed: Listed

    def read(self, path: bytes, inside: bytes) -> Node:
        """The node at a path."""
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode):
            usual = EXECUTABLE if status.st_mode & stat.S_IXUSR else READ_ONLY
            found = self.listed.get(inside)
            if found is None or found.size_bytes != status.st_size:
                found = self.scanner.content(path, status)
            return ImageFile(self.described.get(inside, usual), found.size_bytes, found.content)
        if stat.S_ISLNK(status.st_mode):
            return ImageLink(self.described.get(inside, LINK), _target(path))
        if not stat.S_ISDIR(status.st_mode):
            raise BadTree(f"{os.fsdecode(path)} is neither file, folder nor symbolic link")
        entries = []
        for name in sorted(os.listdir(path)):  # noqa: PTH208 - bytes
            below = inside + b"/" + name if inside else name
            if below not in self.omitted:
                entries.append((name, self.read(path + b"/" + name, below)))
        return ImageFolder(self.described.get(inside, EXECUTABLE), tuple(entries))


def _target(path: bytes) -> bytes:
    return os.readlink(path)  # noqa: PTH115 - bytes
