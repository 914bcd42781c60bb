"""Equal files are stored once.

Store objects never change, so equal files in different objects may be one file with several
names. The folder ``/nix/store/.links`` holds one name for each content: the digest, in Nix base
32, of the archive of the file alone, which covers the content and the executable bit. A file
whose key is there becomes a hard link to it; one whose key is not there gets this name in
addition. Symbolic links are treated the same way, as Nix does on Linux.

To replace a file by a link a second name is made and renamed over the first, so a cut leaves the
one or the other and never neither. A name in ``.links`` whose size is wrong lost its content in a
power cut; it is dropped.

Source: ``libstore/optimise-store.cc`` of Nix 2.8. Tested by ``tests/compat/test_nix_store.py``:
after us, ``nix-store --optimise`` finds nothing to do, and the other way round.
"""

import errno
import hashlib
import itertools
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from reconix.base.files import COPY_BYTES
from reconix.base.records import dataclass
from reconix.store.nar import (
    MTIME,
    Content,
    Encoder,
    Entry,
    Event,
    FileBegin,
    FolderBegin,
    FolderEnd,
    Link,
    Restorer,
    file_digest,
)
from reconix.store.paths import base32_encode

LINKS = ".links"
_BATCH = 128  # files that a process takes at once

Each = Callable[[Callable[[list[str]], list[str]], list[list[str]]], Iterable[list[str]]]
"""How to do something to each element of a list, in order."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What became shared."""

    files: int = 0
    size_bytes: int = 0

    def __add__(self, other: "Saved") -> "Saved":
        return Saved(self.files + other.files, self.size_bytes + other.size_bytes)


def link_key(path: Path | str) -> str:
    """The name that a file has in ``.links``: 52 characters."""
    return base32_encode(file_digest(path).value)


def optimise(store_dir: Path, tree: Path) -> Saved:
    """Make the files of one object share their content with the rest of the store.

    Args:
        store_dir: the folder that holds the objects and ``.links``.
        tree: an object in it, in its final modes.
    """
    return _optimise(LinkPool(store_dir), tree, set())


def optimise_all(store_dir: Path, trees: Iterable[Path], each: Each = map) -> Saved:
    """``optimise`` for many objects; files that are shared already are not read again.

    Args:
        store_dir: the folder that holds the objects and ``.links``.
        trees: objects in it, in their final modes.
        each: what ``map`` does; that of a pool of processes reads and hashes several files at once.
    """
    pool = LinkPool(store_dir)
    known = pool.inodes()
    return sum((_optimise(pool, tree, known, each) for tree in trees), Saved())


def _optimise(pool: "LinkPool", tree: Path, known: set[int], each: Each = map) -> Saved:
    """Share the leaves of a tree but those with known inodes, and add theirs."""
    fresh = []
    for path, inode in _leaves_with_inodes(tree):
        if inode not in known:
            known.add(inode)
            fresh.append(path)
    batches = [fresh[begin : begin + _BATCH] for begin in range(0, len(fresh), _BATCH)]
    keys = itertools.chain.from_iterable(each(_link_keys, batches))
    return sum((pool.share(path, key) for path, key in zip(fresh, keys, strict=True)), Saved())


def _link_keys(paths: list[str]) -> list[str]:
    return [link_key(path) for path in paths]


def drop_changed(store_dir: Path, tree: Path) -> None:
    """Take the files of an object out of ``.links`` that are not what their names there say."""
    pool = LinkPool(store_dir)
    keys = pool.keys_by_inode()
    for path, inode in _leaves_with_inodes(tree):
        key = keys.get(inode)
        if key is not None and key != link_key(path):
            pool.path(key).unlink(missing_ok=True)


def leaves(tree: Path) -> Iterator[Path]:
    """The files and links of a tree, or the tree itself if it is one."""
    return (Path(path) for path, _ in _leaves_with_inodes(tree))


