"""Old files whose content is like that of a new one, where names tell nothing.

A file that was moved and changed at once has no old name to look under. So of each file a *sketch*
is kept: of all places where a line begins, or a byte stands that is neither frequent nor rare in
programs, the sixteen bytes that follow are hashed, and the smallest hashes are the sketch. What
files have in common their sketches have in common in the same measure, wherever it stands.

Sketches are made when the first file asks for one: mostly names do tell.

Source: A. Broder, *On the resemblance and containment of documents*, 1997.
Proven by ``tests/unit/transfer/test_similar.py``.
"""

import heapq
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from reconix.transfer.plan import Location

_PLACE = re.compile(rb"(?s)[\n\x01-\x03](.{16})")
_HASHES = 48
_ENOUGH = 4  # of them in common
_MIN_BYTES = 4096
_MAX_BYTES = 80 << 20


class File(Protocol):
    """A file on this machine."""

    @property
    def path(self) -> Path:
        """Where it lies; equal for files that are one."""

    @property
    def size_bytes(self) -> int:
        """Its size."""


Files = Callable[[], Iterable[tuple[Location, File]]]


def sketch(content: bytes) -> tuple[int, ...]:
    """A few numbers, of which similar contents have many in common."""
    return tuple(heapq.nsmallest(_HASHES, set(map(zlib.crc32, set(_PLACE.findall(content))))))


class Similar:
    """Finds old files by their content.

    Args:
        files: what can be found, in the same order each time; asked for once, or never.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._places: dict[int, list[Location]] | None = None

    def find(self, file: File) -> Location | None:
        """The place of the file that has most in common with a new one, if it is enough."""
        if not _MIN_BYTES <= file.size_bytes <= _MAX_BYTES:
            return None
        if self._places is None:
            self._places = self._sketch_all()
        votes: Counter[Location] = Counter()
        for number in sketch(file.path.read_bytes()):
            votes.update(self._places.get(number, ()))
        best = max(votes.values(), default=0)
        return min(place for place in votes if votes[place] == best) if best >= _ENOUGH else None

    def _sketch_all(self) -> dict[int, list[Location]]:
        places: dict[int, list[Location]] = {}
        seen: set[Path] = set()
        for location, file in self._files():
            if _MIN_BYTES <= file.size_bytes <= _MAX_BYTES and file.path not in seen:
                seen.add(file.path)
                for number in sketch(file.path.read_bytes()):
                    places.setdefault(number, []).append(location)
        return places
