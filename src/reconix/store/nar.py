"""Nix archives: one tree, one sequence of bytes.

A store path promises that its content is exactly this and nothing else. To keep the promise we
must be able to hash a directory, and for that every tree needs one spelling. ``tar`` will not do:
it writes times, owners and whatever order the disk returns. A Nix archive drops all that. It
knows three kinds of node and one bit of mode, and it sorts names by their bytes::

    archive  = "nix-archive-1" node
    node     = "(" "type" ( file | link | folder ) ")"
    file     = "regular" [ "executable" "" ] "contents" BYTES
    link     = "symlink" "target" BYTES
    folder   = "directory" { "entry" "(" "name" BYTES "node" node ")" }

Every word is written as its length (64 bits, little endian), its bytes, and zeros up to a multiple
of 8. So equal trees give equal archives on any machine, and equal hashes.

In this module a tree is a sequence of *events*. They come from a disk (``walk``) or from an archive
(``parse``) and go to an archive (``Encoder``) or to a disk (``Restorer``); to copy a tree while
it is hashed is to hand each event to two of them. No event holds more than ``COPY_BYTES`` of
content, so memory does not depend on the size of a file.

What we refuse, although the grammar could say it: names that are empty, ``.``, ``..``, longer than
255 bytes or contain a slash or NUL; names that are not in strictly rising order; targets longer
than 4095 bytes; folders nested deeper than 256, or whose path is longer than 3072 bytes: with what
stands before it, no program could name what is in them.

Source: Nix manual, *Nix Archive (NAR) format*.
Tested by ``tests/compat/test_nar.py``, byte for byte against ``nix-store --dump``.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import COPY_BYTES
from reconix.base.records import dataclass
from reconix.store.names import (
    MAX_DEPTH,
    MAX_NAME_BYTES,
    MAX_TARGET_BYTES,
    BadName,
    check_name,
    check_target,
)

MAX_FOLDER_BYTES = 3072
"""How long the path of a folder may be, seen from the root of its tree."""

MTIME = 1
"""Every file of a store was last changed one second after the epoch."""

_LONGEST_WORD = 16  # of the grammar itself
_BUFFER_BYTES = 1 << 16
_HELD_BYTES = 1 << 18

Read = Callable[[int], bytes]
Write = Callable[[bytes], object]


class BadArchive(ReconixError):
    """The bytes are no Nix archive, or describe a tree that we do not accept."""

    exit_code = 22

    def __init__(self, message: str) -> None:
        super().__init__(f"bad archive: {message}", hint="fetch or build it again")


class BadTree(ReconixError):
    """A tree on the disk cannot be stored: it holds something other than files, links, folders."""

    exit_code = 22


@dataclass(frozen=True, slots=True)
class FolderBegin:
    """A folder opens; its entries follow."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The next node has this name in the open folder."""

    name: bytes


@dataclass(frozen=True, slots=True)
class FolderEnd:
    """The innermost open folder is complete."""


@dataclass(frozen=True, slots=True)
class FileBegin:
    """A regular file; ``Content`` of exactly this size follows, in pieces."""

    size_bytes: int
    executable: bool


