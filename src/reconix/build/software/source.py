"""A folder of the project, read as what it becomes: an object that is the same on every machine.

What a folder holds is one thing, how a machine happens to have it is another. Of a tree counts what
Nix archives know: names, contents, links, and whether a file is a program. Umask, times, owners,
hard links and the order of a folder do not count.

The folder is looked through first, and all that no device could have is told at once, with its
path: devices and sockets, names that are not text of one line, links that lead out of the tree,
what cannot be read. Then the contents are read, and each file must still be the one that was seen:
a build that is running while another one writes the folder ends with an error, not with a mixture.

``exclude`` has the language of ``.gitignore`` files (``config/patterns.py``). What is below an
excluded folder is not looked at.

Tested by ``tests/unit/build/software/test_source.py``.
"""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from reconix.base.errors import ReconixError
from reconix.base.files import COPY_BYTES
from reconix.base.text import one_line
from reconix.config.patterns import Patterns
from reconix.store.names import MAX_DEPTH, MAX_NAME_BYTES
from reconix.store.nar import (
    Content,
    Entry,
    Event,
    FileBegin,
    FolderBegin,
    FolderEnd,
    Link,
)
from reconix.store.sidecar import MAX_PATH_BYTES

MAX_NODES = 100_000
"""Files, links and folders of one tree. A stream may have 150,000 of all that it brings."""
_TOLD = 10
_MAX_LINKS = 40  # as in the kernel


class BadSource(ReconixError):
    """A folder has something that no device can have."""

    exit_code = 62


class SourceChanged(ReconixError):
    """A folder was written to while it was read."""

    exit_code = 62

    def __init__(self, path: bytes) -> None:
        super().__init__(
            f"{one_line(os.fsdecode(path))} changed while it was read",
            hint="wait until whatever writes this folder has ended, then build again",
        )


class Node(NamedTuple):
    """A file, a link or a folder."""

    path: bytes
    """In the tree."""
    status: os.stat_result
    target: bytes = b""
    """Where a link leads, as it is written."""

    @property
    def is_folder(self) -> bool:
        """Whether it is one, and no link to one."""
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.status.st_mode)

    @property
    def is_program(self) -> bool:
        """Whether it is a file that may be run."""
        return self.is_file and bool(self.status.st_mode & stat.S_IXUSR)


@dataclass(frozen=True, slots=True)
class Source:
    """A folder as it was seen; nothing in it is impossible."""

    folder: Path
    nodes: tuple[Node, ...]
    """Of all that is in it, each folder before what it holds, names sorted by their bytes."""

    def links_out(self) -> Iterator[tuple[str, str]]:
        """The links that lead to absolute paths, with these."""
        for node in self.nodes:
            if node.target.startswith(b"/"):
                yield os.fsdecode(node.path), os.fsdecode(node.target)

    def events(self) -> Iterator[Event]:
        """The tree, with its contents.

        Raises:
            SourceChanged: it is not as it was seen.
        """
        yield FolderBegin()
        yield from self.inner_events()
        yield FolderEnd()

    def inner_events(self) -> Iterator[Event]:
        """What is in the tree, without the folder that holds it."""
        opened: list[bytes] = [b""]
        for node in self.nodes:
            parent, _, name = node.path.rpartition(b"/")
            while opened[-1] != parent:
                opened.pop()
                yield FolderEnd()
            yield Entry(name)
            if node.is_folder:
                opened.append(node.path)
                yield FolderBegin()
            elif node.target:
                yield Link(node.target)
            else:
                yield from self._file(node)
        yield from (FolderEnd() for _ in opened[1:])

    def _file(self, node: Node) -> Iterator[Event]:
        path = os.fsencode(self.folder) + b"/" + node.path
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise SourceChanged(path) from error
        try:
            yield FileBegin(node.status.st_size, node.is_program)
            left = node.status.st_size
            while left and (data := os.read(descriptor, min(left, COPY_BYTES))):
                left -= len(data)
                yield Content(data)
            if left or _seen(os.fstat(descriptor)) != _seen(node.status):
                raise SourceChanged(path)
        finally:
            os.close(descriptor)


def _seen(status: os.stat_result) -> tuple[int, ...]:
    """What changes when a file does."""
    return (
        *(status.st_dev, status.st_ino, status.st_mode, status.st_size),
        *(status.st_mtime_ns, status.st_ctime_ns),
    )


def read(folder: Path, exclude: Sequence[str] = ()) -> Source:
    """Look through a folder.

    Args:
        folder: of this machine.
        exclude: patterns of what is left out.

    Raises:
        BadSource: something in it cannot come onto a device; all that was found is told.
    """
    looking = _Looking(folder, Patterns(exclude))
    looking.through("", b"", 0)
    links = {node.path: node.target for node in looking.nodes if node.target}
    for path, target in links.items():
        if wrong := _where_it_leads(path, target, links):
            looking.faults.append((os.fsdecode(path), wrong))
    if looking.faults:
        raise _bad(folder, looking.faults)
    return Source(folder, tuple(looking.nodes))


