"""What a new file system shall hold: folders, files and links, described and not yet there.

The system partition of a device has folders that no folder of the build host looks like: contents
lie in its pool, once each, under names that nothing has here. So a tree is described, and the file
system is filled from the description (``populate.py``). A content is bytes, or a file of which the
bytes are read when they are needed.

Owners are always root, times always one second after 1970, so a description says neither. Modes are
those that are described, whatever the umask is.

Tested by ``tests/unit/image/test_new_files.py`` and ``tests/compat/test_ext4.py``.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from reconix.store.nar import BadTree

FILE_MODE, FOLDER_MODE = 0o644, 0o755
"""Of what is described without a mode."""


class NewFile(NamedTuple):
    """A regular file.

    Args:
        content: its bytes, or where they are.
        mode: its mode.
        has_verity: whether the kernel shall compare each block with a hash when it is read.
    """

    content: bytes | Path
    mode: int = FILE_MODE
    has_verity: bool = False

    @property
    def size_bytes(self) -> int:
        """The size of the content."""
        found = self.content
        return len(found) if isinstance(found, bytes) else found.stat().st_size


class NewLink(NamedTuple):
    """A symbolic link."""

    target: bytes


class NewFolder(NamedTuple):
    """A folder."""

    entries: "tuple[tuple[bytes, NewNode], ...]"
    """Names and nodes, sorted by name."""
    mode: int = FOLDER_MODE


NewNode = NewFile | NewLink | NewFolder


def new_folder(entries: Mapping[str, NewNode], *, mode: int = FOLDER_MODE) -> NewFolder:
    """A folder of what is given by name."""
    named = ((os.fsencode(name), node) for name, node in entries.items())
    return NewFolder(tuple(sorted(named, key=lambda entry: entry[0])), mode)


def read_folder(folder: Path) -> NewFolder:
    """Describe a folder of this machine: its names, kinds, modes, and where its contents are.

    A file with several names becomes several files.

    Raises:
        BadTree: it holds something other than files, folders and symbolic links.
    """
    found = _read(folder)
    assert isinstance(found, NewFolder)
    return found


def _read(path: Path) -> NewNode:
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISREG(status.st_mode):
        return NewFile(path, mode)
    if stat.S_ISLNK(status.st_mode):
        return NewLink(os.fsencode(os.readlink(path)))  # noqa: PTH115 - pathlib would tidy it
    if not stat.S_ISDIR(status.st_mode):
        raise BadTree(f"{path} is neither file, folder nor symbolic link")
    return new_folder({below.name: _read(below) for below in path.iterdir()}, mode=mode)


def walk(node: NewNode) -> Iterator[NewNode]:
    """A node and all that is below it, folders first."""
    yield node
    if isinstance(node, NewFolder):
        for _, below in node.entries:
            yield from walk(below)
