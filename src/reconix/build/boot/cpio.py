"""cpio archives in the form that the kernel unpacks as its first root.

The *newc* form: a header of 110 ASCII characters, the name, the content, each padded to four bytes,
and an entry ``TRAILER!!!`` at the end. All owners are root, all times are 1970, the inode numbers
count from 1: the bytes depend on names, modes and contents alone.

Source: Linux, ``Documentation/driver-api/early-userspace/buffer-format.rst``.
Tested by ``tests/compat/test_cpio.py`` against GNU cpio.
"""

import stat
from collections.abc import Iterable
from dataclasses import dataclass

_BLOCK_BYTES = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: a folder, a file or a symbolic link, told apart by the kind in ``mode``."""

    name: str
    mode: int
    content: bytes = b""

    @classmethod
    def folder(cls, name: str) -> "Entry":
        """A folder that all may enter."""
        return cls(name, stat.S_IFDIR | 0o755)

    @classmethod
    def file(cls, name: str, content: bytes, *, executable: bool = False) -> "Entry":
        """A regular file."""
        return cls(name, stat.S_IFREG | (0o755 if executable else 0o644), content)

    @classmethod
    def link(cls, name: str, target: str) -> "Entry":
        """A symbolic link."""
        return cls(name, stat.S_IFLNK | 0o777, target.encode())


def print_archive(entries: Iterable[Entry]) -> bytes:
    """The archive of some entries, in the order given: folders before what is in them."""
    archive = bytearray()
    for number, entry in enumerate(entries, start=1):
        archive += _print_entry(number, entry)
    return bytes(archive + _print_entry(0, Entry("TRAILER!!!", 0)))


def _print_entry(number: int, entry: Entry) -> bytes:
    name = entry.name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (number, entry.mode, 0, 0, links, 0, len(entry.content), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.content)


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % _BLOCK_BYTES)