@dataclass(frozen=True, slots=True)
class Content:
    """The next piece of the open file; never empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    target: bytes


Event = FolderBegin | Entry | FolderEnd | FileBegin | Content | Link


@dataclass(frozen=True, slots=True)
class NarInfo:
    """Digest and size of an archive."""

    digest: Digest
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Listed:
    """One node of an archive."""

    path: bytes  # relative, b"" for the root
    kind: FolderBegin | FileBegin | Link


def dump(tree: Path, write: Write) -> None:
    """Write the archive of a file, link or folder.

    Raises:
        BadTree: it contains a device, a socket or a pipe, or changed while it was read.
    """
    _Dumper(write).dump(tree)


def digest(tree: Path | str, check: Callable[[], None] | None = None) -> NarInfo:
    """Hash the archive of a tree without storing it.

    Args:
        tree: a file, link or folder.
        check: is called now and then, and may raise to make an end of it.

    Raises:
        BadTree: see ``dump``.
    """
    state = hashlib.sha256()

    def checked(data: bytes) -> None:
        if check is not None:
            check()
        state.update(data)

    size_bytes = _Dumper(state.update if check is None else checked).dump(tree)
    return NarInfo(Digest(state.digest()), size_bytes)


def file_digest(path: Path | str) -> Digest:
    """Hash the archive of a single file or link; gives what ``digest`` gives, but sooner.

    Raises:
        BadTree: see ``dump``.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # a link, or something for ``digest`` to complain about
        return digest(path).digest
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size >= COPY_BYTES:
            return digest(path).digest
        data = os.read(descriptor, status.st_size)
    finally:
        os.close(descriptor)
    size = len(data)
    if size != status.st_size:
        raise BadTree(f"{os.fspath(path)} changed while it was read")
    begin = _EXECUTABLE if status.st_mode & stat.S_IXUSR else _PLAIN
    words = (_MAGIC, begin, size.to_bytes(8, "little"), data, _PADDINGS[size & 7], _END)
    return Digest(hashlib.sha256(b"".join(words)).digest())


def restore(read: Read, into: Path) -> None:
    """Make the tree of an archive; ``into`` must not exist.

    Files get mode 0444 or 0555 and the time ``MTIME``. Nothing outside ``into`` is touched,
    whatever the archive says. After a failure a part of the tree may stand there: the caller
    removes it. What follows the archive is left unread; see ``expect_end``.

    Raises:
        BadArchive: it is truncated, or says something that we refuse.
        FileExistsError: ``into`` exists.
    """
    restorer = Restorer(into)
    try:
        for event in parse(read):
            restorer.feed(event)
    finally:
        restorer.close()


def listing(read: Read) -> Iterator[Listed]:
    """Tell every node of an archive in its order, in constant memory."""
    names: list[bytes] = []
    for event in parse(read):
        match event:
            case Entry(name):
                names.append(name)
            case FolderBegin():
                yield Listed(b"/".join(names), event)
            case FileBegin() | Link():
                yield Listed(b"/".join(names), event)
                del names[-1:]
            case FolderEnd():
                del names[-1:]
            case Content():
                pass


def expect_end(read: Read) -> None:
    """Check that nothing follows an archive.

    Raises:
        BadArchive: something does.
    """
    if read(1):
        raise BadArchive("bytes follow its end")


def walk(tree: Path) -> Iterator[Event]:
    """Give the events of a tree on the disk.

    Raises:
        BadTree: see ``dump``.
    """
    name = os.fsencode(tree)
    mode = os.lstat(name).st_mode
    if stat.S_ISDIR(mode):
        yield from _walk_folder(name)
    elif stat.S_ISREG(mode):
        yield from _walk_file(name, None, name)
    elif stat.S_ISLNK(mode):
        yield Link(os.readlink(name))  # noqa: PTH115 - pathlib would tidy the target
    else:
        raise _unstorable(name)


def _walk_folder(root: bytes) -> Iterator[Event]:
    opened = [_Opened(root, None, root)]
    try:
        yield FolderBegin()
        while opened:
            folder = opened[-1]
            found = next(folder.entries, None)
            if found is None:
                opened.pop().close()
                yield FolderEnd()
                continue
            name, kind = found
            path = folder.path + b"/" + name
            yield Entry(name)
            if kind == _IS_LINK:
                yield Link(os.readlink(name, dir_fd=folder.descriptor))
            elif kind == _IS_FOLDER:
                _check_nesting(len(opened), path, root)
                opened.append(_Opened(name, folder.descriptor, path))
                yield FolderBegin()
            elif kind == _IS_FILE:
                yield from _walk_file(name, folder.descriptor, path)
            else:
                raise _unstorable(path)
    finally:
        for folder in opened:
            folder.close()


