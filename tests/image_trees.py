"""Trees of all that an image can say, made up or random."""

from collections.abc import Iterator
from typing import NamedTuple

from hypothesis import strategies as st

from reconix.store.images import verity
from reconix.store.images.nodes import (
    EXECUTABLE,
    LINK,
    MAX_INLINE_BYTES,
    READ_ONLY,
    Attributes,
    ImageFile,
    ImageFolder,
    ImageLink,
    Metadata,
    Node,
)

NO_NAME = (b"", b".", b"..")
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
"""cap_net_raw, as the kernel keeps it."""

_NAME_BYTES = bytes(each if each not in b"\0/" else ord("_") for each in range(256))


class Row(NamedTuple):
    """All that a file system shows of a node."""

    path: bytes
    kind: str
    mode: int
    user: int
    group: int
    mtime: int
    size_bytes: int
    target: bytes
    content: bytes
    """As in an image: what is there, or its digest."""
    attributes: Attributes


def file(content: bytes, metadata: Metadata = READ_ONLY) -> ImageFile:
    """A file with a content."""
    inline = len(content) <= MAX_INLINE_BYTES
    return ImageFile(metadata, len(content), content if inline else verity.digest(content))


def link(target: bytes) -> ImageLink:
    return ImageLink(LINK, target)


def folder(metadata: Metadata = EXECUTABLE, /, **entries: Node) -> ImageFolder:
    named = sorted((name.encode(), node) for name, node in entries.items())
    return ImageFolder(metadata, tuple(named))


def rows(node: Node, path: bytes = b"") -> Iterator[Row]:
    """What a file system with that tree has to show, a folder before what is in it."""
    mode, user, group, mtime, attributes = node.metadata
    size_bytes, target, content, kind = 0, b"", b"", "folder"
    if isinstance(node, ImageFile):
        size_bytes, content, kind = node.size_bytes, node.content, "file"
    elif isinstance(node, ImageLink):
        size_bytes, target, kind = len(node.target), node.target, "link"
    plain = tuple(sorted(attributes))
    yield Row(path, kind, mode, user, group, mtime, size_bytes, target, content, plain)
    if isinstance(node, ImageFolder):
        for name, below in node.entries:
            yield from rows(below, path + b"/" + name)


names = (
    st.one_of(
        st.binary(min_size=1, max_size=12),
        st.binary(min_size=1, max_size=255),
        st.sampled_from([b"!", b"+", b"-", b"...", b".-", b"a" * 255, b"\xff" * 255, b" ", b"\n"]),
    )
    .map(lambda name: name.translate(_NAME_BYTES))
    .filter(lambda name: name not in NO_NAME)
)

_ids = st.sampled_from([0, 1, 1000, (1 << 16) - 1, 1 << 16, (1 << 32) - 2])
_times = st.one_of(st.integers(0, 1 << 35), st.sampled_from([0, 1, (1 << 31), (1 << 32) + 5]))
_values = st.one_of(st.binary(max_size=40), st.integers(0, 5000).map(bytes))


def attributes(*prefixes: bytes) -> st.SearchStrategy[Attributes]:
    """Extended attributes whose names begin like this."""
    rest = st.from_regex(rb"[a-z][a-z.]{0,20}", fullmatch=True)
    name = st.builds(bytes.__add__, st.sampled_from(prefixes), rest)
    found = st.dictionaries(name, _values, max_size=3)
    return found.map(lambda each: tuple(sorted(each.items())))


def _metadata(*prefixes: bytes, modes: st.SearchStrategy[int]) -> st.SearchStrategy[Metadata]:
    some = attributes(*prefixes)
    return st.builds(Metadata, modes, _ids, _ids, _times, st.one_of(st.just(()), some))


_ANY = _metadata(b"user.", b"trusted.x", b"security.x", modes=st.integers(0, 0o7777))
"""The kernel keeps ``user.`` from links."""
_OF_LINKS = _metadata(b"trusted.x", b"security.x", modes=st.just(0o777))

POOLED = (*(b"x" * size for size in (4096, 4097, 9000)), bytes(MAX_INLINE_BYTES + 1))
"""The contents of the larger files of random trees."""

contents = st.one_of(st.binary(max_size=MAX_INLINE_BYTES), st.sampled_from(POOLED))
_targets = st.one_of(
    st.binary(min_size=1, max_size=40), st.integers(3900, 4095).map(lambda size: b"t" * size)
).map(lambda target: target.replace(b"\0", b"0"))


def _folders(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[ImageFolder]:
    entries = st.dictionaries(names, nodes, max_size=8)
    return st.builds(ImageFolder, _ANY, entries.map(lambda each: tuple(sorted(each.items()))))


trees: st.SearchStrategy[Node] = st.recursive(
    st.one_of(st.builds(file, contents, _ANY), st.builds(ImageLink, _OF_LINKS, _targets)),
    _folders,
    max_leaves=30,
)
"""Any file, link or folder."""

forests = st.dictionaries(names, trees, max_size=4).map(lambda each: list(each.items()))
"""What the root of an image holds."""
