"""Names on FAT: each file has a long one, and a short one for programs of 1981.

A folder is a table of entries of 32 bytes. The entry of a file holds a name of 8 + 3 capital
letters. A name that is not like that stands before it, in as many entries as it takes, 13
characters each, the last part first; a checksum of the short name ties them together. What the
short name is, nobody prescribes, only that no two in a folder are the same: here they are numbered
in the order of the long names, so that a folder has one spelling.

Source: Microsoft FAT32 File System Specification 1.03, sections *FAT Directory Structure* and *Long
File Name*; byte tables in ``docs/spec/slot-image.md``.
Tested by ``tests/unit/boot/test_fat_names.py``, and against mtools by ``tests/compat/test_fat.py``.
"""

import struct

from reconix.base.records import dataclass

ENTRY_BYTES = 32
FOLDER, ARCHIVE, LABEL = 0x10, 0x20, 0x08

_LONG_NAME = 0x0F
_LAST_PART = 0x40
_DATE = 0x0021  # 1980-01-01, the first day that FAT can express
_PART_CHARACTERS = 13
_SHORT = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'()-@^_`{}~")


@dataclass(frozen=True, slots=True)
class Named:
    """One name in a folder, in both spellings."""

    name: str
    alias: bytes  # 11 bytes: 8 of base name, 3 of extension

    @property
    def count(self) -> int:
        """How many entries it takes, the short one included."""
        return 1 + self._parts

    def long_entries(self) -> bytes:
        """The entries before the short one; none if the short name says it all."""
        size = 2 * _PART_CHARACTERS
        text = self.name.encode("utf-16-le")
        if len(text) < self._parts * size:
            text = (text + b"\0\0").ljust(self._parts * size, b"\xff")
        return b"".join(
            self._part(number, text[(number - 1) * size : number * size])
            for number in range(self._parts, 0, -1)
        )

    @property
    def _parts(self) -> int:
        if self._short_name == self.name:
            return 0
        return -(-len(self.name.encode("utf-16-le")) // 2 // _PART_CHARACTERS)

    @property
    def _short_name(self) -> str:
        base, extension = self.alias[:8].decode().rstrip(), self.alias[8:].decode().rstrip()
        return f"{base}.{extension}" if extension else base

    def _part(self, number: int, text: bytes) -> bytes:
        return struct.pack(
            "<B10sBBB12sH4s",
            number | (_LAST_PART if number == self._parts else 0),
            text[:10],
            _LONG_NAME,
            0,
            _checksum(self.alias),
            text[10:22],
            0,
            text[22:],
        )


def aliased(names: list[str]) -> list[Named]:
    """Give each name of a folder its short spelling, ``BASE~N.EXT`` where it has none of its own.

    Names that are short ones but for the case keep theirs, so they are dealt with first; the others
    are numbered in the order of names.
    """
    short = {name: alias for name in names if (alias := _short(name))}
    taken = set(short.values())
    last: dict[tuple[str, str], int] = {}
    for name in names:
        if name not in short:
            short[name] = _numbered(name, taken, last)
    return [Named(name, short[name]) for name in names]


def _short(name: str) -> bytes | None:
    base, dot, extension = name.upper().partition(".") if name.isascii() else ("", "", "")
    fits = 1 <= len(base) <= 8 and len(extension) <= 3 and bool(extension) == bool(dot)
    if not fits or not set(base + extension) <= _SHORT:
        return None
    return (base.ljust(8) + extension.ljust(3)).encode()


def _numbered(name: str, taken: set[bytes], last: dict[tuple[str, str], int]) -> bytes:
    base, _, extension = name.lstrip(".").upper().rpartition(".")
    if not base:
        base, extension = extension, ""
    base, extension = _shortened(base)[:6] or "_", _shortened(extension)[:3]
    number = last.get((base, extension), 0)
    while True:
        number += 1
        tail = f"~{number}"
        alias = ((base[: 8 - len(tail)] + tail).ljust(8) + extension.ljust(3)).encode()
        if alias not in taken:
            taken.add(alias)
            last[base, extension] = number
            return alias


def _shortened(text: str) -> str:
    kept = text.replace(" ", "").replace(".", "")
    return "".join(letter if letter in _SHORT else "_" for letter in kept)


def entry(alias: bytes, attributes: int, cluster: int, size_bytes: int) -> bytes:
    """The entry of a file, a folder or the label, with its short name."""
    return struct.pack(
        "<11sBBBHHHHHHHI",
        alias,
        attributes,
        0,
        0,
        0,  # created, time
        _DATE,
        _DATE,  # last read
        cluster >> 16,
        0,  # written, time
        _DATE,
        cluster & 0xFFFF,
        size_bytes,
    )


def _checksum(alias: bytes) -> int:
    value = 0
    for byte in alias:
        value = ((value << 7 | value >> 1) + byte) & 0xFF
    return value
