"""Streams that describe trees from nothing: a sender that is too simple to be wrong."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from reconix.store.images.nodes import (
    EXECUTABLE,
    LINK,
    ImageFile,
    ImageFolder,
    ImageLink,
    Node,
    files,
    usual,
)
from reconix.transfer.format import plan
from reconix.transfer.format.costs import file_inodes, file_space
from reconix.transfer.format.payload_head import Need
from reconix.transfer.format.plan import Event, Piece

_PIECE_BYTES = 1 << 16


def need(index: int, tree: Node) -> Need:
    """What it costs a device to make an object from nothing."""
    sizes = [file.size_bytes for _, file in files(tree)]
    return Need(index, sum(sizes), sum(map(file_space, sizes)), sum(map(file_inodes, sizes)))


def events(node: Node, places: Mapping[bytes, Path], name: bytes | None = None) -> Iterator[Event]:
    """A tree from nothing; ``places`` are those of the contents."""
    executable = bool(node.metadata.mode & 0o100)
    if isinstance(node, ImageFolder):
        usually = EXECUTABLE
    else:
        usually = LINK if isinstance(node, ImageLink) else usual(executable=executable)
    if node.metadata != usually:
        yield plan.Meta(node.metadata)
    if isinstance(node, ImageFolder):
        yield plan.New(name)
        for inside, child in node.entries:
            yield from events(child, places, inside)
        yield plan.End()
    elif isinstance(node, ImageLink):
        yield plan.Link(name, node.target)
    else:
        yield plan.File(name, node.size_bytes, executable)
        yield from _pieces(node, places)


def _pieces(file: ImageFile, places: Mapping[bytes, Path]) -> Iterator[Piece]:
    content = file.content if file.is_inline else places[file.content].read_bytes()
    for at in range(0, len(content), _PIECE_BYTES):
        yield Piece(content[at : at + _PIECE_BYTES])
