"""The layers of an image, unpacked to one tree for the store.

    root/        names and contents, as the store holds them
    metadata     owner, mode, time and attributes of each, as lines of a sidecar
    left-out     what an image has and a device does not get, a line each

Each layer is read once, front to back. Its contents go to a folder of numbers beside the tree; its
names are laid over those below, in memory (``merging.py``). Only when all layers are there and each
is the one that the image means, names and contents are put together: what an upper layer
has replaced is never under any name.

Times are those of the image. Python compares them with what its compiled files say, so with the
store's own second 1 every program of an image would be compiled again at each start.

Names are bytes, as they are in file systems: not all are text. A device node cannot be in a store;
a container gets its own ``/dev``. So these are left out and told, and pipes are, too.

Tested by ``tests/unit/containers/layers/test_unpack.py``; against umoci by
``tests/compat/test_oci_umoci.py``.
"""

import errno
import io
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from reconix.base.digests import Digest
from reconix.base.files import remove_tree
from reconix.containers.descriptors import BadImage
from reconix.containers.layers import attributes, merging
from reconix.containers.layers.merging import (
    BadEntry,
    FileNode,
    FolderNode,
    LinkNode,
    MergedTree,
    shown,
)
from reconix.containers.layers.packed import Archive, BadPacking, unpacked
from reconix.containers.layers.tar import BadTar, Kind, Member, Reader
from reconix.store.images.metadata import BadMetadata, check_metadata
from reconix.store.images.nodes import EXECUTABLE, LINK, READ_ONLY, Metadata
from reconix.store.sidecar import MAX_SIDECAR_BYTES, Entries, check_entries, print_entries

ROOT = "root"
METADATA = "metadata"
LEFT_OUT = "left-out"

_BUFFER_BYTES = 1 << 16
_FOLDERS = (b"dev", b"etc", b"proc", b"run", b"sys", b"tmp")
"""Where a container gets something of its own: each a folder, if it is there (CVE-2026-47766)."""

_LINE_BYTES = 64  # of a line of metadata besides names


@dataclass(frozen=True, slots=True)
class Budget:
    """How much the layers of an image may become, all together."""

    unpacked_bytes: int = 16 << 30
    entries: int = 400_000
    described_bytes: int = MAX_SIDECAR_BYTES
    steps: int = 50_000_000
    """How many names are looked at; an entry in the fifth folder takes four."""


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """A layer that is here, and was compared with its digest."""

    name: Digest
    """Of the file, as messages call it."""
    diff_id: Digest
    file: Path


