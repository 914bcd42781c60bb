"""Databases of hardware as systemd writes them: a trie whose nodes name places in the file."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

HEADER_BYTES, NODE_BYTES, CHILD_BYTES, VALUE_BYTES = 80, 24, 16, 32


@dataclass
class _Node:
    """A node of one byte, and its place in the file once it is written."""

    values: list[tuple[str, str]] = field(default_factory=list)
    children: dict[int, "_Node"] = field(default_factory=dict)


def made(records: Mapping[str, Mapping[str, str]]) -> bytes:
    """The database of some records: properties by patterns.

    Source: systemd, ``hwdb-internal.h`` and ``hwdb-util.c``. A node stands behind its children.
    """
    root = _Node()
    for pattern, properties in sorted(records.items()):
        node = root
        for byte in pattern.encode():
            node = node.children.setdefault(byte, _Node())
        node.values = sorted(properties.items())
    texts = _texts(records)
    begin = HEADER_BYTES + _nodes_bytes(root)
    nodes = bytearray()
    places = {text: begin + at for text, at in texts.items()}
    last = _write(root, nodes, places)
    strings = b"".join(text.encode() + b"\0" for text in texts)
    head = struct.pack(
        "<8s9Q",
        b"KSLPHHRH",
        252,
        begin + len(strings),
        HEADER_BYTES,
        NODE_BYTES,
        CHILD_BYTES,
        VALUE_BYTES,
        last,
        len(nodes),
        len(strings),
    )
    return head + nodes + strings


def _texts(records: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """Each text once, with its place among all."""
    words = {word for each in records.values() for item in each.items() for word in item}
    found, at = {}, 0
    for text in ["", *sorted(words)]:
        found[text] = at
        at += len(text.encode()) + 1
    return found


def _nodes_bytes(node: _Node) -> int:
    below = sum(map(_nodes_bytes, node.children.values()))
    own = NODE_BYTES + CHILD_BYTES * len(node.children) + VALUE_BYTES * len(node.values)
    return below + own


def _write(node: _Node, nodes: bytearray, places: Mapping[str, int]) -> int:
    children = [(byte, _write(child, nodes, places)) for byte, child in node.children.items()]
    at = HEADER_BYTES + len(nodes)
    nodes += struct.pack("<QB7xQ", places[""], len(children), len(node.values))
    for byte, place in sorted(children):
        nodes += struct.pack("<B7xQ", byte, place)
    for key, value in node.values:
        nodes += struct.pack("<QQQIHxx", places[key], places[value], places[""], 1, 1)
    return at
