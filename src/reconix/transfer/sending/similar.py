"""Old files whose content is like that of a new one, where names tell nothing.

A file that was moved and changed at once has no old name to look under. So of each file a *sketch*
is kept: of all places where a line begins, or a byte stands that is neither frequent nor rare in
programs, the sixteen bytes that follow are hashed, and the smallest hashes are the sketch. The
more files have in common, wherever it is in them, the more their sketches have.

Sketches are made when the first file asks for one: mostly names do tell.

Source: A. Broder, *On the resemblance and containment of documents*, 1997.
Tested by ``tests/unit/transfer/sending/test_similar.py``.
"""

import heapq
import re
import zlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from reconix.transfer.format.plan import Location

_PLACE = re.compile(rb"(?s)[\n\x01-\x03](.{16})")
_HASHES = 48
_ENOUGH = 4  # of them in common
_MIN_BYTES = 4096
_MAX_BYTES = 80 << 20


class File(Protocol):
    """A file of the build store."""

    @property
    def content(self) -> bytes:
        """Its digest, or itself."""

    @property
    def size_bytes(self) -> int:
        """Its size."""

    def read(self) -> bytes:
        """The content."""


Files = Callable[[], Iterable[tuple[Location, File]]]


def sketch(content: bytes) -> tuple[int, ...]:
    """A few numbers, of which similar contents have many in common."""
    return tuple(heapq.nsmallest(_HASHES, set(map(zlib.crc32, set(_PLACE.findall(content))))))


class _Sketches:
    """Which files have a hash; eight bytes for each, because there are a million."""

    def __init__(self) -> None:
        self.places: list[Location] = []
        self._buckets = [array("Q") for _ in range(256)]

    def add(self, place: Location, hashes: Iterable[int]) -> None:
        """Take the sketch of a file."""
        for number in hashes:
            self._buckets[number >> 24].append(number << 32 | len(self.places))
        self.places.append(place)

    def sort(self) -> None:
        """Make ready for questions, a bucket at a time."""
        self._buckets = [array("Q", sorted(bucket)) for bucket in self._buckets]

    def having(self, number: int) -> Iterator[int]:
        """The files that have a hash, by their position in ``places``."""
        bucket = self._buckets[number >> 24]
        for at in range(bisect_left(bucket, number << 32), len(bucket)):
            if bucket[at] >> 32 != number:
                return
            yield bucket[at] & 0xFFFF_FFFF


class Similar:
    """Finds old files by their content.

    Args:
        files: what can be found, in the same order each time; asked for once, or never.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._sketches: _Sketches | None = None

    def find(self, file: File) -> Location | None:
        """The place of the file that has most in common with a new one, if it is enough."""
        if not _MIN_BYTES <= file.size_bytes <= _MAX_BYTES:
            return None
        if self._sketches is None:
            self._sketches = self._sketch_all()
        votes: Counter[int] = Counter()
        for number in sketch(file.read()):
            votes.update(self._sketches.having(number))
        best = max(votes.values(), default=0)
        if best < _ENOUGH:
            return None
        return min(self._sketches.places[each] for each in votes if votes[each] == best)

    def _sketch_all(self) -> _Sketches:
        found = _Sketches()
        seen: set[bytes] = set()
        for location, file in self._files():
            if _MIN_BYTES <= file.size_bytes <= _MAX_BYTES and file.content not in seen:
                seen.add(file.content)
                found.add(location, sketch(file.read()))
        found.sort()
        return found
