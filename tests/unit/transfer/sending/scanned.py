"""Trees as a sender has them, written as in a store, with metadata where a test tells some."""

from collections.abc import Mapping
from pathlib import Path

from reconix.store import tree
from reconix.store.images import nodes
from reconix.store.images.nodes import Metadata
from reconix.store.scan import Scanner
from reconix.transfer.sending.trees import FileNode, FolderNode, Node, Trees

Told = Mapping[str, Metadata]


def image_node(shape: tree.Node, place: Path, told: Told | None = None) -> nodes.Node:
    """A tree as it stands in an image; its files lie below ``place``."""
    return _scanned(shape, place, told or {})[0]


def scanned(shape: tree.Node, place: Path, told: Told | None = None) -> Node:
    """A tree as a sender compares it."""
    node, scanner = _scanned(shape, place, told or {})
    return Trees(scanner.places).tree(node)


def scanned_folder(shape: tree.Node, place: Path, told: Told | None = None) -> FolderNode:
    """The same for a folder."""
    node = scanned(shape, place, told)
    assert isinstance(node, FolderNode)
    return node


def scanned_file(content: bytes, place: Path) -> FileNode:
    """The same for a file."""
    node = scanned(tree.File(content), place)
    assert isinstance(node, FileNode)
    return node


def _scanned(shape: tree.Node, place: Path, told: Told) -> tuple[nodes.Node, Scanner]:
    tree.write(shape, place)
    scanner = Scanner()
    return scanner.scan(place, {path.encode(): found for path, found in told.items()}), scanner
