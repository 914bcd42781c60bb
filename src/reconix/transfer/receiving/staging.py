"""Making one object of the target, step by step, under a name that nothing refers to yet.

An object is made in a folder of its own on the same file system as the store. What the base has is
linked, what the stream brings is written. Then everything that was written is made durable and
dropped from the page cache, and the whole object is read once: what is hashed is what the disk
gives back, old files included. So each byte is read once, not when it is linked and again when it
is verified.

Memory does not depend on the size of a file. What grows with an object is the listings of the
source folders that are open.

Names come from the stream and from the base; each is one name below an open folder, and no link is
followed anywhere.

Tested by ``tests/unit/transfer/receiving/test_receive.py`` and ``tests/crash/test_receive_cut.py``.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import sync_file_system
from reconix.store import nar
from reconix.store.links import LINKS
from reconix.store.manifest import StoreObject
from reconix.store.nar import MAX_DEPTH, MAX_FOLDER_BYTES, MTIME
from reconix.store.verify import changed_files
from reconix.transfer.codecs.packs import BadPack, Pack
from reconix.transfer.codecs.renames import NO_RENAMES
from reconix.transfer.format.costs import LISTED_WORK, Account, CpuLimit, entry_bytes, part_work
from reconix.transfer.format.plan import (
    MAX_ENTRIES,
    Copied,
    Drop,
    End,
    Event,
    File,
    Follow,
    Here,
    Keep,
    Like,
    Link,
    Location,
    New,
    Node,
    Part,
    Patched,
    Piece,
    Source,
    Take,
    can_be_held,
    entry_check,
)
from reconix.transfer.format.stream import BadStream
from reconix.transfer.receiving.patching import Old, PartMaker, expanded
from reconix.transfer.receiving.sources import (
    FILE,
    FOLDER,
    FOLDER_FLAGS,
    LINK,
    DamagedBase,
    Listing,
    Sources,
    expect_seen,
    kind_of,
    open_file,
)

_COPY_BYTES = 1 << 16
_SHOWN_FILES = 3
_BATCH_FILES = 64
_BATCH_BYTES = 32 << 20
_Leaf = Callable[[int, bytes, bytes], None]
"""Makes a file or link like an old one: folder and name of that, and the new name."""

_NEW_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


class ContentMismatch(ReconixError):
    """An object that was put together is not the one that the manifest names."""

    exit_code = 57

    def __init__(self, item: StoreObject, *, found: Digest, where: str) -> None:
        super().__init__(
            f"{item.path} came out wrong: expected {item.nar}, found {found}{where}",
            hint="nothing was installed; transfer the stream again, then check the device's disk",
        )
        self.path, self.expected, self.found = item.path, item.nar, found


class _Unsynced:
    """Files that were written and are not durable yet, a batch at a time.

    One ``syncfs`` serves them all, and the folders that they are in.
    """

    def __init__(self) -> None:
        self._files: list[int] = []
        self._size_bytes = 0

    def add(self, descriptor: int, size_bytes: int) -> None:
        """Take over a file that is complete."""
        self._files.append(descriptor)
        self._size_bytes += size_bytes

    @property
    def is_full(self) -> bool:
        """Whether it is time to flush."""
        return len(self._files) >= _BATCH_FILES or self._size_bytes >= _BATCH_BYTES

    def flush(self, folder: int) -> None:
        """Make all durable, with what else is in this file system; forget what is cached of it."""
        sync_file_system(folder)
        for descriptor in self._files:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        while self._files:
            os.close(self._files.pop())
        self._size_bytes = 0


@dataclass(slots=True)
class _Folder:
    """An open folder of the object that is made."""

    descriptor: int
    source: Listing | None = None
    last: bytes = b""
    entries: int = 0
    entries_bytes: int = 0
    inside: int = 0  # entries of a folder in it, and in that, where they are most

    def close(self) -> None:
        os.close(self.descriptor)
        if self.source is not None:
            self.source.close()


@dataclass(slots=True)
class _OpenFile:
    descriptor: int
    size_bytes: int = 0
    left: int = 0
    replaced: tuple[int, bytes, str] | None = None  # folder and name of the file that it replaces
    patched: bool = False  # made in parts
    parts: int = 0  # that are still to come
    old: Old | None = None
    part: PartMaker | None = None
    pending: bytearray = field(default_factory=bytearray)  # too little to be written yet

    def write(self, data: bytes) -> None:
        """Take the next content; pieces between two copies are small."""
        if len(self.pending) + len(data) >= _COPY_BYTES:
            self.flush()
        if len(data) >= _COPY_BYTES:
            _write_all(self.descriptor, data)
        else:
            self.pending += data

    def flush(self) -> None:
        """Write what is pending."""
        _write_all(self.descriptor, self.pending)
        self.pending.clear()

    def close(self) -> None:
        os.close(self.descriptor)
        self.close_old()

    def close_old(self) -> None:
        if self.old is not None:
            self.old.close()
            self.old = None


@dataclass(slots=True)
class Maker:
    """Makes one object from its events, under a name in a folder."""

    name: bytes
    sources: Sources
    account: Account
    scratch: Path = Path()  # a folder for what is expanded meanwhile
    _folders: list[_Folder] = field(default_factory=list)
    _file: _OpenFile | None = None
    _unsynced: _Unsynced = field(default_factory=_Unsynced)

    @classmethod
    def begin(cls, part: Path, sources: Sources, account: Account) -> "Maker":
        """Begin an object; ``part`` must not exist, its folder must."""
        maker = cls(os.fsencode(part.name), sources, account, part.parent)
        maker._folders.append(_Folder(os.open(part.parent, FOLDER_FLAGS)))
        return maker

    def wrong(self, message: str) -> BadStream:
        """An error that names the place in the stream."""
        return self.account.wrong(message)

    def feed(self, event: Event) -> int:
        """Take the next event; gives how many bytes of content were made.

        Raises:
            BadStream: it asks for something that cannot be, or for more than was declared.
            DamagedBase: the base does not have what it should have.
        """
        match event:
            case Piece() | Copied():
                self.account.cpu_limit.check()
                self._content(event)
                return len(event.data)
            case Part():
                self._begin_part(event)
            case Here(check):
                self._open_here(check)
            case Keep(count, check):
                self._keep(count, check, self._link)
            case Follow(count, check):
                before = self.account.content_bytes
                self._keep(count, check, self._follow)
                return before - self.account.content_bytes
            case Drop(count):
                self._drop(count)
            case End():
                self._end()
            case _:
                self._feed_node(event)
        return 0

    def _feed_node(self, event: Node) -> None:
        match event:
            case File(name, size_bytes, executable):
                self._begin_file(self._place(name), size_bytes, executable=executable)
                self._end_file_if_complete()
            case Patched(name, size_bytes, executable, parts):
                self._begin_patched(name, size_bytes, parts, executable=executable)
            case Link(name, target):
                self._make_link(self._place(name), target)
            case Take(name, location, check):
                self._take(self._place(name), location, check)
            case New(name):
                self._open_folder(self._place(name), None)
            case Like(name, location, check):
                self._open_like(self._place(name), location, check)

    def finish(self) -> None:
        """Make it durable; the object is complete."""
        self._unsynced.flush(self._folders[0].descriptor)

    def close(self) -> None:
        """Let go of what is open; needed in any case."""
        self._unsynced.close()
        if self._file is not None:
            self._file.close()
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
            raise self.wrong(f"{name!r} comes after {self._top.last!r}")
        self._top.last = name
        self._pay_name(name)

    def _pay_name(self, name: bytes) -> None:
        if len(self._folders) > 1:  # else it stands among the objects
            before = self._top.entries_bytes
            self._top.entries += 1
            self._top.entries_bytes += entry_bytes(name)
            self.account.name(before, self._top.entries_bytes)

    def _next_entry(self) -> tuple[bytes, bytes]:
        source = self._top.source
        assert source is not None  # the parser sees to it
        entry = source.peek()
        if entry is None:
            raise self.wrong(f"{source.path} has no more entries")
        source.used += 1
        return entry

    def _begin_file(self, name: bytes, size_bytes: int, *, executable: bool) -> _OpenFile:
        self.account.file(size_bytes)
        descriptor = _create(name, self._top.descriptor, executable=executable)
        self._file = _OpenFile(descriptor, size_bytes, size_bytes)
        return self._file

    def _begin_patched(
        self, name: bytes | None, size_bytes: int, parts: int, *, executable: bool
    ) -> None:
        source = self._top.source
        replaced = source.peek() if source is not None and name is None else None
        file = self._begin_file(self._place(name), size_bytes, executable=executable)
        file.patched, file.parts = True, parts
        if source is not None and replaced is not None:
            shown = f"{source.path}/{os.fsdecode(replaced[0])}"
            file.replaced = (source.descriptor, replaced[0], shown)
        self._end_file_if_complete()

    def _begin_part(self, part: Part) -> None:
        file = self._file
        assert file is not None
        file.old = Old()
        self.account.spend(part_work(part))
        for source in part.sources:
            self._open_source(file, source)
        file.parts -= 1
        try:
            file.part = PartMaker(part, file.old, self._write, self.wrong, self.account.spend)
        except OSError as error:
            raise self._packing(error) from error
        self._end_part_if_complete(file)

    def _packing(self, error: Exception) -> BadStream:
        return self.wrong(f"a part cannot be packed: {error}")

    def _open_source(self, file: _OpenFile, source: Source) -> None:
        if source.location is not None:
            self._expect_known(source.location)
            with self.sources.parent(source.location) as (parent, name):
                self._add_source(file, source, parent, name, self.sources.shown(source.location))
        elif file.replaced is not None:
            self._add_source(file, source, *file.replaced)
        else:
            raise self.wrong("a file is patched from the one that it replaces, but replaces none")

    def _add_source(
        self, file: _OpenFile, source: Source, parent: int, name: bytes, shown: str
    ) -> None:
        assert file.old is not None
        descriptor = open_file(parent, name, shown)
        if source.pack is Pack.NONE:
            renames = self.sources.renames if source.follows else NO_RENAMES
            file.old.append(descriptor, os.fstat(descriptor).st_size, renames)
            return
        try:
            file.old.append(self._expand(source, descriptor, shown), source.size_bytes)
        finally:
            os.close(descriptor)

    def _expand(self, source: Source, descriptor: int, shown: str) -> int:
        """Expand what is packed into a file without a name; give its descriptor."""
        self.account.expanded(source.size_bytes)
        path = self.scratch / ".expanded"
        with path.open("w+b") as scratch:
            path.unlink()
            try:
                expanded(source, descriptor, scratch)
            except BadPack as error:
                raise DamagedBase(shown, f"it cannot be expanded: {error}") from error
            return os.dup(scratch.fileno())

    def _content(self, event: Piece | Copied) -> None:
        file = self._file
        assert file is not None  # the parser sees to it
        if file.part is None:
            assert isinstance(event, Piece)  # likewise
            self._write(event.data)
            self._end_file_if_complete()
            return
        try:
            file.part.feed(event)
        except BadPack as error:
            raise self._packing(error) from error
        self._end_part_if_complete(file)

    def _end_part_if_complete(self, file: _OpenFile) -> None:
        if file.part is None or not file.part.complete:
            return
        try:
            file.part.finish()
        except BadPack as error:
            raise self._packing(error) from error
        file.part = None
        file.close_old()
        self.account.forget_expanded()
        self._end_file_if_complete()

    def _write(self, data: bytes) -> None:
        file = self._file
        assert file is not None
        file.left -= len(data)
        if file.left < 0:
            raise self.wrong("a file is larger than declared")
        file.write(data)

    def _end_file_if_complete(self) -> None:
        file = self._file
        assert file is not None
        if file.parts or file.part is not None:
            return
        if file.patched and file.left:
            raise self.wrong("a file is smaller than declared")
        if file.left == 0:
            file.flush()
            self._seal_file(file.descriptor, file.size_bytes)

    def _seal_file(self, descriptor: int, size_bytes: int) -> None:
        os.utime(descriptor, (MTIME, MTIME))
        self._file = None
        self._unsynced.add(descriptor, size_bytes)
        if self._unsynced.is_full:
            self._unsynced.flush(self._folders[0].descriptor)

    def _make_link(self, name: bytes, target: bytes) -> None:
        self.account.link(target)
        os.symlink(target, name, dir_fd=self._top.descriptor)
        os.utime(name, (MTIME, MTIME), dir_fd=self._top.descriptor, follow_symlinks=False)

    def _take(self, name: bytes, location: Location, check: int) -> None:
        self._expect_known(location)
        shown = self.sources.shown(location)
        with self.sources.parent(location) as (parent, last):
            kind = kind_of(parent, last, shown)
            expect_seen(
                self.sources.see(parent, last, shown, entry_check(b"", kind, 0)), check, shown
            )
            self._copy(parent, (last, kind), name, shown, self._link)

    def _expect_known(self, location: Location) -> None:
        if not self.sources.knows(location):
            raise self.wrong(f"a reference to object {location.source}, which is not available")

    def _open_like(self, name: bytes, location: Location, check: int) -> None:
        self._expect_known(location)
        shown = self.sources.shown(location)
        with self.sources.parent(location) as (parent, last):
            self._open_folder(name, self._listed(parent, last, shown))
        self._expect_check(check)

    def _open_here(self, check: int) -> None:
        name, kind = self._next_entry()
        self._rise(name)
        source = self._top.source
        assert source is not None
        if kind != FOLDER:
            raise self.wrong(f"{name!r} is not a folder")
        shown = f"{source.path}/{os.fsdecode(name)}"
        self._open_folder(name, self._listed(source.descriptor, name, shown))
        self._expect_check(check)

    def _listed(self, parent: int, name: bytes, shown: str) -> Listing:
        """A folder that another one is like."""
        found = self.sources.listing(parent, name, shown)
        try:
            self.account.spend(LISTED_WORK * len(found.entries))
        except BaseException:
            found.close()
            raise
        return found

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
        self.account.folder()
        if len(self._folders) > MAX_DEPTH:
            raise self.wrong(f"folders are nested deeper than {MAX_DEPTH}")
        if sum(len(each.last) + 1 for each in self._folders[1:]) > MAX_FOLDER_BYTES + 1:
            raise self.wrong(f"the path of a folder is longer than {MAX_FOLDER_BYTES} bytes")
        os.mkdir(name, 0o700, dir_fd=self._top.descriptor)
        return os.open(name, FOLDER_FLAGS, dir_fd=self._top.descriptor)

    def _end(self) -> None:
        folder = self._folders.pop()
        os.fchmod(folder.descriptor, 0o555)
        os.utime(folder.descriptor, (MTIME, MTIME))
        folder.close()
        self._top.inside = max(self._top.inside, folder.entries + folder.inside)
        if not can_be_held(self._top.inside):
            raise self.wrong(f"nested folders with more than {MAX_ENTRIES} entries")

    def _keep(self, count: int, check: int, leaf: "_Leaf") -> None:
        source = self._top.source
        assert source is not None
        entries = [self._next_entry() for _ in range(min(count, len(source.entries) + 1))]
        seen = 0
        for name, kind in entries:
            shown = f"{source.path}/{os.fsdecode(name)}"
            seen = self.sources.see(source.descriptor, name, shown, entry_check(name, kind, seen))
        expect_seen(seen, check, source.path)
        for entry in entries:
            self._rise(entry[0])
            shown = f"{source.path}/{os.fsdecode(entry[0])}"
            self._copy(source.descriptor, entry, entry[0], shown, leaf)

    def _drop(self, count: int) -> None:
        source = self._top.source
        assert source is not None
        if source.used + count > len(source.entries):
            raise self.wrong(f"{source.path} has no more entries")
        source.used += count

    def _copy(
        self, parent: int, entry: tuple[bytes, bytes], name: bytes, shown: str, leaf: "_Leaf"
    ) -> None:
        """Make a node like one that the device has; ``leaf`` does so for a file or link."""
        old, kind = entry
        if kind == FOLDER:
            self._copy_folder(parent, old, name, shown, leaf)
        elif kind[:1] in (FILE, LINK):
            leaf(parent, old, name)
        else:
            raise DamagedBase(shown, "it is not a file, folder or symbolic link")

    def _copy_folder(self, parent: int, old: bytes, name: bytes, shown: str, leaf: "_Leaf") -> None:
        source = self.sources.listing(parent, old, shown)
        self._open_folder(name, source)
        for entry in source.entries:
            inside = f"{shown}/{os.fsdecode(entry[0])}"
            self._pay_name(entry[0])
            self._copy(source.descriptor, entry, entry[0], inside, leaf)
        self._end()

    def _link(self, parent: int, old: bytes, name: bytes) -> None:
        target = self._top.descriptor
        try:
            os.link(old, name, src_dir_fd=parent, dst_dir_fd=target, follow_symlinks=False)
        except OSError as error:
            if error.errno != errno.EMLINK:
                raise
            self._duplicate(parent, old, name)

    def _follow(self, parent: int, old: bytes, name: bytes) -> None:
        """Make a file or link whose references follow; what has none is linked."""
        renames = self.sources.renames
        status = os.stat(old, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            target = os.fsencode(os.readlink(old, dir_fd=parent))
            followed = renames.apply(target)
            if followed == target:
                self._link(parent, old, name)
            else:
                self._make_link(name, followed)
            return
        self.account.spend(status.st_size)
        source = os.open(old, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            if renames.used_in(_pieces(source)):
                executable = bool(status.st_mode & stat.S_IXUSR)
                self._write_following(source, name, status.st_size, executable=executable)
            else:
                self._link(parent, old, name)
        finally:
            os.close(source)

    def _write_following(
        self, source: int, name: bytes, size_bytes: int, *, executable: bool
    ) -> None:
        self._begin_file(name, size_bytes, executable=executable)
        for data in self.sources.renames.apply_all(_pieces(source)):
            self._write(data)
        self._end_file_if_complete()

    def _duplicate(self, parent: int, old: bytes, name: bytes) -> None:
        """Copy what has as many names as the file system allows."""
        status = os.stat(old, dir_fd=parent, follow_symlinks=False)
        self.account.copy(status.st_size)
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


def _pieces(descriptor: int) -> Iterator[bytes]:
    """The content of an open file, from its beginning."""
    at = 0
    while data := os.pread(descriptor, _COPY_BYTES, at):
        yield data
        at += len(data)


def _create(name: bytes, parent: int, *, executable: bool) -> int:
    descriptor = os.open(name, _NEW_FILE_FLAGS, 0o600, dir_fd=parent)
    os.fchmod(descriptor, 0o555 if executable else 0o444)
    return descriptor


def _write_all(descriptor: int, data: bytes | bytearray) -> None:
    with memoryview(data) as view:
        written = 0
        while written < len(data):
            written += os.write(descriptor, view[written:])


def verify(tree: Path, item: StoreObject, sources: Sources, cpu_limit: CpuLimit) -> None:
    """Read a whole object and compare it with what the manifest promises.

    Raises:
        DamagedBase: it is wrong because an object of the base is, which is named.
        ContentMismatch: it is wrong.
        TakesTooLong: it has few contents with very many names.
    """
    found = nar.digest(tree, cpu_limit.check)
    if found == nar.NarInfo(item.nar, item.nar_size_bytes):
        return
    for root in sources.damaged():
        files = altered_files(root)
        raise DamagedBase(str(root), f"its content was altered{files}")
    raise ContentMismatch(item, found=found.digest, where="")


def altered_files(root: Path) -> str:
    """Which files of an object were altered, as far as ``.links`` beside it tells."""
    if not (root.parent / LINKS).is_dir():
        return ""
    files = changed_files(root.parent, root)
    return f" in {', '.join(files)}" if 0 < len(files) <= _SHOWN_FILES else ""