class _Opened:
    """A folder that is being walked through."""

    def __init__(self, name: bytes, parent: int | None, path: bytes) -> None:
        self.path = path
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        self.descriptor = os.open(name, flags, dir_fd=parent)
        self.entries = iter(_sorted_entries(self.descriptor))

    def close(self) -> None:
        os.close(self.descriptor)


_OTHER, _IS_FILE, _IS_FOLDER, _IS_LINK = range(4)


def _sorted_entries(descriptor: int) -> list[tuple[bytes, int]]:
    """Names and kinds, and no more: there may be very many, in each of the folders around."""
    with os.scandir(descriptor) as entries:
        return sorted((os.fsencode(entry.name), _kind_of(entry)) for entry in entries)


def _kind_of(entry: "os.DirEntry[str]") -> int:
    if entry.is_symlink():
        return _IS_LINK
    if entry.is_dir(follow_symlinks=False):
        return _IS_FOLDER
    return _IS_FILE if entry.is_file(follow_symlinks=False) else _OTHER


def _check_nesting(depth: int, path: bytes, root: bytes) -> None:
    if depth == MAX_DEPTH:
        raise BadTree(f"{os.fsdecode(path)} is nested deeper than {MAX_DEPTH} folders")
    if len(path) - len(root) - 1 > MAX_FOLDER_BYTES:
        raise BadTree(
            f"{os.fsdecode(root)} has a folder whose path is longer than {MAX_FOLDER_BYTES} bytes"
        )


def _expect(check: Callable[[bytes], None], word: bytes) -> None:
    """Check a name or target of an archive."""
    try:
        check(word)
    except BadName as error:
        raise BadArchive(str(error)) from error


def _check_names(names: list[bytes]) -> None:
    """Check that one more folder may be opened; each that is open has its last name here."""
    if len(names) == MAX_DEPTH:
        raise BadArchive(f"folders are nested deeper than {MAX_DEPTH}")
    if sum(map(len, names)) + len(names) - 1 > MAX_FOLDER_BYTES:
        raise BadArchive(f"the path of a folder is longer than {MAX_FOLDER_BYTES} bytes")


def _unstorable(path: bytes) -> BadTree:
    return BadTree(
        f"{os.fsdecode(path)} is neither file, folder nor symbolic link",
        hint="a store holds nothing else; remove it from the tree",
    )


def _walk_file(name: bytes, parent: int | None, shown: bytes) -> Iterator[Event]:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        status = os.fstat(descriptor)
        left = status.st_size
        yield FileBegin(left, executable=bool(status.st_mode & stat.S_IXUSR))
        while left:
            data = os.read(descriptor, min(left, COPY_BYTES))
            if not data:
                raise BadTree(f"{os.fsdecode(shown)} became shorter while it was read")
            left -= len(data)
            yield Content(data)
    finally:
        os.close(descriptor)


def parse(read: Read) -> Iterator[Event]:
    """Give the events of an archive, reading not one byte more than it has.

    Args:
        read: gives up to that many bytes, and nothing at the end, like the method of a file.

    Raises:
        BadArchive: as soon as the first wrong byte was read.
    """
    words = _Words(read)
    words.expect(b"nix-archive-1")
    names: list[bytes] = []  # in each open folder the last name
    while True:
        words.expect(b"(")
        words.expect(b"type")
        kind = words.take(_LONGEST_WORD)
        if kind == b"directory":
            _check_names(names)
            names.append(b"")
            yield FolderBegin()
        else:
            yield from _parse_leaf(words, kind)
            words.expect(b")")
            if names:
                words.expect(b")")
        while names:
            if _entry_follows(words):
                names[-1] = _parse_name(words, after=names[-1])
                yield Entry(names[-1])
                break
            del names[-1]
            yield FolderEnd()
            if names:
                words.expect(b")")
        else:
            return


