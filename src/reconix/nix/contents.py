"""Which content each file of an object has, written down so that nobody need read the object again.

The digest of a file in the pool follows from its bytes. A root has ten thousands of files, and when
a setting changes, its image is computed again, from the same files. So a list is kept of them::

    /nix/store/<hash>-debian-root      whom it is about, and a line feed
    for each file with a content in the pool, sorted by path:
        32 bytes   digest of the content
         8 bytes   size, big-endian
                   path within the object, and a zero byte

A file that is not in the list, or has another size by now, is read.

Tested by ``tests/unit/nix/test_contents.py``.
"""

import struct
from collections.abc import Iterator
from typing import Protocol

from reconix.base.documents import BadDocument
from reconix.store.closure import StoreObject
from reconix.store.images.nodes import Node, files
from reconix.store.paths import StorePath
from reconix.store.scan import FileContent, Listed

_HEAD = struct.Struct(">32sQ")


class Lists(Protocol):
    """Where lists are kept."""

    def find(self, item: StoreObject) -> Listed:
        """The contents of an object, as far as they are known."""

    def keep(self, item: StoreObject, listed: Listed) -> None:
        """Write down the contents of an object."""


class NoLists:
    """Every object is read."""

    def find(self, item: StoreObject) -> Listed:
        """Nothing is known."""
        return {}

    def keep(self, item: StoreObject, listed: Listed) -> None:
        """Nothing is kept."""


def listed(tree: Node) -> Listed:
    """The contents of a tree, by path within it."""
    return {
        b"/".join(path): FileContent(file.size_bytes, file.content)
        for path, file in files(tree)
        if not file.is_inline
    }


def print_contents(subject: StorePath, contents: Listed) -> bytes:
    """The list of an object."""
    lines = (
        _HEAD.pack(found.content, found.size_bytes) + path + b"\0"
        for path, found in sorted(contents.items())
    )
    return b"".join([_title(subject), *lines])


def parse_contents(content: bytes, subject: StorePath, *, source: str) -> Listed:
    """Read the list of an object.

    Raises:
        BadDocument: it is none, or about another object.
    """
    title = _title(subject)
    if not content.startswith(title):
        raise BadDocument(f"{source} is no list of the contents of {subject}")
    return dict(_lines(content, len(title), source))


def _lines(content: bytes, at: int, source: str) -> Iterator[tuple[bytes, FileContent]]:
    while at < len(content):
        end = content.find(b"\0", at + _HEAD.size)
        if end < 0:
            raise BadDocument(f"{source} ends in the middle of a line")
        digest, size_bytes = _HEAD.unpack_from(content, at)
        yield content[at + _HEAD.size : end], FileContent(size_bytes, digest)
        at = end + 1


def _title(subject: StorePath) -> bytes:
    return f"{subject}\n".encode()
