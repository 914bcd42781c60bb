"""Blocks: a disk in any of its crash states, without copying it.

A disk is cut into *blocks*, as large as those of its file system. A state is the image that the
history began with, and for each block written since, an identifier of its content: the hash.
Equal contents have equal identifiers, in whatever state they appear.

A *fingerprint* of all blocks that matter is kept while the disk moves: each gives a number, and the
numbers are combined by exclusive or, so a write costs two steps, however large the disk is.

Most states differ in a few blocks, and most questions about a state depend on a few.
``Memo`` keeps answers together with the blocks that were read to find them: where the same blocks
have the same identifiers, the answer is the same. This is exact, and what makes thousands of states
affordable.

Tested by ``tests/unit/prove/test_blocks.py``.
"""

import mmap
from collections.abc import Callable, Hashable, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from reconix.prove.log import Bytes
from reconix.prove.states import Piece

Identifier = bytes
"""The hash of a block's content."""

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


def identify(content: bytes) -> Identifier:
    """The identifier of a content."""
    return blake2b(content, digest_size=16).digest()


def map_file(path: Path) -> mmap.mmap:
    """A file as bytes, without reading it."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


class View(Protocol):
    """A disk in one state."""

    @property
    def block_bytes(self) -> int:
        """How large a block is."""

    def identifier(self, block: int) -> Identifier | None:
        """What a block contains, if it was ever written; else what the image has."""

    def block(self, number: int) -> bytes:
        """The content of a block."""


def read(view: View, offset: int, size: int) -> bytes:
    """Any bytes of a disk."""
    each = view.block_bytes
    first, last = offset // each, (offset + size - 1) // each
    content = b"".join(view.block(number) for number in range(first, last + 1))
    begin = offset - first * each
    return content[begin : begin + size]


class Disk:
    """A disk that moves through its states: pieces are put on it and taken back.

    Attributes:
        fingerprint: equal where all blocks that are watched are equal.
    """

    def __init__(self, image: Bytes, log: Bytes, block_bytes: int) -> None:
        self.block_bytes = block_bytes
        self.size_bytes = len(image)
        self.fingerprint = 0
        self._image, self._log = image, log
        self._written: dict[int, Identifier] = {}
        self._contents: dict[Identifier, bytes] = {}
        self._of_log: dict[int, Identifier] = {}
        self._watched: frozenset[int] = frozenset()

    def watch(self, blocks: Iterable[int]) -> None:
        """Say which blocks the fingerprint is of."""
        self._watched = frozenset(blocks)
        self.fingerprint = 0
        for number in self._watched & self._written.keys():
            self.fingerprint ^= _trace(number, self._written[number])

    @property
    def written(self) -> Mapping[int, Identifier]:
        """The blocks that differ from the image, or were written at least."""
        return self._written

    def identifier(self, block: int) -> Identifier | None:
        """See ``View``."""
        return self._written.get(block)

    def block(self, number: int) -> bytes:
        """See ``View``."""
        found = self._written.get(number)
        if found is not None:
            return self._contents[found]
        return self._image[number * self.block_bytes : (number + 1) * self.block_bytes]

    def content(self, identifier: Identifier) -> bytes:
        """What is behind an identifier."""
        return self._contents[identifier]

    def keep(self, content: bytes) -> Identifier:
        """Give a content an identifier."""
        found = identify(content)
        self._contents.setdefault(found, content)
        return found

    def reset(self) -> None:
        """Go back to the image."""
        self._written.clear()
        self.fingerprint = 0

    def put(self, piece: Piece, size_bytes: int | None = None) -> dict[int, Identifier | None]:
        """Write a piece, or its first bytes; gives what was there before, for ``restore``."""
        size = piece.size_bytes if size_bytes is None else size_bytes
        if size == self.block_bytes and piece.offset % size == 0 and not piece.entry.is_zeros:
            number = piece.offset // size
            before = {number: self._written.get(number)}
            self.set(number, self._whole(piece))
            return before
        data = self._data(piece, size)
        before = {}
        at, end = piece.offset, piece.offset + size
        while at < end:
            number = at // self.block_bytes
            border = min(end, (number + 1) * self.block_bytes)
            part = data[at - piece.offset : border - piece.offset]
            before[number] = self._written.get(number)
            self.set(number, self.keep(self._merged(number, at, part)))
            at = border
        return before

    def _whole(self, piece: Piece) -> Identifier:
        """What a block is given by a piece that begins with it; it is asked for in many states."""
        at = piece.entry.data_at + piece.skip
        found = self._of_log.get(at)
        if found is None:
            found = self._of_log[at] = self.keep(self._data(piece, self.block_bytes))
        return found

    def restore(self, before: Mapping[int, Identifier | None]) -> None:
        """Take a piece back."""
        for number, identifier in before.items():
            self.set(number, identifier)

    def set(self, number: int, identifier: Identifier | None) -> None:
        """Give a block a content that is known, or that of the image."""
        if number in self._watched:
            self.fingerprint ^= _trace(number, self._written.get(number))
            self.fingerprint ^= _trace(number, identifier)
        if identifier is None:
            self._written.pop(number, None)
        else:
            self._written[number] = identifier

    def _data(self, piece: Piece, size: int) -> bytes:
        if piece.entry.is_zeros:
            return bytes(size)
        begin = piece.entry.data_at + piece.skip
        return self._log[begin : begin + size]

    def _merged(self, number: int, at: int, part: bytes) -> bytes:
        if len(part) == self.block_bytes:
            return part
        skip = at - number * self.block_bytes
        old = self.block(number)
        return old[:skip] + part + old[skip + len(part) :]


def _trace(block: int, identifier: Identifier | None) -> int:
    """What a block gives to a fingerprint."""
    if identifier is None:
        return 0
    return int.from_bytes(blake2b(b"%d " % block + identifier, digest_size=16).digest())


class Patched:
    """A disk with some blocks that are not its own."""

    def __init__(self, disk: Disk, patches: Mapping[int, Identifier]) -> None:
        self.block_bytes = disk.block_bytes
        self._disk, self._patches = disk, patches

    def identifier(self, block: int) -> Identifier | None:
        """See ``View``."""
        found = self._patches.get(block)
        return found if found is not None else self._disk.identifier(block)

    def block(self, number: int) -> bytes:
        """See ``View``."""
        found = self._patches.get(number)
        return self._disk.content(found) if found is not None else self._disk.block(number)


class _Watched:
    """A view that remembers which of the changing blocks were looked at."""

    def __init__(self, view: View, changing: frozenset[int]) -> None:
        self.block_bytes = view.block_bytes
        self._view, self._changing = view, changing
        self.seen: set[int] = set()

    def identifier(self, block: int) -> Identifier | None:
        if block in self._changing:
            self.seen.add(block)
        return self._view.identifier(block)

    def block(self, number: int) -> bytes:
        if number in self._changing:
            self.seen.add(number)
        return self._view.block(number)


Identifiers = tuple[Identifier | None, ...]


class Memo(Generic[Key, Answer]):
    """Answers about views, found again by the blocks on which they depend.

    Args:
        changing: all blocks that may ever differ between two views.
    """

    def __init__(self, changing: Iterable[int]) -> None:
        self._changing = frozenset(changing)
        self._known: dict[Key, dict[tuple[int, ...], dict[Identifiers, Answer]]] = {}

    def get(self, key: Key, view: View, answer: Callable[[View], Answer]) -> Answer:
        """The answer to the question ``key`` about a view; found out if it is not known."""
        by_blocks = self._known.setdefault(key, {})
        for blocks, answers in by_blocks.items():
            identifiers = tuple(map(view.identifier, blocks))
            if identifiers in answers:
                return answers[identifiers]
        watched = _Watched(view, self._changing)
        found = answer(watched)
        blocks = tuple(sorted(watched.seen))
        by_blocks.setdefault(blocks, {})[tuple(map(view.identifier, blocks))] = found
        return found
