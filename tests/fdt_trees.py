"""Device trees made for tests, in the form that lies in memory."""

import struct
from collections.abc import Mapping

Nodes = Mapping[str, "bytes | Nodes"]
"""Properties, and nodes below, by name."""


def cells(*numbers: int) -> bytes:
    """Numbers as a property has them."""
    return struct.pack(f">{len(numbers)}I", *numbers)


def texts(*words: str) -> bytes:
    """Texts as a property has them."""
    return b"".join(word.encode() + b"\0" for word in words)


def print_tree(root: Nodes) -> bytes:
    """A device tree with this root."""
    names = bytearray()
    structure = _node("", root, names) + cells(9)
    names_at = 40 + 16
    at = names_at + len(names) + -len(names) % 4
    size = at + len(structure)
    head = (0xD00DFEED, size, at, names_at, 40, 17, 16, 0, len(names), len(structure))
    return cells(*head) + bytes(16) + _padded(bytes(names)) + structure


def _node(name: str, content: Nodes, names: bytearray) -> bytes:
    made = cells(1) + _padded(name.encode() + b"\0")
    for key, value in content.items():
        if isinstance(value, bytes):
            made += cells(3, len(value), len(names)) + _padded(value)
            names += key.encode() + b"\0"
    below = (
        _node(key, each, names) for key, each in content.items() if not isinstance(each, bytes)
    )
    return made + b"".join(below) + cells(2)


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)
