"""What a kernel says of its types, made up: records, and where in them names and types are."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

HEADER_BYTES = 24
ADDRESS = 0x40_0000
MAGIC = b"\x9f\xeb\1\0\x18\0\0\0"

NUMBER, POINTER, ARRAY, STRUCTURE, ENUMERATION, ELSEWHERE, FUNCTION, TAKES = (
    1,
    2,
    3,
    4,
    6,
    7,
    12,
    13,
)
VARIABLE, SECTION, FRACTION, TAG, WIDE = 14, 15, 16, 17, 19


@dataclass
class Types:
    """Records as they are written, one after the other."""

    content: bytearray = field(default_factory=bytearray)
    names: list[int] = field(default_factory=list)  # offsets of those words
    types: list[int] = field(default_factory=list)
    texts: bytearray = field(default_factory=lambda: bytearray(1))
    count: int = 0

    def name(self, text: str) -> None:
        """The next word says where a text is."""
        self.names.append(len(self.content))
        self._word(len(self.texts) if text else 0)
        self.texts += text.encode() + b"\0" if text else b""

    def type(self, number: int) -> None:
        """The next word is a type."""
        self.types.append(len(self.content))
        self._word(number)

    def _word(self, number: int) -> None:
        self.content += struct.pack("<I", number)

    def add(self, kind: int, name: str, third: int, items: Sequence[tuple[str, int, int]]) -> int:
        """A record of any kind; of an item what its kind has is taken. Gives its number."""
        self.name(name)
        many = kind in (STRUCTURE, 5, ENUMERATION, TAKES, SECTION, WIDE)
        self._word(kind << 24 | (len(items) if many else 0))
        refers = kind in (POINTER, 8, 9, 10, 11, FUNCTION, TAKES, VARIABLE, TAG, 18)
        (self.type if refers else self._word)(third)
        for item in items if many else [*items, ("", 0, 0)][:1]:
            self._item(kind, *item)
        self.count += 1
        return self.count

    def _item(self, kind: int, name: str, number: int, value: int) -> None:
        """Source: Linux, ``include/uapi/linux/btf.h``."""
        match kind:
            case 1 | 14 | 17:
                self._word(value)
            case 3:
                self.type(number)
                self.type(value)
                self._word(value)
            case 4 | 5:
                self.name(name)
                self.type(number)
                self._word(value)
            case 6:
                self.name(name)
                self._word(value)
            case 13:
                self.name(name)
                self.type(number)
            case 15:
                self.type(number)
                self._word(value)
                self._word(value)
            case 19:
                self.name(name)
                self._word(value)
                self._word(value)

    def printed(self) -> bytes:
        """Header, types and texts."""
        size = len(self.content)
        head = MAGIC + struct.pack("<IIII", 0, size, size, len(self.texts))
        return head + bytes(self.content) + bytes(self.texts)


def kernel(types: bytes, before: bytes = b"", behind: bytes = b"") -> bytes:
    """An ELF file with one section, of types and what is around them."""
    content = before + types + behind
    start = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack("<HHIQQQ", 2, 62, 1, 0, 0, 64)
    start += struct.pack("<IHHHHHH", 0, 64, 0, 0, 64, 2, 0) + bytes(64)
    row = struct.pack("<IIQQQQIIQQ", 0, 1, 2, ADDRESS, 192, len(content), 0, 0, 0, 0)
    return start + row + content


def structures(count: int, *, step: int = 0) -> Types:
    """So many structures, with pointers to themselves and others; one more each ``step``."""

    def pointer(index: int) -> int:
        return 2 + 2 * index + (index // step if step else 0)

    made = Types()
    made.add(NUMBER, "int", 4, [])
    for index in range(count):
        if index and step and index % step == 0:
            made.add(STRUCTURE, f"fresh_{index}", 8, [(f"new_{index}", 1, 0)])
        others = [index * index * 7919 % (10007 + more) % count for more in range(4)]
        made.add(POINTER, "", pointer(index) + 1, [])
        items = [(f"of_{other}", pointer(other), 64) for other in others]
        made.add(
            STRUCTURE, f"node_{index * index}", 256, [(f"x_{index}", pointer(index), 0), *items]
        )
    return made
