"""Slot images: a FAT32 file system computed from a boot tree.

The content of a boot partition must be a pure function of the generation: only then can its hash
be signed, can the device skip sectors that are already right, and can anybody check a slot by
reading it. Neither a mount nor ``mkfs`` gives that; they know a clock, a random number and the
history of the partition. So the file system is computed: all times are 1980-01-01, the serial
number follows from names and sizes, every file lies in one piece, in the order of paths.

    sector 0        boot sector            ┐
           1        FSInfo                 │ reserved sectors; as many as put
           6, 7     copies of both         │ the data on a border of a cluster
                                           ┘
           r        FAT                     for all clusters of the slot
           r + f    second FAT
           r + 2f   clusters: folders (the root first), then files in the order of paths
           …        the rest of the slot is unspecified

The image ends with the last cluster in use. It is given piece by piece, in constant memory.

Source: Microsoft FAT32 File System Specification 1.03; byte tables in ``docs/spec/slot-image.md``.
Tested by ``tests/compat/test_fat.py`` against fsck.fat and mtools.
"""

import hashlib
import struct
from collections.abc import Iterator

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import COPY_BYTES
from reconix.base.records import dataclass, field
from reconix.boot.fat_names import ARCHIVE, ENTRY_BYTES, FOLDER, LABEL, Named, aliased, entry
from reconix.boot.tree import BadBootTree, BootFile, BootTree

SECTOR = 512
VOLUME_LABEL = "RECONIX"
MIN_CLUSTERS = 65525 + 16
"""Fewer than 65525 clusters are no FAT32; the specification asks to stay 16 away from the edge."""
MAX_CLUSTERS = 0x0FFF_FFF5 - 16
MAX_SECTORS = (1 << 32) - 1

_MIN_RESERVED = 32
_COPY_AT = 6
_ROOT_CLUSTER = 2
_END_OF_CHAIN = 0x0FFF_FFFF
_FAT_BEGINS = (0x0FFF_FFF8, _END_OF_CHAIN)  # media type; "cleanly unmounted, no errors"
_MAX_FOLDER_BYTES = 65536 * ENTRY_BYTES
_ZEROS = bytes(COPY_BYTES)


class SlotUnfit(ReconixError):
    """No FAT32 file system can be made in a slot of this size."""

    exit_code = 31

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"a slot of {size_bytes} bytes cannot hold a FAT32 file system",
            hint="a slot has 34 MiB to 2 TiB and is a multiple of 512 bytes",
        )


