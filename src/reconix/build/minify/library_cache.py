"""The list of libraries that the loader reads, without those that went.

Packages have it made when they are installed (``ldconfig``). It is cut here, not made anew: another
release of ``ldconfig`` on the build machine would write another one.

    header     "glibc-ld.so.cache" "1.1"  number of libraries  bytes of strings  byte order  …
    library*   what for  name  path  …    24 bytes; name and path are offsets of strings
    strings    one ends where the next begins; one that another one ends with is only there
    extension  after a multiple of 4 bytes: who made it, and names of variants for processors

Libraries stay in their order, in which the loader searches. Which variants there are is told as it
was; a list with libraries that are variants, or in another form, stays as it is.

Source: glibc, ``elf/cache.c`` and ``sysdeps/generic/dl-cache.h``.
Tested by ``tests/unit/build/minify/test_library_cache.py``, byte for byte against ``ldconfig``.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct("<20sIIB3xI12x")
_LIBRARY = struct.Struct("<iIIIQ")
_EXTENSION, _SECTION = struct.Struct("<II"), struct.Struct("<IIII")
_EXTENSION_MAGIC = 0xEAA42174
_MAKER = 0
"""The kind of a section with a text and no offsets."""
_LITTLE_ENDIAN = 2


class Library(NamedTuple):
    """A library that the loader finds by its name."""

    name: bytes
    path: bytes
    flags: int
    variant: int


@dataclass(frozen=True, slots=True)
class LibraryCache:
    """What a list consists of."""

    libraries: tuple[Library, ...]
    maker: bytes | None

    def print(self) -> bytes:
        """The list as the loader reads it."""
        strings = {text for each in self.libraries for text in (each.name, each.path)}
        begin = _HEADER.size + _LIBRARY.size * len(self.libraries)
        places, packed = _together(strings, begin)
        end = begin + len(packed)
        padding = b"" if self.maker is None else bytes(-end % 4)
        extension = end + len(padding) if self.maker is not None else 0
        header = (_MAGIC, len(self.libraries), len(packed), _LITTLE_ENDIAN, extension)
        rows = (
            _LIBRARY.pack(each.flags, places[each.name], places[each.path], 0, each.variant)
            for each in self.libraries
        )
        told = b"" if self.maker is None else _extension(self.maker, extension)
        return b"".join((_HEADER.pack(*header), *rows, packed, padding, told))


def only(content: bytes, is_there: Callable[[str], bool]) -> bytes:
    """The list with only those libraries that are there.

    Args:
        content: of it.
        is_there: told the path of a library, as it stands in the list.
    """
    found = parse_cache(content)
    if found is None:
        return content
    left = (each for each in found.libraries if is_there(each.path.decode(errors="replace")))
    return LibraryCache(tuple(left), found.maker).print()


def parse_cache(content: bytes) -> LibraryCache | None:
    """Read a list; nothing of one that has more than this form says, or is damaged."""
    try:
        magic, count, _, order, extension = _HEADER.unpack_from(content)
        end = _HEADER.size + _LIBRARY.size * count
        rows = [*_LIBRARY.iter_unpack(content[_HEADER.size : end])]
        maker = _maker(content, extension) if extension else None
        libraries = tuple(
            Library(_text(content, name), _text(content, path), flags, variant)
            for flags, name, path, _, variant in rows
        )
    except (struct.error, ValueError):
        return None
    found = LibraryCache(libraries, maker)
    is_known = magic == _MAGIC and order == _LITTLE_ENDIAN and found.print() == content
    return found if is_known and len(rows) == count else None


def _maker(content: bytes, extension: int) -> bytes:
    """Who made it.

    Raises:
        ValueError: there are sections that are about other things.
    """
    magic, count = _EXTENSION.unpack_from(content, extension)
    if magic != _EXTENSION_MAGIC or count != 1:
        raise ValueError("there are variants for processors")
    kind, _, place, size = _SECTION.unpack_from(content, extension + _EXTENSION.size)
    if kind != _MAKER:
        raise ValueError("it is of another kind")
    return content[place : place + size]


def _extension(maker: bytes, place: int) -> bytes:
    head = _EXTENSION.pack(_EXTENSION_MAGIC, 1)
    place += len(head) + _SECTION.size
    return head + _SECTION.pack(_MAKER, 0, place, len(maker)) + maker


def _text(content: bytes, place: int) -> bytes:
    return content[place : content.index(b"\0", place)]


def _together(strings: Iterable[bytes], begin: int) -> tuple[dict[bytes, int], bytes]:
    """Where each string is, and all of them: by their last bytes, the longer ones first."""
    places: dict[bytes, int] = {}
    packed, last = bytearray(), b""
    for text in sorted(strings, key=lambda each: each[::-1], reverse=True):
        if not (packed and last.endswith(text)):
            packed += text + b"\0"
        places[text] = begin + len(packed) - len(text) - 1
        last = text
    return places, bytes(packed)
