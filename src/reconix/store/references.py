"""References: which objects a tree mentions, found by looking.

Nobody has to declare what an object needs at run time: to use another object a file must contain
its path, and a path contains 32 characters that do not occur by chance. So we look for the hash
parts of all objects that *could* be meant, the inputs of the build, in the bytes of the archive.

Looking for each candidate in turn would take time for each. Instead every byte is mapped to "may
stand in a hash" or "may not"; runs of at least 32 of the former are rare in real files and are
found by the same fast search as any constant text; only there the candidates are looked up. The
cost does not depend on their number. The last 31 bytes are kept, so that a hash may lie across
any chunk border.

Source: Nix manual, *Store Object: references*; ``libstore/references.cc`` of Nix 2.8.
Tested by ``tests/unit/store/test_references.py`` and ``tests/compat/test_nix_store.py``.
"""

import hashlib
from collections.abc import Iterable, Iterator

from reconix.base.digests import Digest
from reconix.store.paths import StorePath

_HASH_BYTES = 32
_ALPHABET = b"0123456789abcdfghijklmnpqrsvwxyz"
_MAY = b"x"
_MAY_NOT = b"."
_MASK = bytes((_MAY if byte in _ALPHABET else _MAY_NOT)[0] for byte in range(256))
_RUN = _MAY * _HASH_BYTES


class Scanner:
    """Finds the candidates that a stream of bytes mentions."""

    def __init__(self, candidates: Iterable[StorePath]) -> None:
        self._wanted = {path.hash.encode(): path for path in candidates}
        self._found: set[StorePath] = set()
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Look through the next bytes of the stream."""
        if not self._wanted:
            return
        text = self._tail + data
        for start, end in _runs(text):
            for offset in range(start, end - _HASH_BYTES + 1):
                path = self._wanted.get(text[offset : offset + _HASH_BYTES])
                if path is not None:
                    self._found.add(path)
        self._tail = text[-(_HASH_BYTES - 1) :]

    def found(self) -> set[StorePath]:
        """The candidates that were seen so far."""
        return set(self._found)


def _runs(text: bytes) -> Iterator[tuple[int, int]]:
    mask = text.translate(_MASK)
    start = mask.find(_RUN)
    while start >= 0:
        end = mask.find(_MAY_NOT, start + _HASH_BYTES)
        yield start, len(mask) if end < 0 else end
        start = -1 if end < 0 else mask.find(_RUN, end)


class SelfBlindDigest:
    """The digest of a tree that mentions its own hash, as if it were not there.

    The name of an object cannot depend on itself. So each place where it stands is read as NUL
    bytes, and the offsets of these places, in the form ``|<offset>``, are hashed after the
    content.

    Source: ``HashModuloSink`` in ``libstore/references.cc`` of Nix 2.8.
    """

    def __init__(self, own_hash: str) -> None:
        self._own = own_hash.encode()
        self._state = hashlib.sha256()
        self._waiting = b""
        self._offset = 0  # of the first waiting byte
        self._places: list[int] = []

    def feed(self, data: bytes) -> None:
        """Hash the next bytes of the archive."""
        text = self._waiting + data
        start = text.find(self._own)
        while start >= 0:
            self._places.append(self._offset + start)
            text = text[:start] + bytes(_HASH_BYTES) + text[start + _HASH_BYTES :]
            start = text.find(self._own, start + _HASH_BYTES)
        keep = min(len(text), _HASH_BYTES - 1)
        self._state.update(text[: len(text) - keep])
        self._offset += len(text) - keep
        self._waiting = text[len(text) - keep :]

    def digest(self) -> Digest:
        """The digest of what was fed."""
        state = self._state.copy()
        state.update(self._waiting)
        for place in self._places:
            state.update(b"|%d" % place)
        return Digest(state.digest())

    @property
    def mentions_itself(self) -> bool:
        """Whether the own hash was seen."""
        return bool(self._places)