@dataclass(frozen=True, slots=True, order=True)
class LeftOut:
    """Something of an image that a device does not get."""

    path: bytes
    what: str


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came of the layers of an image."""

    entries: Entries
    left_out: tuple[LeftOut, ...]


def unpack(layers: Sequence[PackedLayer], into: Path, budget: Budget = Budget()) -> Unpacked:
    """Unpack layers, the lowest first, to a new folder.

    Args:
        layers: in order.
        into: a folder that does not exist yet. Its parent also holds the contents meanwhile.
        budget: what may come of them.

    Raises:
        BadImage: a layer is damaged, or another one than the image means, or has what no tree can
            hold; the message has its digest. Nothing is left.
    """
    spool = into.with_name(f"{into.name}.contents")
    spool.mkdir()
    try:
        work = _Unpacking(spool, _Spent(budget))
        for layer in layers:
            work.add(layer)
        _expect_folders(work.tree, layers)
        found = Unpacked(_entries(work.tree), tuple(sorted(work.left_out)))
        _write(work.tree, spool, into, found)
    finally:
        remove_tree(spool)
    return found


@dataclass(slots=True)
class _Spent:
    """What of a budget is spent."""

    budget: Budget
    unpacked_bytes: int = 0
    entries: int = 0
    described_bytes: int = 0

    def unpack(self, size_bytes: int) -> None:
        self.unpacked_bytes += size_bytes
        if self.unpacked_bytes > self.budget.unpacked_bytes:
            raise BadTar(f"the image is unpacked to more than {self.budget.unpacked_bytes} bytes")

    def describe(self, member: Member, extension_bytes: int) -> None:
        self.entries += 1
        told_bytes = len(member.name) + len(member.target) + extension_bytes
        self.described_bytes += told_bytes + _LINE_BYTES
        if self.entries > self.budget.entries:
            raise BadTar(f"the image has more than {self.budget.entries} entries")
        if self.described_bytes > self.budget.described_bytes:
            raise BadTar(
                f"the image has names and attributes of more than "
                f"{self.budget.described_bytes} bytes"
            )


@dataclass(slots=True)
class _Unpacking:
    """The layers so far."""

    spool: Path
    spent: _Spent
    tree: MergedTree = field(init=False)
    left_out: list[LeftOut] = field(default_factory=list)
    _contents: int = 0

    def __post_init__(self) -> None:
        self.tree = MergedTree(self.spent.budget.steps)

    def add(self, layer: PackedLayer) -> None:
        """Lay the next layer over those before."""
        self.tree.begin_layer()
        with layer.file.open("rb") as file:
            try:
                found = self._read(file)
            except (BadTar, BadPacking, BadEntry) as error:
                raise BadImage(f"layer {layer.name}: {error}") from error
        if found != layer.diff_id:
            raise BadImage(
                f"layer {layer.name}: what is in it is {found}, but its image means {layer.diff_id}"
            )

    def _read(self, file: BinaryIO) -> Digest:
        archive = Archive(unpacked(file), self.spent.unpack)
        reader = Reader(io.BufferedReader(archive, _BUFFER_BYTES).read)
        for member in reader:
            self.spent.describe(member, reader.extension_bytes)
            if not merging.is_of_aufs(member.name):
                self._take(member, reader)
        return archive.digest()

    def _take(self, member: Member, reader: Reader) -> None:
        name = member.name
        if merging.is_whiteout(name):
            self.tree.white_out(name)
        elif member.kind is Kind.HARD_LINK:
            self.tree.put_hard_link(name, member.target)
        elif member.kind in (Kind.DEVICE, Kind.PIPE):
            self.tree.leave_out(name)
            self._lose(name, str(member.kind.value))
        else:
            metadata = self._metadata(member)
            if member.kind is Kind.FOLDER:
                self.tree.put_folder(name, metadata)
            elif member.kind is Kind.LINK:
                merging.expect_target(name, member.target)
                self.tree.put(name, LinkNode(metadata, member.target))
            else:
                content = self._spool(reader, member)
                self.tree.put(name, FileNode(metadata, member.size_bytes, content))

    def _metadata(self, member: Member) -> Metadata:
        for name in attributes.lost(member.attributes):
            self._lose(member.name, f"attribute {shown(name)}")
        is_link = member.kind is Kind.LINK
        found = Metadata(
            LINK.mode if is_link else member.mode,
            member.user,
            member.group,
            max(member.mtime, 0),
            attributes.kept(member.attributes),
        )
        try:
            check_metadata(found)
        except BadMetadata as error:
            raise BadEntry(member.name, f"has {error}") from error
        return found

    def _spool(self, reader: Reader, member: Member) -> int:
        """Write a content; give its number."""
        self.spent.unpack(max(0, member.size_bytes - reader.stored_bytes))  # what is not stored
        self._contents += 1
        place = self.spool / str(self._contents)
        with place.open("xb", buffering=0) as file:
            for data in reader.content():
                file.write(data)
        place.chmod(0o755 if member.mode & 0o111 else 0o644)
        return self._contents

    def _lose(self, name: bytes, what: str) -> None:
        self.left_out.append(LeftOut(b"/".join(merging.split(name)), what))


def _expect_folders(tree: MergedTree, layers: Sequence[PackedLayer]) -> None:
    for name in _FOLDERS:
        node = tree.get(name)
        if node is not None and not isinstance(node, FolderNode):
            kind = "a link" if isinstance(node, LinkNode) else "a file"
            raise BadImage(
                f"the image whose last layer is {layers[-1].name}: /{name.decode()} is {kind}, "
                "not a folder",
                hint="a container gets something of its own there, and must not get it elsewhere",
            )


def _entries(tree: MergedTree) -> Entries:
    """What the store itself does not say of the nodes."""
    told = (
        (path, node.metadata)
        for path, node in merging.walk(tree.root, ROOT.encode())
        if node.metadata != _usual(node)
    )
    entries = tuple(sorted(told))
    check_entries(entries)
    return entries


def _usual(node: merging.Node) -> Metadata:
    if isinstance(node, LinkNode):
        return LINK
    if isinstance(node, FolderNode):
        return EXECUTABLE
    return EXECUTABLE if node.metadata.mode & 0o111 else READ_ONLY


def _write(tree: MergedTree, spool: Path, into: Path, found: Unpacked) -> None:
    """Put names and contents together."""
    metadata = print_entries(found.entries)
    if len(metadata) > MAX_SIDECAR_BYTES:
        raise BadImage(f"the image has more metadata than a sidecar: {len(metadata)} bytes")
    into.mkdir()
    with ExitStack() as undo:
        undo.callback(remove_tree, into)
        _put_nodes(tree, os.fsencode(spool), os.fsencode(into))
        (into / METADATA).write_bytes(metadata)
        (into / LEFT_OUT).write_bytes(b"".join(_lines(found.left_out)))
        undo.pop_all()


def _put_nodes(tree: MergedTree, spool: bytes, into: bytes) -> None:
    placed: dict[int, bytes] = {}
    for path, node in merging.walk(tree.root, ROOT.encode()):
        place = into + b"/" + path
        if isinstance(node, FolderNode):
            os.mkdir(place)  # noqa: PTH102 - bytes
        elif isinstance(node, LinkNode):
            os.symlink(node.target, place)  # noqa: PTH211 - bytes
        elif node.content not in placed:
            os.rename(b"%s/%d" % (spool, node.content), place)  # noqa: PTH104 - bytes
            placed[node.content] = place
        elif not _linked(placed[node.content], place):
            shutil.copy(placed[node.content], place)
            placed[node.content] = place


def _linked(content: bytes, place: bytes) -> bool:
    """Give a content a further name, if the file system has room for one."""
    try:
        os.link(content, place)
    except OSError as error:
        if error.errno != errno.EMLINK:
            raise
        return False
    return True


def _lines(left_out: Sequence[LeftOut]) -> Iterator[bytes]:
    for each in left_out:
        yield f"{shown(each.path)} {each.what}\n".encode()