def _leaves_with_inodes(tree: Path) -> Iterator[tuple[str, int]]:
    status = tree.lstat()
    if not stat.S_ISDIR(status.st_mode):
        yield os.fspath(tree), status.st_ino
        return
    waiting = [os.fspath(tree)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            else:
                yield entry.path, entry.inode()


class LinkPool:
    """The folder ``.links`` of a store.

    Args:
        store_dir: the folder of the objects.
        temporary: a name on the same file system for the moment in which a file is replaced. After
            a cut it may be left; whoever gives a name knows when to remove it.
    """

    def __init__(self, store_dir: Path, temporary: Path | None = None) -> None:
        self._temporary = temporary or store_dir / f".tmp-link-{os.getpid()}"
        self._folder = store_dir / LINKS
        self._name = os.fspath(self._folder)
        if not self._folder.is_dir():
            self._folder.mkdir(exist_ok=True)

    def path(self, key: str) -> Path:
        """Where the content with this key lies, if it does."""
        return self._folder / key

    def inodes(self) -> set[int]:
        """The inodes of all shared files."""
        with os.scandir(self._folder) as entries:
            return {entry.inode() for entry in entries}

    def keys_by_inode(self) -> dict[int, str]:
        """The key under which each shared file was stored."""
        with os.scandir(self._folder) as entries:
            return {entry.inode(): entry.name for entry in entries}

    def add(self, path: Path | str, key: str) -> bool:
        """Keep a file under its key; False if there is one already."""
        try:
            os.link(path, f"{self._name}/{key}", follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.EEXIST:
                return False
            if error.errno not in (errno.EMLINK, errno.ENOSPC):
                raise
        return True

    def share(self, path: Path | str, key: str) -> Saved:
        """Make ``path`` the same file as the one with this key, or the first of its kind."""
        return Saved() if self.add(path, key) else self._replace(Path(path), self.path(key))

    def _replace(self, path: Path, pooled: Path) -> Saved:
        ours, theirs = path.lstat(), pooled.lstat()
        if ours.st_ino == theirs.st_ino:
            return Saved()
        if ours.st_size != theirs.st_size:
            pooled.unlink()
            return self.share(path, pooled.name)
        self._temporary.unlink(missing_ok=True)
        try:
            os.link(pooled, self._temporary, follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.EMLINK:
                return Saved()
            raise
        _rename_into_closed_folder(self._temporary, path)
        return Saved(1, ours.st_size)


def _rename_into_closed_folder(temporary: Path, path: Path) -> None:
    """Rename over a file; the folders of an object are read-only and have a fixed time."""
    folder = path.parent
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & stat.S_IWUSR:
        temporary.rename(path)
        return
    folder.chmod(0o755)
    temporary.rename(path)
    folder.chmod(mode)
    os.utime(folder, (MTIME, MTIME))


class NodeKey:
    """The key of a file or link, from the events that describe it."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()
        self._encoder = Encoder(self._state.update)

    def feed(self, event: Event) -> str | None:
        """Take the next event of a file or link; with the last one of it, give its key."""
        if not isinstance(event, Content):
            self._state = hashlib.sha256()
            self._encoder = Encoder(self._state.update)
        self._encoder.feed(event)
        return base32_encode(self._state.digest()) if self._encoder.complete else None


class TreeKeys:
    """The keys of all files and links of a tree, from its events.

    Args:
        tree: where it is.
    """

    def __init__(self, tree: Path) -> None:
        self.found: list[tuple[Path, str]] = []
        self._names = [os.fsencode(tree)]  # down to what is described
        self._key = NodeKey()

    def feed(self, event: Event) -> None:
        """Take the next event."""
        match event:
            case Entry(name):
                self._names.append(name)
            case FolderBegin():
                pass
            case FolderEnd():
                del self._names[-1]
            case _:
                if key := self._key.feed(event):
                    self.found.append((Path(os.fsdecode(b"/".join(self._names))), key))
                    del self._names[-1]


class SharingRestorer(Restorer):
    """Makes a tree whose files are shared with the store as far as they are there already.

    Files that the pool does not have are written, and remembered in ``fresh`` with their keys: they
    enter the pool when their content is durable.
    """

    def __init__(self, root: Path, pool: LinkPool) -> None:
        super().__init__(root)
        self._pool = pool
        self._fresh: dict[str, bytes] = {}  # where a new content lies, by key
        self._key = NodeKey()
        self._held: list[Event] | None = None  # a small file, until its key is known

    def share_fresh(self) -> None:
        """Put the new files into the pool; call it when they are durable."""
        for key, path in self._fresh.items():
            self._pool.share(Path(os.fsdecode(path)), key)

    def feed(self, event: Event) -> None:
        """Take the next event of a tree."""
        match event:
            case Content():
                self._take_content(event)
            case FileBegin(size_bytes):
                self._held = [] if size_bytes <= COPY_BYTES else None
                self._take_content(event)
            case Link():
                self._held = []
                self._take_content(event)
            case _:
                super().feed(event)

    def _take_content(self, event: Event) -> None:
        key = self._key.feed(event)
        if self._held is None:
            super().feed(event)
        else:
            self._held.append(event)
        if key is not None:
            self._end_node(key)

    def _end_node(self, key: str) -> None:
        if self._held is not None:
            if self._link_known(key, _size(self._held[0])):
                return
            for event in self._held:
                super().feed(event)
            self._held = None
        self._fresh.setdefault(key, b"/".join([*self.open_names(), self._name]))

    def _link_known(self, key: str, size_bytes: int) -> bool:
        """Give the next node the content that is there already, if it is, and is whole."""
        known = self._fresh.get(key) or os.fsencode(self._pool.path(key))
        try:
            if os.lstat(known).st_size != size_bytes:
                return False
            os.link(known, self._name, dst_dir_fd=self._parent(), follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EMLINK):
                raise
            return False
        return True


def _size(first: Event) -> int:
    match first:
        case FileBegin(size_bytes):
            return size_bytes
        case Link(target):
            return len(target)
    return -1


def remove_lonely_links(store_dir: Path) -> int:
    """Remove the names in ``.links`` whose content nobody shares, and give the bytes freed."""
    folder = store_dir / LINKS
    freed = 0
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        status = entry.lstat()
        if status.st_nlink == 1:
            entry.unlink()
            freed += status.st_size
    return freed