class SlotTooSmall(ReconixError):
    """The boot tree needs more room than the slot has."""

    exit_code = 31

    def __init__(self, *, slot_bytes: int, available_bytes: int, needed_bytes: int) -> None:
        super().__init__(
            f"the boot tree needs {needed_bytes} bytes, "
            f"a slot of {slot_bytes} bytes has room for {available_bytes}",
            hint="make the boot tree smaller, or the slots of the host larger; "
            "slots of a disk that exists cannot grow",
        )
        self.slot_bytes = slot_bytes
        self.available_bytes, self.needed_bytes = available_bytes, needed_bytes


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a slot is divided; numbers of sectors unless the name says otherwise."""

    total: int
    reserved: int
    fat: int
    per_cluster: int

    @classmethod
    def of(cls, size_bytes: int) -> "Geometry":
        """The division with the largest clusters that still is FAT32.

        Raises:
            SlotUnfit: there is none.
        """
        total, rest = divmod(size_bytes, SECTOR)
        if rest == 0 and total <= MAX_SECTORS:
            for per_cluster in (64, 32, 16, 8, 4, 2, 1):
                found = cls._with_clusters(total, per_cluster)
                if MIN_CLUSTERS <= found.clusters <= MAX_CLUSTERS:
                    return found
        raise SlotUnfit(size_bytes)

    @classmethod
    def _with_clusters(cls, total: int, per_cluster: int) -> "Geometry":
        fat = -(-(total // per_cluster + 2) * 4 // SECTOR)
        border = max(per_cluster, 8)
        before_data = -(-(_MIN_RESERVED + 2 * fat) // border) * border
        return cls(total, before_data - 2 * fat, fat, per_cluster)

    @property
    def first_data(self) -> int:
        """The sector at which cluster 2 begins."""
        return self.reserved + 2 * self.fat

    @property
    def clusters(self) -> int:
        """How many clusters there are; they are counted from 2."""
        return max(0, self.total - self.first_data) // self.per_cluster

    @property
    def cluster_bytes(self) -> int:
        """The size of a cluster."""
        return self.per_cluster * SECTOR

    def clusters_for(self, size_bytes: int) -> int:
        """How many clusters this many bytes take."""
        return -(-size_bytes // self.cluster_bytes)


@dataclass(frozen=True, slots=True)
class _Extent:
    """Clusters in one piece; an empty file has none and begins, by convention, at 0."""

    first: int
    count: int


@dataclass(slots=True)
class _Folder:
    """A folder while the image is laid out."""

    path: str
    parent: "_Folder | None"
    folders: "dict[str, _Folder]" = field(default_factory=dict)
    files: dict[str, BootFile] = field(default_factory=dict)
    extent: _Extent = _Extent(0, 0)

    def names(self) -> list[Named]:
        """Everything in it, sorted."""
        return aliased(sorted([*self.folders, *self.files]))

    def size_bytes(self) -> int:
        """The size of its table: its names, and the label of the root or two dots."""
        extra = 1 if self.parent is None else 2
        return ENTRY_BYTES * (extra + sum(named.count for named in self.names()))


@dataclass(frozen=True, slots=True)
class FatImage:
    """The used part of a slot: its size is known, its bytes are computed when it is read."""

    geometry: Geometry
    serial: int
    _folders: tuple[_Folder, ...]
    _files: tuple[tuple[BootFile, _Extent], ...]

    @property
    def slot_size_bytes(self) -> int:
        """The size of the slot that this image was made for."""
        return self.geometry.total * SECTOR

    @property
    def size_bytes(self) -> int:
        """How much of the slot is used; a multiple of a cluster."""
        return self.geometry.first_data * SECTOR + self._used * self.geometry.cluster_bytes

    def __iter__(self) -> Iterator[bytes]:
        """Give the bytes of the image, from the first, in pieces of at most 1 MiB.

        Raises:
            BootFileChanged: a file of the tree is not as long as it was.
        """
        yield self._reserved_sectors()
        for _ in range(2):
            yield from self._allocation_table()
        for folder in self._folders:
            yield from _padded([_folder_table(folder, self._extents())], self.geometry)
        for file, extent in self._files:
            if extent.count:
                yield from _padded(file.chunks(), self.geometry)

    def digest(self) -> Digest:
        """The hash of the whole image, for which all of it is computed once."""
        state = hashlib.sha256()
        for chunk in self:
            state.update(chunk)
        return Digest(state.digest())

    @property
    def _used(self) -> int:
        return sum(folder.extent.count for folder in self._folders) + sum(
            extent.count for _, extent in self._files
        )

    def _extents(self) -> dict[str, _Extent]:
        return {file.path: extent for file, extent in self._files}

    def _reserved_sectors(self) -> bytes:
        sectors = bytearray(self.geometry.reserved * SECTOR)
        both = _boot_sector(self.geometry, self.serial) + _fs_info(self.geometry, self._used)
        for sector in (0, _COPY_AT):
            sectors[sector * SECTOR : (sector + 2) * SECTOR] = both
        return bytes(sectors)

    def _allocation_table(self) -> Iterator[bytes]:
        left = self.geometry.fat * SECTOR
        extents = [folder.extent for folder in self._folders] + [e for _, e in self._files]
        for chunk in _chains(extents):
            left -= len(chunk)
            yield chunk
        while left:
            yield _ZEROS[: min(left, COPY_BYTES)]
            left -= min(left, COPY_BYTES)


def image(tree: BootTree, size_bytes: int) -> FatImage:
    """Lay out a boot tree in a slot.

    Nothing is read yet but names and sizes.

    Raises:
        SlotUnfit: no slot has that size.
        SlotTooSmall: the tree does not fit.
        BadBootTree: a folder has too many names.
    """
    geometry = Geometry.of(size_bytes)
    folders = list(_walk(_root_of(tree)))
    needed = _clusters_needed(tree, folders, geometry)
    if needed > geometry.clusters:
        raise SlotTooSmall(
            slot_bytes=size_bytes,
            available_bytes=geometry.clusters * geometry.cluster_bytes,
            needed_bytes=needed * geometry.cluster_bytes,
        )
    next_cluster = _ROOT_CLUSTER
    for folder in folders:
        folder.extent = _Extent(next_cluster, geometry.clusters_for(folder.size_bytes()))
        next_cluster += folder.extent.count
    files: list[tuple[BootFile, _Extent]] = []
    for file in tree.files:
        count = geometry.clusters_for(file.size_bytes)
        files.append((file, _Extent(next_cluster if count else 0, count)))
        next_cluster += count
    return FatImage(geometry, _serial(tree), tuple(folders), tuple(files))


def smallest_slot_bytes(tree: BootTree) -> int:
    """The smallest slot, in whole MiB, that holds a tree."""
    folders = list(_walk(_root_of(tree)))
    low, high = 1, MAX_SECTORS * SECTOR >> 20
    while low < high:
        middle = (low + high) // 2
        fits = _fits(tree, folders, middle << 20)
        low, high = (low, middle) if fits else (middle + 1, high)
    return low << 20


def _fits(tree: BootTree, folders: list[_Folder], size_bytes: int) -> bool:
    try:
        geometry = Geometry.of(size_bytes)
    except SlotUnfit:
        return False
    return _clusters_needed(tree, folders, geometry) <= geometry.clusters


def _clusters_needed(tree: BootTree, folders: list[_Folder], geometry: Geometry) -> int:
    tables = [folder.size_bytes() for folder in folders]
    for folder, size_bytes in zip(folders, tables, strict=True):
        if size_bytes > _MAX_FOLDER_BYTES:
            raise BadBootTree(f"folder {folder.path or '/'} has too many names for FAT")
    sizes = tables + [file.size_bytes for file in tree.files]
    return sum(geometry.clusters_for(size) for size in sizes)


def _serial(tree: BootTree) -> int:
    # From names and sizes only: so the image needs the content once, when it is written.
    state = hashlib.sha256()
    for file in tree.files:
        state.update(f"{file.path}\0{file.size_bytes}\0".encode())
    return int.from_bytes(state.digest()[:4], "little")


def _root_of(tree: BootTree) -> _Folder:
    root = _Folder("", None)
    for file in tree.files:
        folder = root
        *parents, name = file.path.split("/")
        for parent in parents:
            path = f"{folder.path}/{parent}".lstrip("/")
            folder = folder.folders.setdefault(parent, _Folder(path, folder))
        folder.files[name] = file
    return root


def _walk(folder: _Folder) -> Iterator[_Folder]:
    yield folder
    for name in sorted(folder.folders):
        yield from _walk(folder.folders[name])


def _padded(pieces: Iterator[bytes] | list[bytes], geometry: Geometry) -> Iterator[bytes]:
    """Fill up to the end of the last cluster."""
    size = 0
    for piece in pieces:
        size += len(piece)
        yield piece
    rest = -size % geometry.cluster_bytes
    if rest:
        yield _ZEROS[:rest]


def _chains(extents: list[_Extent]) -> Iterator[bytes]:
    """The allocation table up to the last cluster in use: each extent is one chain."""
    yield struct.pack("<2I", *_FAT_BEGINS)
    for extent in extents:
        step = COPY_BYTES // 4
        for start in range(extent.first, extent.first + extent.count - 1, step):
            numbers = range(start + 1, min(start + 1 + step, extent.first + extent.count))
            yield struct.pack(f"<{len(numbers)}I", *numbers)
        if extent.count:
            yield struct.pack("<I", _END_OF_CHAIN)


# -- sectors ---------------------------------------------------------------------------------------


def _boot_sector(geometry: Geometry, serial: int) -> bytes:
    """Section *Boot Sector and BPB*; the boot code is empty, no BIOS starts from a slot."""
    parameters = struct.pack(
        "<3s8sHBHBHHBHHHIIIHHIHH12xBBBI11s8s",
        b"\xeb\x58\x90",
        b"reconix ",
        SECTOR,
        geometry.per_cluster,
        geometry.reserved,
        2,  # FATs
        0,  # root entries: not on FAT32
        0,  # total sectors, 16 bits
        0xF8,  # media: fixed disk
        0,  # sectors per FAT, 16 bits
        63,  # sectors per track; nobody asks any more
        255,  # heads
        0,  # sectors before this partition: must not depend on the slot
        geometry.total,
        geometry.fat,
        0,  # both FATs are kept the same
        0,  # version 0.0
        _ROOT_CLUSTER,
        1,  # sector of FSInfo
        _COPY_AT,
        0x80,  # drive
        0,
        0x29,  # the three fields that follow are there
        serial,
        VOLUME_LABEL.ljust(11).encode(),
        b"FAT32   ",
    )
    return parameters.ljust(510, b"\0") + b"\x55\xaa"


def _fs_info(geometry: Geometry, used: int) -> bytes:
    free = geometry.clusters - used
    hint = _ROOT_CLUSTER + used if free else _ROOT_CLUSTER
    return struct.pack("<4s480x4sII12x4s", b"RRaA", b"rrAa", free, hint, b"\x00\x00\x55\xaa")


# -- folders ---------------------------------------------------------------------------------------


def _folder_table(folder: _Folder, extents: dict[str, _Extent]) -> bytes:
    table = bytearray()
    if folder.parent is None:
        table += entry(VOLUME_LABEL.ljust(11).encode(), LABEL, 0, 0)
    else:
        above = folder.parent.extent.first if folder.parent.parent else 0
        table += entry(b".".ljust(11), FOLDER, folder.extent.first, 0)
        table += entry(b"..".ljust(11), FOLDER, above, 0)
    for named in folder.names():
        table += named.long_entries()
        if named.name in folder.folders:
            table += entry(named.alias, FOLDER, folder.folders[named.name].extent.first, 0)
        else:
            file = folder.files[named.name]
            table += entry(named.alias, ARCHIVE, extents[file.path].first, file.size_bytes)
    return bytes(table)
