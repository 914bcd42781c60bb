"""Layers laid over each other, as a tree of names in memory.

A layer is an archive that was meant to be unpacked over the layers below it. Whoever does that on a
disk has to mind every link that an earlier layer has put in the way. So here nothing is on a disk:
names are looked up in this tree, links are followed in it and cannot lead out of it, and what a
name stands for is a number of a content that lies elsewhere (``unpack.py``).

* A folder over a folder changes what is said of it; anything else takes the place of what was
  there, with all that was below it.
* ``.wh.NAME`` removes what lower layers have under NAME, ``.wh..wh..opq`` all that they have in its
  folder. What the same layer has there stays, wherever the two stand in the archive: so each
  name remembers the last layer that set it, or something below it.
* Folders that lead to a name are made if nobody has. Links among them are followed, from ``/``
  of the tree if they are absolute, and ``..`` in ``/`` is ``/``, as for a program in a container.
* A hard link is a further name of what is there at that moment, with all that is said of it.
* ``.wh..wh.`` begins names of aufs itself, which no image means.

Source: OCI image specification 1.1, *Image Layer Filesystem Changeset*; umoci, ``oci/layer``, for
what it leaves open.
Tested by ``tests/unit/containers/layers/test_merging.py``; against umoci by
``tests/compat/test_oci_umoci.py``.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from reconix.base.errors import ReconixError
from reconix.store.images.nodes import Metadata
from reconix.store.names import MAX_DEPTH, BadName, check_name, check_target
from reconix.store.nar import MAX_FOLDER_BYTES

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
_OF_AUFS = b".wh..wh."
_MAX_LINKS = 40  # as the kernel
_MAX_FOLDERS = MAX_DEPTH - 2  # the object has a folder around the tree
_MAX_PATH_BYTES = MAX_FOLDER_BYTES - 64
_IMPLIED = Metadata(0o755)

Names = tuple[bytes, ...]


class BadEntry(ReconixError):
    """A layer has an entry that cannot be laid over those below it."""

    exit_code = 65

    def __init__(self, name: bytes, why: str) -> None:
        super().__init__(f"{shown(name)} {why}")


def shown(name: bytes) -> str:
    """A path of a layer for people: short, on one line, with every byte that is no text."""
    return repr(name[:200].decode(errors="backslashreplace"))


@dataclass(frozen=True, slots=True)
class FileNode:
    """A file; each name of it has the same node."""

    metadata: Metadata
    size_bytes: int
    content: int
    """The number of the content."""


@dataclass(frozen=True, slots=True)
class LinkNode:
    """A symbolic link."""

    metadata: Metadata
    target: bytes


@dataclass(slots=True)
class FolderNode:
    """A folder, to which each layer may add."""

    metadata: Metadata
    slots: "dict[bytes, Slot]" = field(default_factory=dict)


Node = FileNode | LinkNode | FolderNode


@dataclass(slots=True)
class Slot:
    """A name in a folder."""

    node: Node
    layer: int
    """The last layer that set this name, or one below it."""


class MergedTree:
    """The tree of all layers so far.

    Args:
        steps: how many names may be looked at, all together.
    """

    def __init__(self, steps: int) -> None:
        self.root = FolderNode(_IMPLIED)
        self._layer = 0
        self._steps = steps

    def begin_layer(self) -> None:
        """What follows belongs to the next layer."""
        self._layer += 1

    def put_folder(self, name: bytes, metadata: Metadata) -> None:
        """A folder, which may be there already."""
        names = split(name)
        if not names:
            self.root.metadata = metadata
            return
        folder = self._parent(name, names)
        slot = folder.slots.get(names[-1])
        if slot is not None and isinstance(slot.node, FolderNode):
            slot.node.metadata, slot.layer = metadata, self._layer
        else:
            folder.slots[names[-1]] = Slot(FolderNode(metadata), self._layer)

    def put(self, name: bytes, node: FileNode | LinkNode) -> None:
        """A file or a link, in the place of whatever is there."""
        folder, last = self._place(name)
        folder.slots[last] = Slot(node, self._layer)

    def put_hard_link(self, name: bytes, target: bytes) -> None:
        """A further name of a file or link.

        Raises:
            BadEntry: there is no such thing.
        """
        folder, last = self._place(name)
        folder.slots.pop(last, None)
        node = self._find(name, split(target))
        if node is None or isinstance(node, FolderNode):
            what = "nothing" if node is None else "a folder"
            raise BadEntry(name, f"is a hard link to {shown(target)}, where {what} is")
        folder.slots[last] = Slot(node, self._layer)

    def leave_out(self, name: bytes) -> None:
        """Something that no tree of ours can hold takes the place of what is there."""
        folder, last = self._place(name)
        folder.slots.pop(last, None)

    def white_out(self, name: bytes) -> None:
        """The entry ``.wh.NAME``, by its whole name; or that of an opaque folder."""
        *parents, last = split(name)
        gone = last.removeprefix(WHITEOUT)
        if gone in (b"", b".", b".."):
            raise BadEntry(name, "marks nothing as deleted")
        folder = self._look_up(name, tuple(parents))
        if folder is None:
            return
        for each in list(folder.slots) if last == OPAQUE else (gone,):
            self._purge(name, folder, each)

    def get(self, name: bytes) -> Node | None:
        """What stands under a name; no link is followed."""
        node: Node | None = self.root
        for each in split(name):
            slot = node.slots.get(each) if isinstance(node, FolderNode) else None
            node = slot.node if slot else None
        return node

    def _purge(self, entry: bytes, folder: FolderNode, name: bytes) -> None:
        """Remove what lower layers have under a name."""
        self._step(entry)
        slot = folder.slots.get(name)
        if slot is None:
            return
        if slot.layer != self._layer:
            del folder.slots[name]
        elif isinstance(slot.node, FolderNode):
            for below in list(slot.node.slots):
                self._purge(entry, slot.node, below)

    def _step(self, entry: bytes) -> None:
        """Count work: a few entries can ask for any amount of it."""
        self._steps -= 1
        if self._steps < 0:
            raise BadEntry(entry, "is one step too many: links and whiteouts take too much work")

    def _place(self, name: bytes) -> tuple[FolderNode, bytes]:
        names = split(name)
        if not names:
            raise BadEntry(name, "would make the root itself something else than a folder")
        return self._parent(name, names), names[-1]

    def _parent(self, name: bytes, names: Names) -> FolderNode:
        """The folder of a name; made if need be, and remembered with all above it."""
        resolved = self._resolve(name, names[:-1])
        if len(resolved) >= _MAX_FOLDERS or len(b"/".join(resolved)) > _MAX_PATH_BYTES:
            raise BadEntry(name, "lies too deep, or its folder has too long a path")
        folder = self.root
        for each in resolved:
            slot = folder.slots.get(each)
            if slot is None:
                slot = folder.slots[each] = Slot(_implied_in(folder), self._layer)
            if not isinstance(slot.node, FolderNode):
                raise BadEntry(name, f"lies in {shown(each)}, which is a file")
            slot.layer, folder = self._layer, slot.node
        return folder

    def _look_up(self, name: bytes, names: Names) -> FolderNode | None:
        """A folder that is there, perhaps behind links."""
        folder = self.root
        for each in self._resolve(name, names):
            slot = folder.slots.get(each)
            if slot is None or not isinstance(slot.node, FolderNode):
                return None
            folder = slot.node
        return folder

    def _find(self, name: bytes, names: Names) -> Node | None:
        """What a hard link leads to: links on the way are followed, the last name is not."""
        folder = self._look_up(name, names[:-1])
        if not names or folder is None:
            return None if names else self.root
        slot = folder.slots.get(names[-1])
        return slot.node if slot else None

    def _resolve(self, name: bytes, names: Names) -> Names:
        """The path without links; what is not there stands for itself."""
        waiting, links = list(reversed(names)), 0
        found: list[tuple[bytes, Node | None]] = []
        while waiting:
            each = waiting.pop()
            self._step(name)
            if each == b"..":
                del found[-1:]
                continue
            above = found[-1][1] if found else self.root
            slot = above.slots.get(each) if isinstance(above, FolderNode) else None
            node = slot.node if slot else None
            if not isinstance(node, LinkNode):
                found.append((each, node))
                continue
            links += 1
            if links > _MAX_LINKS:
                raise BadEntry(name, f"lies behind more than {_MAX_LINKS} links, or in a circle")
            if node.target.startswith(b"/"):
                found.clear()
            waiting += reversed([part for part in node.target.split(b"/") if part not in _HERE])
        return tuple(each for each, _ in found)


def _implied_in(folder: FolderNode) -> FolderNode:
    """A folder that no layer names, as ``mkdir`` makes it: a set-group-ID bit is inherited."""
    above = folder.metadata
    if above.mode & stat.S_ISGID:
        return FolderNode(Metadata(_IMPLIED.mode | stat.S_ISGID, group=above.group))
    return FolderNode(_IMPLIED)


_HERE = (b"", b".")


def split(name: bytes) -> Names:
    """The names in the path of an entry; none for the root itself.

    Raises:
        BadEntry: it is absolute, leads out, or holds what no name can.
    """
    if name.startswith(b"/"):
        raise BadEntry(name, "is an absolute path")
    names = tuple(each for each in name.split(b"/") if each not in _HERE)
    for each in names:
        try:
            check_name(each)
        except BadName as error:
            raise BadEntry(name, f"has {error}") from error
    return names


def is_whiteout(name: bytes) -> bool:
    """Whether an entry says that something is gone.

    Raises:
        BadEntry: something else is called so.
    """
    *above, last = split(name) or (b"",)
    if any(each.startswith(WHITEOUT) for each in above):
        raise BadEntry(name, "lies in what marks something as deleted")
    return last.startswith(WHITEOUT)


def is_of_aufs(name: bytes) -> bool:
    """Whether an entry belongs to aufs itself."""
    return any(each.startswith(_OF_AUFS) and each != OPAQUE for each in name.split(b"/"))


def expect_target(name: bytes, target: bytes) -> None:
    """Refuse a symbolic link that leads where no link can.

    Raises:
        BadEntry: it does.
    """
    try:
        check_target(target)
    except BadName as error:
        raise BadEntry(name, f"is a link, and {error}") from error


def walk(folder: FolderNode, path: bytes = b"") -> Iterator[tuple[bytes, Node]]:
    """All that is in a folder, by path, each folder before what is in it; sorted in each."""
    waiting: list[tuple[bytes, Node]] = [(path, folder)]
    while waiting:
        path, node = waiting.pop()
        yield path, node
        if isinstance(node, FolderNode):
            below = sorted(node.slots.items(), reverse=True)
            waiting += [(path + b"/" + name if path else name, slot.node) for name, slot in below]
