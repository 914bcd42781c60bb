"""Canonical metadata: what a tree keeps of modes, times and owners when it enters a store.

A store object consists of content, names, targets and one executable bit. Everything else that a
file system notes would make equal objects different, so it is set to the one value that it has in
every store: mode 0444 or 0555, one second after the epoch, owned by the store's owner, no
extended attributes (among them capabilities and access lists), not set-user-id.

Tested by ``tests/unit/nix/test_canonical.py``.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from reconix.store.nar import MTIME, BadTree


def canonicalise(tree: Path) -> None:
    """Give every file, link and folder of a tree the metadata of a store; content stays.

    Raises:
        BadTree: the tree holds a device, a pipe or a socket, or a file that also has a name outside
            the tree: changing its mode would change it there, and a later change there would change
            the store.
    """
    names: dict[int, int] = {}  # how many names of an inode we have not met yet
    for path in _nodes(tree):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            names[status.st_ino] = names.get(status.st_ino, status.st_nlink) - 1
    if any(names.values()):
        raise BadTree(
            f"{tree} has a file with a hard link outside of it",
            hint="add it without move, so that it is copied",
        )
    for path in _nodes(tree):
        _canonicalise_node(path)


def _nodes(tree: Path) -> Iterator[Path]:
    """The nodes of a tree, what is in a folder before the folder."""
    if tree.is_dir() and not tree.is_symlink():
        for folder, folders, names in os.walk(tree, topdown=False):
            yield from (Path(folder, name) for name in names)
            yield from (Path(folder, name) for name in folders if Path(folder, name).is_symlink())
            yield Path(folder)
    else:
        yield tree


def _canonicalise_node(path: Path) -> None:
    status = path.lstat()
    _check_kind(path, status.st_mode)
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(path, os.geteuid(), os.getegid(), follow_symlinks=False)
    _remove_attributes(path, status.st_mode)
    if not stat.S_ISLNK(status.st_mode):
        executable = stat.S_ISDIR(status.st_mode) or status.st_mode & stat.S_IXUSR
        path.chmod(0o555 if executable else 0o444)
    os.utime(path, (MTIME, MTIME), follow_symlinks=False)


def _remove_attributes(path: Path, mode: int) -> None:
    names = os.listxattr(path, follow_symlinks=False)
    if names and not stat.S_ISLNK(mode):
        path.chmod(0o700)
    for name in names:
        os.removexattr(path, name, follow_symlinks=False)


def _check_kind(path: Path, mode: int) -> None:
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        raise BadTree(
            f"{path} is neither file, folder nor symbolic link",
            hint="a store holds nothing else; remove it from the tree",
        )
