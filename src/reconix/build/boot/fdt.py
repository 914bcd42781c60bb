"""Device trees as they lie in memory: nodes with properties, and nothing more.

A header says where a block of structure is and one of names of properties. The structure is a
sequence of tokens of four bytes::

    1  a node begins: its name, ended by a zero byte, filled up to four bytes
    2  a node ends
    3  a property: length of its value, place of its name, the value, filled up to four bytes
    4  nothing
    9  the end

What is read here comes from a package, and is held against all limits of the file: a place
outside, a node too deep or a property after a child is an error.

Source: Devicetree Specification 0.4, chapter 5.
Tested by ``tests/unit/build/boot/test_fdt.py``, and against dtc by
``tests/compat/test_device_tree.py``.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reconix.base.errors import ReconixError

_HEADER = struct.Struct(">10I")
_MAGIC, _LAST_VERSION = 0xD00DFEED, 17
_BEGIN, _END, _PROPERTY, _NOTHING, _FINISH = 1, 2, 3, 4, 9
_MAX_DEPTH, _MAX_NODES = 64, 65536


class DamagedTree(ReconixError):
    """A device tree contradicts itself."""

    exit_code = 61

    def __init__(self, what: str) -> None:
        super().__init__(f"the device tree is damaged: {what}")


@dataclass(slots=True)
class Node:
    """A node; what belongs together is read from its properties.

    Attributes:
        name: with its address, ``mmc@7e202000``; of the root, nothing.
        parent: the node that it is in.
        properties: by name; numbers in them are of 32 bits, most significant byte first.
        children: by name.
    """

    name: str
    parent: "Node | None" = None
    properties: dict[str, bytes] = field(default_factory=dict)
    children: "dict[str, Node]" = field(default_factory=dict)

    @property
    def path(self) -> str:
        """From the root on: ``/soc/mmc@7e202000``."""
        return "/" if self.parent is None else f"{self.parent.path.rstrip('/')}/{self.name}"

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of a property; none if it is not there."""
        value = self.properties.get(name, b"")
        return tuple(text.decode(errors="replace") for text in value.split(b"\0") if text)

    def cells(self, name: str) -> tuple[int, ...]:
        """The numbers of a property; none if it is not there or has a part of one."""
        value = self.properties.get(name, b"")
        return struct.unpack(f">{len(value) // 4}I", value) if len(value) % 4 == 0 else ()

    @property
    def is_used(self) -> bool:
        """Whether the board has it."""
        return self.texts("status") in ((), ("okay",), ("ok",))

    def ancestors(self) -> "Iterator[Node]":
        """The nodes that it is in, the next one first, without the root."""
        node = self.parent
        while node is not None and node.parent is not None:
            yield node
            node = node.parent

    def all(self) -> "Iterator[Node]":
        """It and all below it."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(node.children.values())


@dataclass(frozen=True, slots=True)
class Tree:
    """A whole device tree, and its nodes by the number that others name them by."""

    root: Node
    by_handle: Mapping[int, Node]

    def find(self, name: str) -> Node | None:
        """A node by its path, or by one of the aliases of the board, such as ``mmc0``."""
        aliases = self.root.children.get("aliases", Node("aliases"))
        path = name if name.startswith("/") else "".join(aliases.texts(name)[:1])
        node: Node | None = self.root if path else None
        for part in path.split("/")[1:]:
            node = node.children.get(part) if node is not None else None
        return node


def parse_tree(content: bytes) -> Tree:
    """Read a device tree.

    Raises:
        DamagedTree: it is none, or contradicts itself.
    """
    if len(content) < _HEADER.size:
        raise DamagedTree("it is too short")
    magic, size, at, names_at, _, _, oldest, _, names_size, length = _HEADER.unpack_from(content)
    if magic != _MAGIC or oldest > _LAST_VERSION:
        raise DamagedTree("its header is of another format")
    if not _HEADER.size <= at <= at + length <= size <= len(content):
        raise DamagedTree("its structure lies outside")
    if names_at + names_size > size:
        raise DamagedTree("the names of its properties lie outside")
    names = content[names_at : names_at + names_size]
    root = _Reader(content[at : at + length], names).read()
    return Tree(root, _handles(root))


def _handles(root: Node) -> dict[int, Node]:
    found: dict[int, Node] = {}
    for node in root.all():
        for name in ("phandle", "linux,phandle"):
            for handle in node.cells(name)[:1]:
                found[handle] = node
    return found


class _Reader:
    """Goes through a block of structure once."""

    def __init__(self, structure: bytes, names: bytes) -> None:
        self._structure, self._names, self._at, self._nodes = structure, names, 0, 0

    def read(self) -> Node:
        root: Node | None = None
        node: Node | None = None
        depth = 0
        while (token := self._number()) != _FINISH:
            if token == _BEGIN:
                depth += 1
                node = self._begun(node, depth)
                root = root or node
            elif token == _END and node is not None:
                node, depth = node.parent, depth - 1
            elif token == _PROPERTY and node is not None:
                self._property(node)
            elif token != _NOTHING:
                raise DamagedTree(f"token {token} at {self._at - 4}")
        if root is None or node is not None:
            raise DamagedTree("a node does not end")
        return root

    def _begun(self, parent: Node | None, depth: int) -> Node:
        name = self._name(self._structure, self._at)
        self._at += len(name) + 1
        self._at += -self._at % 4
        self._nodes += 1
        if depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            raise DamagedTree("it has too many nodes")
        node = Node(name.decode(errors="replace"), parent)
        if parent is None and self._nodes > 1:
            raise DamagedTree("it has two roots")
        if parent is not None and parent.children.setdefault(node.name, node) is not node:
            raise DamagedTree(f"{node.path} is there twice")
        return node

    def _property(self, node: Node) -> None:
        length, name_at = self._number(), self._number()
        if node.children or self._at + length > len(self._structure):
            raise DamagedTree(f"a property of {node.path} is not where it may be")
        name = self._name(self._names, name_at).decode(errors="replace")
        node.properties[name] = self._structure[self._at : self._at + length]
        self._at += length + -length % 4

    def _number(self) -> int:
        if self._at + 4 > len(self._structure):
            raise DamagedTree("it has no end")
        number = int.from_bytes(self._structure[self._at : self._at + 4])
        self._at += 4
        return number

    @staticmethod
    def _name(block: bytes, at: int) -> bytes:
        end = block.find(b"\0", at)
        if end < 0 or at > len(block):
            raise DamagedTree("a name does not end")
        return block[at:end]
