"""What a recovered system partition has in its pool and among its images, and whether it is whole.

A name there is a promise: it is the digest of what it stands for. So each file that has a name is
hashed, needed or not, and a generation has all that it needs where all its names are there.

There are thousands of contents, and most states differ in a few. What is found out about a file is
remembered by its inode, what about a folder of the pool by its number; both together with the
blocks on which they depend, of which those that never change do not count. So a state costs a few
comparisons for each folder, and a content is hashed again only where one of its blocks differs.

Tested by ``tests/unit/prove/test_contents.py``.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from reconix.prove.blocks import Memo, View
from reconix.prove.ext4 import BadFileSystem, Ext4, Geometry, Inode
from reconix.store.images.verity import VerityHash
from reconix.store.pool import FILE_MODE

POOL, IMAGES = "pool", "images"
_DIGITS, _PERMISSIONS = 2, 0o7777


class Shelf(NamedTuple):
    """A folder of contents or images.

    Attributes:
        name: how the names of what is in it begin.
        digests: by which it is named.
        problem: what is wrong there; empty if nothing is.
    """

    name: str
    digests: frozenset[bytes]
    problem: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What carries a final name in one state.

    Attributes:
        images: all of them.
        pool: the contents, folder by folder; sorted.
    """

    images: Shelf
    pool: tuple[Shelf, ...]

    @property
    def problem(self) -> str:
        """What is wrong with something that carries a name, needed or not."""
        return next((shelf.problem for shelf in (self.images, *self.pool) if shelf.problem), "")

    @property
    def digests(self) -> frozenset[bytes]:
        """Those of all images and contents."""
        return self.images.digests.union(*(shelf.digests for shelf in self.pool))

    def missing(self, found: "Stored") -> str:
        """What is here and is not in another state, or nothing.

        What the other one has more does no harm: it is removed by the next collection.
        """
        gone = self.images.digests - found.images.digests
        if gone:
            return f"the image {min(gone).hex()} is missing"
        return missing(self.pool, found)


def shelves(contents: Iterable[bytes]) -> tuple[Shelf, ...]:
    """The pool in which these contents are, all of them whole."""
    by_name: dict[str, list[bytes]] = {}
    for digest in contents:
        by_name.setdefault(digest.hex()[:_DIGITS], []).append(digest)
    return tuple(Shelf(name, frozenset(each), "") for name, each in sorted(by_name.items()))


def missing(needed: Iterable[Shelf], found: Stored) -> str:
    """Which content is needed and is not there, or nothing."""
    there = {shelf.name: shelf.digests for shelf in found.pool}
    for shelf in needed:
        digests = there.get(shelf.name, frozenset())
        if not shelf.digests <= digests:
            return f"the content {min(shelf.digests - digests).hex()} is missing"
    return ""


class Hash(Protocol):
    """Takes a content and gives its digest."""

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """The digest of all of them."""


class Contents:
    """Looks at pool and images in one state after the other.

    Args:
        geometry: of the file system.
        changing: all blocks that may differ between two states.
        known: the digests of all images and contents of the generations that may be there.
    """

    def __init__(
        self, geometry: Geometry, changing: frozenset[int], known: frozenset[bytes]
    ) -> None:
        self._geometry, self._known = geometry, known
        self._pools: Memo[str, tuple[tuple[str, int], ...]] = Memo(changing)
        self._shelves: Memo[tuple[str, int], Shelf] = Memo(changing)
        self._images: Memo[str, Shelf] = Memo(changing)
        self._digests: Memo[tuple[bool, Inode], bytes] = Memo(changing)

    def read(self, view: View) -> Stored:
        """What is there.

        Args:
            view: the disk, its file system recovered.

        Raises:
            BadFileSystem: it cannot be read at all.
        """
        images = self._images.get(IMAGES, view, self._read_images)
        folders = self._pools.get(POOL, view, self._read_pool)
        return Stored(images, tuple(self._read_shelf(view, *each) for each in folders))

    def _files(self, view: View) -> Ext4:
        return Ext4(view, self._geometry)

    def _read_pool(self, view: View) -> tuple[tuple[str, int], ...]:
        files = self._files(view)
        names = _names(files, _folder(files, POOL))
        return tuple((name.decode(errors="replace"), number) for name, number in names)

    def _read_images(self, view: View) -> Shelf:
        files = self._files(view)
        return self._judge(view, "", _folder(files, IMAGES), f"/{IMAGES}/", hashlib.sha256)

    def _read_shelf(self, view: View, name: str, number: int) -> Shelf:
        def answer(watched: View) -> Shelf:
            folder = self._files(watched).inode(number)
            return self._judge(watched, name, folder, f"/{POOL}/{name}/", VerityHash)

        return self._shelves.get((name, number), view, answer)

    def _judge(
        self, view: View, prefix: str, folder: Inode, place: str, hasher: Callable[[], Hash]
    ) -> Shelf:
        files = self._files(view)
        digests: set[bytes] = set()
        for name, number in _names(files, folder):
            wanted = _parse(prefix.encode() + name)
            shown = place + name.decode(errors="replace")
            if wanted not in self._known:
                return Shelf(prefix, frozenset(digests), f"{shown} belongs to no generation")
            problem = self._problem(view, files.inode(number), wanted, hasher)
            if problem:
                return Shelf(prefix, frozenset(digests), f"{shown} {problem}")
            digests.add(wanted)
        return Shelf(prefix, frozenset(digests), "")

    def _problem(self, view: View, inode: Inode, wanted: bytes, hasher: Callable[[], Hash]) -> str:
        if not inode.is_file:
            return "is no file"
        if inode.mode & _PERMISSIONS != FILE_MODE:
            return f"has the mode {inode.mode & _PERMISSIONS:o}"
        key = hasher is VerityHash, inode
        found = self._digests.get(key, view, lambda watched: self._digest(watched, inode, hasher()))
        return "" if found == wanted else "is not what its name says"

    def _digest(self, view: View, inode: Inode, state: Hash) -> bytes:
        for block in self._files(view).content(inode):
            state.update(block)
        return state.digest()


def _folder(files: Ext4, name: str) -> Inode:
    found = files.lookup(name)
    if found is None:
        raise BadFileSystem(f"/{name} is missing")
    return found


def _names(files: Ext4, folder: Inode) -> list[tuple[bytes, int]]:
    if not folder.is_folder:
        raise BadFileSystem(f"inode {folder.number} should be a folder")
    return files.names(folder)


def _parse(name: bytes) -> bytes:
    """The digest that a name spells; nothing if it spells none, or spells it in another way."""
    try:
        digest = bytes.fromhex(name.decode("ascii"))
    except ValueError:
        return b""
    return digest if digest.hex().encode() == name else b""
