"""Making one object of the target, step by step, where nobody looks for it yet.

An object is made in a folder of its own on the same file system as the store. What the base has is
linked, what the stream brings is written. Then everything that was written is made durable and
dropped from the page cache, and the whole object is read once: what is hashed is what the disk
gives back, old files included. So each byte is read once, not when it is linked and again when it
is verified.

Memory does not depend on the size of a file. What grows with an object is two bytes for each of its
files (their checks, which name the damaged one if the hash is wrong) and the listings of the source
folders that are open.

Names come from the stream and from the base; each is one name below an open folder, and no link is
followed anywhere.

Proven by ``tests/unit/transfer/test_receive.py`` and ``tests/crash/test_receive_cut.py``.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import sync_folder
from reconix.store import nar
from reconix.store.manifest import StoreObject
from reconix.store.nar import MAX_DEPTH, MTIME
from reconix.transfer.plan import (
    Drop,
    End,
    Event,
    File,
    Here,
    Keep,
    Like,
    Link,
    Location,
    Need,
    New,
    Node,
    Piece,
    Take,
    check_of,
    file_check_start,
    folder_check,
    print_checks,
)
from reconix.transfer.stream import BadStream

_COPY_BYTES = 1 << 16
_BATCH_FILES = 64
_BATCH_BYTES = 32 << 20
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_FILE, _FOLDER, _LINK = b"-", b"d", b"l"  # how a kind begins, see ``plan.folder_check``


class DamagedBase(ReconixError):
    """What the device has is not what the base generation promises."""

    exit_code = 55

    def __init__(self, path: str, what: str) -> None:
        super().__init__(
            f"{path} is damaged: {what}",
            hint="nothing was installed; send the whole generation, without a base",
        )
        self.path = path


class ContentMismatch(ReconixError):
    """An object that was put together is not the one that the manifest names."""

    exit_code = 57

    def __init__(self, item: StoreObject, *, found: Digest, where: str) -> None:
        super().__init__(
            f"{item.path} came out wrong: expected {item.nar}, found {found}{where}",
            hint="nothing was installed; transfer the stream again, then check the device's disk",
        )
        self.path, self.expected, self.found = item.path, item.nar, found


@dataclass(slots=True)
class Listing:
    """The entries of a source folder, and how far they were used."""

    descriptor: int
    path: str
    entries: list[tuple[bytes, bytes]]  # name and kind, sorted
    used: int = 0

    @classmethod
    def read(cls, descriptor: int, path: str) -> "Listing":
        """List an open folder; the listing owns the descriptor from now on."""
        with os.scandir(descriptor) as found:
            entries = sorted((os.fsencode(entry.name), _kind(entry, descriptor)) for entry in found)
        return cls(descriptor, path, entries)

    def expect(self, check: int) -> None:
        """Refuse a folder that is not the one the sender saw.

        Raises:
            DamagedBase: names, kinds or link targets differ.
        """
        if folder_check(self.entries) != check:
            raise DamagedBase(self.path, "its entries are not those that it should have")

    def peek(self) -> tuple[bytes, bytes] | None:
        """The next entry, if there is one."""
        return self.entries[self.used] if self.used < len(self.entries) else None

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self.descriptor)


def _kind(entry: "os.DirEntry[str]", folder: int) -> bytes:
    if entry.is_symlink():
        return _LINK + os.fsencode(os.readlink(entry.name, dir_fd=folder))
    if entry.is_dir(follow_symlinks=False):
        return _FOLDER
    return _FILE if entry.is_file(follow_symlinks=False) else b"?"


class Sources:
    """Finds the places that a stream refers to."""

    def __init__(self, roots: Sequence[Path | None]) -> None:
        self._roots = list(roots)

    def set(self, number: int, root: Path) -> None:
        """An object of the target can be referred to from now on."""
        self._roots[number] = root

    def roots(self) -> list[Path]:
        """All that can be referred to."""
        return [root for root in self._roots if root is not None]

    def shown(self, location: Location) -> str:
        """A place as text, for messages."""
        root = self._roots[location.source]
        inside = os.fsdecode(b"/".join(location.path))
        return f"{root}/{inside}" if inside else str(root)

    @contextlib.contextmanager
    def parent(self, location: Location) -> Iterator[tuple[int, bytes]]:
        """Open the folder above a place; give it and the last name.

        Raises:
            DamagedBase: there is no such folder.
        """
        root = self._roots[location.source]
        assert root is not None
        names = (os.fsencode(root.name), *location.path)
        descriptor = os.open(root.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for name in names[:-1]:
                descriptor = self._descend(descriptor, name, location)
            yield descriptor, names[-1]
        finally:
            os.close(descriptor)

    def knows(self, location: Location) -> bool:
        """Whether the object of that number is there."""
        return location.source < len(self._roots) and self._roots[location.source] is not None

    def _descend(self, descriptor: int, name: bytes, location: Location) -> int:
        below = open_folder(descriptor, name, self.shown(location))
        os.close(descriptor)
        return below


def open_folder(parent: int, name: bytes, shown: str) -> int:
    """Open a folder of the base.

    Raises:
        DamagedBase: it is missing or is something else.
    """
    try:
        return os.open(name, _FOLDER_FLAGS, dir_fd=parent)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DamagedBase(shown, "a folder is missing") from error


class _Checks:
    """Takes the checks of one step, one after the other."""

    def __init__(self, content: bytes, shown: str) -> None:
        self._content = content
        self._shown = shown
        self._used = 0

    def next(self) -> int:
        taken = self._content[self._used : self._used + 2]
        if len(taken) < 2:
            raise DamagedBase(self._shown, "it holds more files than it should")
        self._used += 2
        return int.from_bytes(taken, "little")

    def expect_end(self) -> None:
        if self._used != len(self._content):
            raise DamagedBase(self._shown, "it holds fewer files than it should")


class _Unsynced:
    """Files that were written and are not durable yet, a batch at a time.

    To write back all of a batch before the first ``fsync`` lets one commit of the journal serve
    them all.
    """

    def __init__(self) -> None:
        self._files: list[int] = []
        self._size_bytes = 0

    def add(self, descriptor: int, size_bytes: int) -> None:
        """Take over a file that is complete."""
        self._files.append(descriptor)
        self._size_bytes += size_bytes
        if len(self._files) >= _BATCH_FILES or self._size_bytes >= _BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Make all durable and forget what is cached of them."""
        if len(self._files) > 1:
            self._drop()
        for descriptor in self._files:
            os.fsync(descriptor)
        self._drop()
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        while self._files:
            os.close(self._files.pop())
        self._size_bytes = 0

    def _drop(self) -> None:
        for descriptor in self._files:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