def _parse_leaf(words: "_Words", kind: bytes) -> Iterator[Event]:
    if kind == b"symlink":
        words.expect(b"target")
        target = words.take(MAX_TARGET_BYTES)
        _expect(check_target, target)
        yield Link(target)
    elif kind == b"regular":
        word = words.take(_LONGEST_WORD)
        executable = word == b"executable"
        if executable:
            words.expect(b"")
            word = words.take(_LONGEST_WORD)
        if word != b"contents":
            raise words.wrong(f"expected contents, found {word!r}")
        yield from words.content(executable=executable)
    else:
        raise words.wrong(f"{kind!r} is no kind of node")


def _entry_follows(words: "_Words") -> bool:
    word = words.take(_LONGEST_WORD)
    if word not in (b"entry", b")"):
        raise words.wrong(f"expected an entry or the end of a folder, found {word!r}")
    return word == b"entry"


def _parse_name(words: "_Words", *, after: bytes) -> bytes:
    words.expect(b"(")
    words.expect(b"name")
    name = words.take(MAX_NAME_BYTES)
    _expect(check_name, name)
    if name <= after:
        raise words.wrong(f"{name!r} stands after {after!r}")
    words.expect(b"node")
    return name


class _Words:
    """Takes the words of an archive out of a stream."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._offset = 0

    def wrong(self, what: str) -> BadArchive:
        """An error that names the place."""
        return BadArchive(f"{what}, at byte {self._offset}")

    def take(self, limit_bytes: int) -> bytes:
        """The next word, which must not be longer than that."""
        size = self._size()
        if size > limit_bytes:
            raise self.wrong(f"a word of {size} bytes where {limit_bytes} are allowed")
        word = self._exactly(size)
        self._padding(size)
        return word

    def expect(self, word: bytes) -> None:
        """The next word must be this one."""
        found = self.take(_LONGEST_WORD)
        if found != word:
            raise self.wrong(f"expected {word!r}, found {found!r}")

    def content(self, *, executable: bool) -> Iterator[Event]:
        """The next word as the content of a file."""
        size = self._size()
        if size >= 1 << 63:
            raise self.wrong(f"a file of {size} bytes")
        yield FileBegin(size, executable)
        left = size
        while left:
            data = self._exactly(min(left, COPY_BYTES))
            left -= len(data)
            yield Content(data)
        self._padding(size)

    def _size(self) -> int:
        return int.from_bytes(self._exactly(8), "little")

    def _padding(self, size: int) -> None:
        if any(self._exactly(-size % 8)):
            raise self.wrong("padding that is not zero")

    def _exactly(self, size: int) -> bytes:
        data = self._read(size) if size else b""
        while len(data) < size:
            more = self._read(size - len(data))
            if not more:
                self._offset += len(data)
                raise self.wrong("the archive is truncated")
            data += more
        self._offset += size
        return data


_PADDINGS = [bytes(-size % 8) for size in range(8)]


def _word(content: bytes) -> bytes:
    size = len(content)
    return size.to_bytes(8, "little") + content + _PADDINGS[size & 7]


def _words(*contents: bytes) -> bytes:
    return b"".join(_word(content) for content in contents)


_MAGIC = _words(b"nix-archive-1")
_FOLDER = _words(b"(", b"type", b"directory")
_ENTRY = _words(b"entry", b"(", b"name")
_NODE = _words(b"node")
_PLAIN = _words(b"(", b"type", b"regular", b"contents")
_EXECUTABLE = _words(b"(", b"type", b"regular", b"executable", b"", b"contents")
_LINK = _words(b"(", b"type", b"symlink", b"target")
_END = _words(b")")


_ENDS = _END + _END


class _Dumper:
    """Writes the archive of a tree on the disk.

    ``walk`` into an ``Encoder`` gives the same bytes. But dumping and hashing trees of many small
    files is what a store does most, and an object for each event would double its time.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._held = [_MAGIC]
        self._root = b""
        self._held_bytes = 0  # of content; an estimate is enough
        self._written = 0

    def dump(self, tree: Path | str) -> int:
        """Write it and give the size."""
        name, parent = os.fsencode(tree), None
        mode = os.lstat(name).st_mode
        if stat.S_ISDIR(mode):
            self._root = name
            self._folder(name, None, name, 0)
        elif stat.S_ISREG(mode):
            self._file(name, None, name)
        elif stat.S_ISLNK(mode):
            self._held.append(_LINK + _word(os.readlink(name, dir_fd=parent)))
        else:
            raise _unstorable(name)
        self._held.append(_END)
        self._flush()
        return self._written

    def _folder(self, name: bytes, parent: int | None, path: bytes, depth: int) -> None:
        _check_nesting(depth, path, self._root)
        opened = _Opened(name, parent, path)
        try:
            self._held.append(_FOLDER)
            for child, kind in opened.entries:
                self._held.append(_ENTRY + _word(child) + _NODE)
                if kind == _IS_LINK:
                    target = os.readlink(child, dir_fd=opened.descriptor)
                    self._held.append(_LINK + _word(target))
                elif kind == _IS_FOLDER:
                    self._folder(child, opened.descriptor, path + b"/" + child, depth + 1)
                elif kind == _IS_FILE:
                    self._file(child, opened.descriptor, path)
                else:
                    raise _unstorable(path + b"/" + child)
                self._held.append(_ENDS)
        finally:
            opened.close()

    def _file(self, name: bytes, parent: int | None, path: bytes) -> None:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            status = os.fstat(descriptor)
            left = size = status.st_size
            begin = _EXECUTABLE if status.st_mode & stat.S_IXUSR else _PLAIN
            self._held.append(begin + size.to_bytes(8, "little"))
            while left:
                data = os.read(descriptor, min(left, COPY_BYTES))
                if not data:
                    raise BadTree(f"{os.fsdecode(path)} changed while it was read")
                left -= len(data)
                self._content(data)
            self._held.append(_PADDINGS[size & 7])
        finally:
            os.close(descriptor)

    def _content(self, data: bytes) -> None:
        if len(data) >= _BUFFER_BYTES:
            self._flush()
            self._write(data)
            self._written += len(data)
            return
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes >= _HELD_BYTES:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        self._written += len(data)
        self._write(data)


