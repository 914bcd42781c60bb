"""The disk of a device as one file, ready to be flashed or to run in QEMU.

    loaders            what the board reads outside of partitions (``loaders.py``)
    partition tables   boot/tables.py; slot 1 is selected
    slot-1             the slot image of the generation
    slot-2 …           empty: an update fills them
    system             contents or a pack, images, the agent's state (``system_files.py``)
    data               an empty file system

The same generation and the same layout give the same bytes: no mount, no root, no clock. The file
is sparse. Beside it lies its block map, ``IMAGE.bmap``, so that whoever writes it to a disk can
skip what nobody will read (``block_map.py``).

Tested by ``tests/compat/test_disk.py`` with sgdisk, fsck.fat, mtools and e2fsck, and by
``tests/compat/test_bmaptool.py``; booted by ``tests/vm/``.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base import progress
from reconix.base.files import COPY_BYTES, remove_tree, sync_folder, write_durably
from reconix.boot import fat
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR, Partition
from reconix.boot.tables import SlotTables
from reconix.boot.tree import BootTree
from reconix.build.boot.firmware_files import PlacedFile
from reconix.config.schema.machine import Disk, Machine
from reconix.image.block_map import BlockMap, Extent, map_of, print_block_map
from reconix.image.ext4 import BY_SIZE, GROWING, Format, make_ext4, system_format
from reconix.image.layout import DATA, MIB, SYSTEM, Sizes, needed_bytes, plan
from reconix.image.loaders import expect_apart, padded
from reconix.image.new_files import NewFile, NewFolder, NewNode, new_folder, walk
from reconix.image.pack import make_pack
from reconix.image.system_files import FIRST_SLOT, content_places, system_files
from reconix.image.used_blocks import used_extents
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceGeneration, read_device_generation
from reconix.store.generation import Generation, read_generation
from reconix.store.paths import StorePath

_SECRET_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Layout:
    """How large the disk and its parts are."""

    sizes: Sizes
    disk_bytes: int | None = None
    """Without it: what the parts need."""
    data: Mapping[str, NewNode] = field(default_factory=dict)
    """What is on the data partition, by name: what one device has of its own."""
    compress: bool = False
    """Whether the contents are in a pack."""
    loaders: tuple[PlacedFile, ...] = ()
    """What the board reads outside of partitions."""
    data_grows: bool = False
    """Whether ``data`` will become larger on the device."""

    @property
    def is_secret(self) -> bool:
        """Whether the image has what only root may read on the device."""
        return any(
            isinstance(node, NewFile) and not node.mode & 0o077
            for top in self.data.values()
            for node in walk(top)
        )

    @classmethod
    def of(
        cls,
        machine: Machine,
        data: Mapping[str, NewNode] | None = None,
        loaders: tuple[PlacedFile, ...] = (),
    ) -> "Layout":
        """The layout that a machine asks for, with files for its data partition, and loaders."""
        sizes = Sizes(
            slots=machine.boot.slots,
            slot_bytes=machine.boot.slot_size,
            system_bytes=machine.disk.system_size,
            data_bytes=_data_bytes(machine.disk),
            firmware=machine.boot.firmware,
            reserved_bytes=machine.disk.reserved,
        )
        disk = machine.disk
        return cls(sizes, disk.size, data or {}, disk.compress, loaders, disk.data_grows)


def _data_bytes(disk: Disk) -> int | None:
    """The size of ``data``; all that is left of an image whose size is given, if it grows."""
    return None if disk.data_grows and disk.size is not None else disk.new_data_size


def map_beside(image: Path) -> Path:
    """Where the block map of an image lies."""
    return image.with_name(f"{image.name}.bmap")


def make_disk(
    store: ChrootStore, generation_path: StorePath, layout: Layout, into: Path
) -> BlockMap:
    """Make the disk image of a generation, and its block map beside it.

    Args:
        store: has the generation.
        generation_path: what is installed.
        layout: sizes of the parts.
        into: the file; one that is there is replaced when the new one is whole.

    Returns:
        What of the image must be written to a disk.

    Raises:
        SlotTooSmall, DoesNotFit, DiskTooSmall: a part is larger than its place.
        LoaderOverlaps: a loader lies over something else.
    """
    work = Path(tempfile.mkdtemp(prefix=f".{into.name}.", dir=into.parent))
    try:
        image = work / "disk"
        with progress.stage(f"make the image {into.name}"):
            needed = _fill(store, generation_path, layout, image, work)
        block_map = map_of(image, needed)
        if layout.is_secret:
            image.chmod(_SECRET_MODE)
        map_beside(into).unlink(missing_ok=True)
        image.rename(into)
        sync_folder(into.parent)
        write_durably(map_beside(into), print_block_map(block_map))
    finally:
        remove_tree(work)
    return block_map


def _fill(
    store: ChrootStore, path: StorePath, layout: Layout, image: Path, work: Path
) -> list[Extent]:
    """Write all parts, and give the bytes that a disk must have."""
    generation = read_generation(store.store_dir, path)
    size = layout.disk_bytes or needed_bytes(layout.sizes)
    tables = plan(generation.host, size_bytes=size, sizes=layout.sizes)
    expect_apart(tables, layout.loaders)
    with image.open("wb") as file:
        file.truncate(size)
    with DiskFile(image) as disk:
        for write in tables.writes(FIRST_SLOT):
            disk.write(write.offset, write.content)
        for loader in layout.loaders:
            disk.write(loader.offset, padded(loader.content))
        disk.flush()
    with progress.stage("write the boot partition"):
        _write_slot(store, generation, tables.slot(FIRST_SLOT), image)
    with progress.stage("make the system partition"):
        installed = read_device_generation(store, path)
        if layout.compress:
            system = _write_packed_system(installed, tables.named(SYSTEM), image, work)
        else:
            content = system_files(installed, generation.integrity)
            form = system_format(content, tables.named(SYSTEM).size_bytes, generation.integrity)
            system = _write_system(content, tables.named(SYSTEM), form, image, work)
    data = _write_data(tables.named(DATA), layout, image, work)
    return [*_outside_of_file_systems(tables), *system, *data]


def _outside_of_file_systems(tables: SlotTables) -> Iterator[Extent]:
    """All around the partitions, the slot that boots, and what must not be taken for anything.

    A slot that is empty begins with zeros on the disk, too: what was there before is none of ours.
    """
    end = (tables.last_usable + 1) * SECTOR
    yield Extent(0, tables.slot(FIRST_SLOT).first * SECTOR)
    yield Extent(end, tables.sectors * SECTOR - end)
    for part in (*tables.slots, *tables.others):
        if part == tables.slot(FIRST_SLOT):
            yield _extent(part)
        elif part.name not in (SYSTEM, DATA):
            yield Extent(part.first * SECTOR, min(MIB, part.size_bytes))


def _extent(part: Partition) -> Extent:
    return Extent(part.first * SECTOR, part.size_bytes)


def _write_slot(store: ChrootStore, generation: Generation, slot: Partition, image: Path) -> None:
    tree = BootTree.read(store.path(generation.boot))
    with image.open("r+b") as file:
        file.seek(slot.first * SECTOR)
        for chunk in fat.image(tree, generation.slot.slot_size_bytes):
            file.write(chunk)


def _write_packed_system(
    installed: DeviceGeneration, place: Partition, image: Path, work: Path
) -> list[Extent]:
    places, pack = content_places(installed), work / "pack"
    with progress.stage("compress the contents"):
        make_pack(places, pack, work)
    content = system_files(installed, pack=pack)
    form = system_format(content, place.size_bytes, packed=len(places))
    return _write_system(content, place, form, image, work)


def _write_system(
    content: NewFolder, place: Partition, form: Format, image: Path, work: Path
) -> list[Extent]:
    size_bytes = place.size_bytes
    make_ext4(work / "system.ext4", content, label=SYSTEM, size_bytes=size_bytes, form=form)
    return _copy_into(work / "system.ext4", image, place)


def _write_data(place: Partition, layout: Layout, image: Path, work: Path) -> list[Extent]:
    content = new_folder(layout.data) if layout.data else None
    form = GROWING if layout.data_grows else BY_SIZE
    make_ext4(work / "data.ext4", content, label=DATA, size_bytes=place.size_bytes, form=form)
    return _copy_into(work / "data.ext4", image, place)


def _copy_into(part: Path, image: Path, place: Partition) -> list[Extent]:
    """Copy what a sparse file system really holds to the place of a partition.

    Returns:
        What of the image is in use there.
    """
    with part.open("rb") as source, image.open("r+b") as target:
        size = part.stat().st_size
        begin = _next_data(source.fileno(), 0, size)
        while begin < size:
            end = os.lseek(source.fileno(), begin, os.SEEK_HOLE)
            source.seek(begin)
            target.seek(place.first * SECTOR + begin)
            while begin < end:
                begin += target.write(source.read(min(COPY_BYTES, end - begin)))
            begin = _next_data(source.fileno(), end, size)
    first = place.first * SECTOR
    return [Extent(first + each.offset, each.size_bytes) for each in used_extents(part)]


def _next_data(descriptor: int, offset: int, size: int) -> int:
    """Where the next written byte lies, or the end."""
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError:  # ENXIO: only a hole up to the end
        return size