@dataclass(slots=True)
class _Folder:
    """An open folder of the object that is made."""

    descriptor: int
    source: Listing | None = None
    last: bytes = b""

    def close(self) -> None:
        os.close(self.descriptor)
        if self.source is not None:
            self.source.close()


@dataclass(slots=True)
class _OpenFile:
    descriptor: int
    size_bytes: int = 0
    left: int = 0
    check: int = 0


@dataclass(slots=True)
class _Budget:
    """What an object may still cost; declared before, so that space could be checked."""

    content_bytes: int
    inodes: int


@dataclass(slots=True)
class Maker:
    """Makes one object from its events, under a name in a folder."""

    name: bytes
    sources: Sources
    wrong: Callable[[str], BadStream]  # makes an error that names the place in the stream
    checks: bytearray = field(default_factory=bytearray)  # of all files, in the archive's order
    _folders: list[_Folder] = field(default_factory=list)
    _file: _OpenFile | None = None
    _unsynced: _Unsynced = field(default_factory=_Unsynced)
    _budget: _Budget = field(default_factory=lambda: _Budget(0, 0))

    @classmethod
    def begin(
        cls, part: Path, sources: Sources, need: Need, wrong: Callable[[str], BadStream]
    ) -> "Maker":
        """Begin an object; ``part`` must not exist, its folder must."""
        maker = cls(os.fsencode(part.name), sources, wrong)
        maker._folders.append(_Folder(os.open(part.parent, _FOLDER_FLAGS)))
        maker._budget = _Budget(need.content_bytes, need.inodes)
        return maker

    def feed(self, event: Event) -> None:
        """Take the next event.

        Raises:
            BadStream: it asks for something that cannot be, or for more than was declared.
            DamagedBase: the base does not have what it should have.
        """
        match event:
            case Piece(data):
                self._write(data)
            case Here(check):
                self._open_here(check)
            case Keep(count, checks):
                self._keep(count, checks)
            case Drop(count):
                self._drop(count)
            case End():
                self._end()
            case _:
                self._feed_node(event)

    def _feed_node(self, event: Node) -> None:
        match event:
            case File(name, size_bytes, executable):
                self._begin_file(self._place(name), size_bytes, executable=executable)
            case Link(name, target):
                self._make_link(self._place(name), target)
            case Take(name, location, checks):
                self._take(self._place(name), location, checks)
            case New(name):
                self._open_folder(self._place(name), None)
            case Like(name, location, check):
                self._open_like(self._place(name), location, check)

    def finish(self) -> None:
        """Make the files durable; the object is complete."""
        self._unsynced.flush()

    def close(self) -> None:
        """Let go of what is open; needed in any case."""
        self._unsynced.close()
        if self._file is not None:
            os.close(self._file.descriptor)
            self._file = None
        while self._folders:
            self._folders.pop().close()

    @property
    def _top(self) -> _Folder:
        return self._folders[-1]

    def _place(self, name: bytes | None) -> bytes:
        """The name of the next entry; names must rise."""
        if name is None:
            name = self.name if len(self._folders) == 1 else self._next_entry()[0]
        self._rise(name)
        return name

    def _rise(self, name: bytes) -> None:
        if name <= self._top.last:
            raise self.wrong(f"{name!r} stands after {self._top.last!r}")
        self._top.last = name

    def _next_entry(self) -> tuple[bytes, bytes]:
        source = self._top.source
        assert source is not None  # the parser sees to it
        entry = source.peek()
        if entry is None:
            raise self.wrong(f"{source.path} has no more entries")
        source.used += 1
        return entry

    def _spend(self, *, content_bytes: int = 0) -> None:
        self._budget.inodes -= 1
        self._budget.content_bytes -= content_bytes
        if self._budget.inodes < 0 or self._budget.content_bytes < 0:
            raise self.wrong("an object needs more than it declared")

    def _begin_file(self, name: bytes, size_bytes: int, *, executable: bool) -> None:
        self._spend(content_bytes=size_bytes)
        descriptor = _create(name, self._top.descriptor, executable=executable)
        check = file_check_start(executable=executable)
        self._file = _OpenFile(descriptor, size_bytes, size_bytes, check)
        if size_bytes == 0:
            self._end_file(self._file)

    def _write(self, data: bytes) -> None:
        file = self._file
        assert file is not None
        _write_all(file.descriptor, data)
        file.check = check_of(data, file.check)
        file.left -= len(data)
        if file.left == 0:
            self._end_file(file)

    def _end_file(self, file: _OpenFile) -> None:
        self._seal_file(file.descriptor, file.size_bytes)
        self._remember(file.check & 0xFFFF)

    def _seal_file(self, descriptor: int, size_bytes: int) -> None:
        os.utime(descriptor, (MTIME, MTIME))
        self._file = None
        self._unsynced.add(descriptor, size_bytes)

    def _remember(self, check: int) -> None:
        self.checks += print_checks([check])

    def _make_link(self, name: bytes, target: bytes) -> None:
        self._spend()
        os.symlink(target, name, dir_fd=self._top.descriptor)
        os.utime(name, (MTIME, MTIME), dir_fd=self._top.descriptor, follow_symlinks=False)

    def _take(self, name: bytes, location: Location, checks: bytes) -> None:
        self._expect_known(location)
        shown = self.sources.shown(location)
        with self.sources.parent(location) as (parent, last):
            left = _Checks(checks, shown)
            self._copy(parent, (last, _kind_of(parent, last, shown)), name, left, shown)
            left.expect_end()

    def _expect_known(self, location: Location) -> None:
        if not self.sources.knows(location):
            raise self.wrong(f"a reference to object {location.source}, which is not there")

    def _open_like(self, name: bytes, location: Location, check: int) -> None:
        self._expect_known(location)
        shown = self.sources.shown(location)
        with self.sources.parent(location) as (parent, last):
            self._open_folder(name, _list(parent, last, shown))
        self._expect_check(check)

    def _open_here(self, check: int) -> None:
        name, kind = self._next_entry()
        self._rise(name)
        source = self._top.source
        assert source is not None
        if kind != _FOLDER:
            raise self.wrong(f"{name!r} is no folder")
        shown = f"{source.path}/{os.fsdecode(name)}"
        self._open_folder(name, _list(source.descriptor, name, shown))
        self._expect_check(check)

    def _expect_check(self, check: int) -> None:
        assert self._top.source is not None
        self._top.source.expect(check)

    def _open_folder(self, name: bytes, source: Listing | None) -> None:
        try:
            descriptor = self._make_folder(name)
        except BaseException:
            if source is not None:
                source.close()
            raise
        self._folders.append(_Folder(descriptor, source))

    def _make_folder(self, name: bytes) -> int:
        self._spend()
        if len(self._folders) > MAX_DEPTH:
            raise self.wrong(f"folders are nested deeper than {MAX_DEPTH}")
        os.mkdir(name, 0o700, dir_fd=self._top.descriptor)
        return os.open(name, _FOLDER_FLAGS, dir_fd=self._top.descriptor)

    def _end(self) -> None:
        folder = self._folders.pop()
        os.fchmod(folder.descriptor, 0o555)
        os.utime(folder.descriptor, (MTIME, MTIME))
        folder.close()

    def _keep(self, count: int, checks: bytes) -> None:
        source = self._top.source
        assert source is not None
        left = _Checks(checks, source.path)
        for _ in range(count):
            entry = self._next_entry()
            self._rise(entry[0])
            shown = f"{source.path}/{os.fsdecode(entry[0])}"
            self._copy(source.descriptor, entry, entry[0], left, shown)
        left.expect_end()

    def _drop(self, count: int) -> None:
        source = self._top.source
        assert source is not None
        if source.used + count > len(source.entries):
            raise self.wrong(f"{source.path} has no more entries")
        source.used += count

    def _copy(
        self, parent: int, entry: tuple[bytes, bytes], name: bytes, checks: _Checks, shown: str
    ) -> None:
        """Make a node equal to one that the device has."""
        old, kind = entry
        if kind == _FOLDER:
            self._copy_folder(parent, old, name, checks, shown)
        elif kind[:1] in (_FILE, _LINK):
            self._link(parent, old, name)
            if kind == _FILE:
                self._remember(checks.next())
        else:
            raise DamagedBase(shown, "it is neither file, folder nor symbolic link")

    def _copy_folder(
        self, parent: int, old: bytes, name: bytes, checks: _Checks, shown: str
    ) -> None:
        source = _list(parent, old, shown)
        self._open_folder(name, source)
        self._expect_check(checks.next())
        for entry in source.entries:
            inside = f"{shown}/{os.fsdecode(entry[0])}"
            self._copy(source.descriptor, entry, entry[0], checks, inside)
        self._end()

    def _link(self, parent: int, old: bytes, name: bytes) -> None:
        target = self._top.descriptor
        try:
            os.link(old, name, src_dir_fd=parent, dst_dir_fd=target, follow_symlinks=False)
        except OSError as error:
            if error.errno != errno.EMLINK:
                raise
            self._duplicate(parent, old, name)

    def _duplicate(self, parent: int, old: bytes, name: bytes) -> None:
        """Copy what has as many names as the file system allows."""
        status = os.stat(old, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(old, dir_fd=parent), name, dir_fd=self._top.descriptor)
            os.utime(name, (MTIME, MTIME), dir_fd=self._top.descriptor, follow_symlinks=False)
            return
        executable = bool(status.st_mode & stat.S_IXUSR)
        self._file = _OpenFile(_create(name, self._top.descriptor, executable=executable))
        source = os.open(old, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            while data := os.read(source, _COPY_BYTES):
                _write_all(self._file.descriptor, data)
        finally:
            os.close(source)
        self._seal_file(self._file.descriptor, status.st_size)


def _create(name: bytes, parent: int, *, executable: bool) -> int:
    descriptor = os.open(name, _NEW_FILE_FLAGS, 0o600, dir_fd=parent)
    os.fchmod(descriptor, 0o555 if executable else 0o444)
    return descriptor


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _list(parent: int, name: bytes, shown: str) -> Listing:
    descriptor = open_folder(parent, name, shown)
    try:
        return Listing.read(descriptor, shown)
    except BaseException:
        os.close(descriptor)
        raise


def _kind_of(parent: int, name: bytes, shown: str) -> bytes:
    try:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError as error:
        raise DamagedBase(shown, "it is missing") from error
    if stat.S_ISDIR(mode):
        return _FOLDER
    if stat.S_ISLNK(mode):
        return _LINK
    return _FILE if stat.S_ISREG(mode) else b"?"


def sync_folders(tree: Path) -> None:
    """Make the names of a tree durable: every folder, children first."""
    for folder, _, _ in os.walk(tree, topdown=False):
        sync_folder(Path(folder))


def verify(tree: Path, item: StoreObject, checks: bytes, sources: Sources) -> None:
    """Read a whole object and compare it with what the manifest promises.

    Raises:
        DamagedBase: it is wrong because of a file of the base, which is named.
        ContentMismatch: it is wrong.
    """
    found = nar.digest(tree)
    if found == nar.NarInfo(item.nar, item.nar_size_bytes):
        return
    where = ""
    damaged = _find_damage(tree, checks)
    if damaged is not None:
        origin = _find_origin(tree / os.fsdecode(damaged), sources)
        if origin is not None:
            raise DamagedBase(str(origin), f"so {item.path} cannot be made from it")
        where = f"; the file that differs is {os.fsdecode(damaged) or 'the object itself'}"
    raise ContentMismatch(item, found=found.digest, where=where)


def _find_damage(tree: Path, checks: bytes) -> bytes | None:
    """The first file whose check is wrong, relative to the tree."""
    for index, (path, found) in enumerate(_file_checks(tree)):
        if checks[2 * index : 2 * index + 2] != print_checks([found]):
            return path
    return None


def _file_checks(tree: Path) -> Iterator[tuple[bytes, int]]:
    """Path and check of each file, in the archive's order."""
    names: list[bytes] = []
    state = left = 0
    for event in nar.walk(tree):
        match event:
            case nar.Entry(name):
                names.append(name)
            case nar.FileBegin(size_bytes, executable):
                state, left = file_check_start(executable=executable), size_bytes
            case nar.Content(data):
                state, left = check_of(data, state), left - len(data)
        if isinstance(event, nar.FileBegin | nar.Content) and left == 0:
            yield b"/".join(names), state & 0xFFFF
            del names[-1:]
        elif isinstance(event, nar.Link | nar.FolderEnd):
            del names[-1:]


def _find_origin(path: Path, sources: Sources) -> Path | None:
    """The other name of a file, in an object that the device had before."""
    wanted = path.lstat().st_ino
    for root in sources.roots():
        if path.is_relative_to(root):
            continue
        for candidate in _files(root):
            if candidate.lstat().st_ino == wanted:
                return candidate
    return None


def _files(root: Path) -> Iterator[Path]:
    if not root.is_dir() or root.is_symlink():
        yield root
        return
    for folder, _, names in os.walk(root):
        yield from (Path(folder, name) for name in names)