class Encoder:
    """Writes an archive node by node.

    Call the methods in the order of the grammar: a node is one of ``link(...)``,
    ``file_begin(...)`` with ``content(...)``, and ``folder_begin()`` with ``entry(name)`` and a
    node for each entry and ``folder_end()``. With the last of them the archive is complete and
    has been written whole.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._buffer = bytearray(_MAGIC)
        self._names: list[bytes] = []  # in each open folder the last name
        self._expects_node = True
        self._left = 0  # bytes of the open file
        self._padding = 0
        self._written = 0

    @property
    def size_bytes(self) -> int:
        """The size of what was encoded so far."""
        return self._written + len(self._buffer)

    @property
    def complete(self) -> bool:
        """Whether the root node is complete."""
        return not self._names and not self._expects_node and not self._left

    def feed(self, event: Event) -> None:
        """Take the next event of a tree.

        Raises:
            BadArchive: it cannot follow what was taken before.
        """
        match event:
            case Content(data):
                self.content(data)
            case Entry(name):
                self.entry(name)
            case FileBegin(size_bytes, executable):
                self.file_begin(size_bytes, executable=executable)
            case Link(target):
                self.link(target)
            case FolderBegin():
                self.folder_begin()
            case FolderEnd():
                self.folder_end()

    def folder_begin(self) -> None:
        """Open a folder."""
        self._node()
        _check_names(self._names)
        self._names.append(b"")
        self._buffer += _FOLDER

    def entry(self, name: bytes) -> None:
        """Name the next node in the open folder; names must rise."""
        _expect(check_name, name)
        if not self._names or self._expects_node or self._left or name <= self._names[-1]:
            raise BadArchive(f"the entry {name!r} cannot stand here")
        self._names[-1] = name
        self._expects_node = True
        self._buffer += _ENTRY + _word(name) + _NODE

    def folder_end(self) -> None:
        """Close the innermost folder."""
        if not self._names or self._expects_node or self._left:
            raise BadArchive("a folder cannot end here")
        del self._names[-1]
        self._end()

    def file_begin(self, size_bytes: int, *, executable: bool) -> None:
        """Open a file of that size."""
        self._node()
        self._buffer += _EXECUTABLE if executable else _PLAIN
        self._buffer += size_bytes.to_bytes(8, "little")
        self._left = size_bytes
        self._padding = -size_bytes % 8
        if size_bytes == 0:
            self._end()

    def content(self, data: bytes) -> None:
        """Give the next piece of the open file."""
        if len(data) > self._left:
            raise BadArchive("a file has more content than it declared")
        self._left -= len(data)
        if len(data) < _BUFFER_BYTES:
            self._buffer += data
        else:
            self._flush()
            self._written += len(data)
            self._write(data)
        if self._left == 0:
            self._buffer += bytes(self._padding)
            self._end()
        if len(self._buffer) >= _BUFFER_BYTES:
            self._flush()

    def link(self, target: bytes) -> None:
        """Give a symbolic link."""
        _expect(check_target, target)
        self._node()
        self._buffer += _LINK + _word(target)
        self._end()

    def _node(self) -> None:
        if not self._expects_node or self._left:
            raise BadArchive("a node cannot stand here")
        self._expects_node = False

    def _end(self) -> None:
        self._buffer += _END
        if self._names:
            self._buffer += _END  # of the entry
        else:
            self._flush()

    def _flush(self) -> None:
        if self._buffer:
            self._written += len(self._buffer)
            self._write(bytes(self._buffer))
            self._buffer.clear()


class Restorer:
    """Makes a tree on the disk, event by event; the root must not exist.

    Every name is made relative to the open folder above it and must be new, so no link is ever
    followed. Modes and times are those of a store. Nothing is made durable here.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.fsencode(root)
        self._name = self._root
        self._folders: list[tuple[int, bytes]] = []  # descriptor and name
        self._file = -1
        self._left = 0

    def feed(self, event: Event) -> None:
        """Take the next event of a tree."""
        match event:
            case Content(data):
                self._content(data)
            case Entry(name):
                self._name = name
            case FileBegin(size_bytes, executable):
                self._file_begin(size_bytes, executable=executable)
            case Link(target):
                os.symlink(target, self._name, dir_fd=self._parent())
                os.utime(
                    self._name,
                    (MTIME, MTIME),
                    dir_fd=self._parent(),
                    follow_symlinks=False,
                )
            case FolderBegin():
                self._folder_begin()
            case FolderEnd():
                self._folder_end()

    def close(self) -> None:
        """Let go of what is open; needed after a failure, harmless otherwise."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        while self._folders:
            os.close(self._folders.pop()[0])

    def open_names(self) -> list[bytes]:
        """The root and the names of the folders that are open, outermost first."""
        return [name for _, name in self._folders]

    def _parent(self) -> int | None:
        return self._folders[-1][0] if self._folders else None

    def _folder_begin(self) -> None:
        parent = self._parent()
        os.mkdir(self._name, 0o700, dir_fd=parent)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        self._folders.append((os.open(self._name, flags, dir_fd=parent), self._name))

    def _folder_end(self) -> None:
        descriptor, _ = self._folders.pop()
        os.fchmod(descriptor, 0o555)
        os.utime(descriptor, (MTIME, MTIME))
        os.close(descriptor)

    def _file_begin(self, size_bytes: int, *, executable: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        self._file = os.open(self._name, flags, 0o600, dir_fd=self._parent())
        os.fchmod(self._file, 0o555 if executable else 0o444)
        self._left = size_bytes
        if size_bytes == 0:
            self._file_end()

    def _content(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._file, left) :]
        self._left -= len(data)
        if self._left == 0:
            self._file_end()

    def _file_end(self) -> None:
        os.utime(self._file, (MTIME, MTIME))
        os.close(self._file)
        self._file = -1
