"""A new folder that is filled from an untrusted archive, entry by entry.

An archive is a list of names, and whoever made it chose them. ``usr`` may be a link to somewhere
else, and the next entry lies in ``usr``; a name may come twice, first as a link and then as a file
to be written through it; a hard link may lead to a file that is not of the archive. So each entry
is compared with those before it: it lies in a folder that the archive has made, it has a name of
its own, and a hard link leads to a file of the archive. Then nothing outside is ever touched,
whatever the links in it say, because no link is followed to write.

A name is text of one line: the lists that lie beside a root have a line for each.

Tested by ``tests/unit/build/root/test_new_tree.py``.
"""

import enum
import os
from pathlib import Path
from typing import BinaryIO

from reconix.base.errors import ReconixError


class UnsafeArchive(ReconixError):
    """An archive has an entry that does not belong in a new folder."""

    exit_code = 60

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"the archive of a root has an entry {path!r}, {why}")


class Kind(enum.Enum):
    """What an entry is."""

    FOLDER = enum.auto()
    FILE = enum.auto()
    LINK = enum.auto()


def relative(name: str) -> str:
    """The path of an entry below the folder, or nothing for the folder itself.

    Raises:
        UnsafeArchive: it is absolute, leads elsewhere, or is not text of one line.
    """
    path = name.removeprefix("./").rstrip("/")
    if path in ("", "."):
        return ""
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise UnsafeArchive(name, "which is outside of it")
    if not all(char.isprintable() or ord(char) >= 0xA0 for char in path) or not _is_utf_8(path):
        raise UnsafeArchive(name, "which is not a valid name")
    return path


def _is_utf_8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class NewTree:
    """A folder that did not exist before, and what is in it.

    All paths are as ``relative`` gives them. Each method raises ``UnsafeArchive`` for an entry that
    was there before, or whose folder was not.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.root = root
        self._kinds = {"": Kind.FOLDER}

    def kind(self, path: str) -> Kind | None:
        """What stands under a path, if anything."""
        return self._kinds.get(path)

    def folder(self, path: str) -> None:
        """Make a folder; one that is there already stays."""
        if self.kind(path) is not Kind.FOLDER:
            self._new(path, Kind.FOLDER).mkdir()

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link, wherever it leads."""
        self._new(path, Kind.LINK).symlink_to(target)

    def hard_link(self, path: str, other: str) -> None:
        """Give a file of this tree a further name."""
        if self.kind(other) is not Kind.FILE:
            raise UnsafeArchive(path, f"a hard link to {other!r}, which is not an earlier file")
        os.link(self.root / other, self._new(path, Kind.FILE), follow_symlinks=False)

    def file(self, path: str) -> BinaryIO:
        """Make a file, to be written by the caller."""
        return self._new(path, Kind.FILE).open("xb")

    def put(self, path: str, content: bytes) -> None:
        """Write a file of ours, in the place of a file or a link that the archive has there."""
        if self.kind(path) in (Kind.FILE, Kind.LINK):
            (self.root / path).unlink()
            del self._kinds[path]
        with self.file(path) as file:
            file.write(content)

    def _new(self, path: str, kind: Kind) -> Path:
        if path in self._kinds:
            raise UnsafeArchive(path, "which occurs twice")
        if self.kind(path.rpartition("/")[0]) is not Kind.FOLDER:
            raise UnsafeArchive(path, "whose folder is missing")
        self._kinds[path] = kind
        return self.root / path