def _bad(folder: Path, faults: Sequence[tuple[str, str]]) -> BadSource:
    told = [f"{one_line(path) or 'it'} {wrong}" for path, wrong in faults[:_TOLD]]
    if len(faults) > _TOLD:
        told.append(f"and {len(faults) - _TOLD} more")
    lines = "\n".join(told)
    return BadSource(
        f"{one_line(str(folder))} cannot be a tree of a device:\n{lines}",
        hint="remove that from the folder, or leave it out with exclude",
    )


class _Looking:
    """What has been found, and what is wrong with it."""

    def __init__(self, folder: Path, excluded: Patterns) -> None:
        self.nodes: list[Node] = []
        self.faults: list[tuple[str, str]] = []
        self._folder, self._excluded = os.fsencode(folder), excluded

    def through(self, shown: str, path: bytes, depth: int) -> None:
        """Look at what a folder holds, and in the folders in it."""
        try:
            with os.scandir(os.path.join(self._folder, path)) as entries:  # noqa: PTH118 - bytes
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.faults.append((shown, f"cannot be read: {error.strerror}"))
            return
        for entry in found:
            inner = path + b"/" + entry.name if path else entry.name
            try:
                self._look(entry, inner, depth)
            except OSError as error:
                self.faults.append((os.fsdecode(inner), f"cannot be read: {error.strerror}"))

    def _look(self, entry: "os.DirEntry[bytes]", path: bytes, depth: int) -> None:
        shown, is_folder = os.fsdecode(path), entry.is_dir(follow_symlinks=False)
        if self._excluded.match(shown, is_folder=is_folder):
            return
        if wrong := _wrong_name(entry.name, path) or self._wrong(entry, depth, is_folder=is_folder):
            self.faults.append((shown, wrong))
            return
        target = os.readlink(entry.path) if entry.is_symlink() else b""  # noqa: PTH115 - bytes
        self.nodes.append(Node(path, entry.stat(follow_symlinks=False), target))
        if is_folder:
            self.through(shown, path, depth + 1)

    def _wrong(self, entry: "os.DirEntry[bytes]", depth: int, *, is_folder: bool) -> str:
        if len(self.nodes) == MAX_NODES:
            raise _bad(
                Path(os.fsdecode(self._folder)), [("", f"has more than {MAX_NODES} entries")]
            )
        if is_folder:
            return f"is nested deeper than {MAX_DEPTH} folders" if depth + 2 > MAX_DEPTH else ""
        if entry.is_symlink():
            return ""
        if not entry.is_file(follow_symlinks=False):
            return f"is {_kind(entry)}"
        return "" if os.access(entry.path, os.R_OK) else "cannot be read: Permission denied"


def _kind(entry: "os.DirEntry[bytes]") -> str:
    mode = entry.stat(follow_symlinks=False).st_mode
    kinds = ((stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"))
    return next((word for is_one, word in kinds if is_one(mode)), "a device")


def _wrong_name(name: bytes, path: bytes) -> str:
    if len(name) > MAX_NAME_BYTES or len(path) > MAX_PATH_BYTES:
        return f"has a path of {len(path)} bytes, more than {MAX_PATH_BYTES}"
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return "has a name that is not UTF-8"
    is_text = all(char.isprintable() or ord(char) >= 0xA0 for char in text)
    return "" if is_text else "has a name that is not text of one line"


def _where_it_leads(path: bytes, target: bytes, links: Mapping[bytes, bytes]) -> str:
    """What is wrong with a link, or nothing; where an absolute one leads is another question."""
    if target.startswith(b"/"):
        return ""
    at, rest = path.split(b"/")[:-1], target.split(b"/")
    for _ in range(_MAX_LINKS):
        stopped = _step(at, rest, links)
        if stopped is None:
            return ""
        if not stopped:
            return f"is a link that leads out of the tree: {one_line(os.fsdecode(target))}"
        if stopped.startswith(b"/"):
            return ""
        rest = [*stopped.split(b"/"), *rest]
    return f"is a link that leads in a circle: {one_line(os.fsdecode(target))}"


def _step(at: list[bytes], rest: list[bytes], links: Mapping[bytes, bytes]) -> bytes | None:
    """Go on until the end, None; until it leads out, nothing; or until a link, its target."""
    while rest:
        part = rest.pop(0)
        if part == b"..":
            if not at:
                return b""
            at.pop()
        elif part not in (b"", b"."):
            target = links.get(b"/".join([*at, part]))
            if target is not None:
                return target
            at.append(part)
    return None
