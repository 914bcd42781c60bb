"""The disk of a device as one file, ready to be flashed or to run in QEMU.

    partition tables   boot/tables.py; slot 1 is selected
    slot-1             the slot image of the generation
    slot-2 …           empty: an update fills them
    system             /nix/store with the closure and its .links, /reconix with the agent's state
    data               an empty file system

The same generation and the same layout give the same bytes: no mount, no root, no clock. The file
is sparse.

Tested by ``tests/compat/test_disk.py`` with sgdisk, fsck.fat, mtools and e2fsck; booted by
``tests/vm/``.
"""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base import progress
from reconix.base.files import COPY_BYTES, remove_tree, sync_folder
from reconix.boot import fat
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR, Partition
from reconix.boot.tables import Slot
from reconix.boot.tree import BootTree
from reconix.boot.trial import installed, print_state
from reconix.config.schema.machine import Machine
from reconix.image.ext4 import SMALL_BLOCK_BYTES, make_ext4
from reconix.image.layout import DATA, SYSTEM, Sizes, needed_bytes, plan
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import Generation, read_generation
from reconix.store.links import LINKS, LinkPool, fill_pool
from reconix.store.manifest import Manifest
from reconix.store.paths import StorePath
from reconix.store.registry import Registry

FIRST_SLOT = Slot(1)


@dataclass(frozen=True, slots=True)
class Layout:
    """How large the disk and its parts are."""

    sizes: Sizes
    disk_bytes: int | None = None
    """Without it: what the parts need."""
    data: Mapping[str, bytes] = field(default_factory=dict)
    """Files on the data partition, by name: what one device has of its own."""

    @classmethod
    def of(cls, machine: Machine, data: Mapping[str, bytes] | None = None) -> "Layout":
        """The layout that a machine asks for, with files for its data partition."""
        sizes = Sizes(
            slots=machine.boot.slots,
            slot_bytes=machine.boot.slot_size,
            system_bytes=machine.disk.system_size,
            data_bytes=machine.disk.data_size,
        )
        return cls(sizes, machine.disk.size, data or {})


def make_disk(store: ChrootStore, generation_path: StorePath, layout: Layout, into: Path) -> None:
    """Make the disk image of a generation.

    Args:
        store: has the generation.
        generation_path: what is installed.
        layout: sizes of the parts.
        into: the file; one that is there is replaced when the new one is whole.

    Raises:
        SlotTooSmall, DoesNotFit, DiskTooSmall: a part is larger than its place.
    """
    work = Path(tempfile.mkdtemp(prefix=f".{into.name}.", dir=into.parent))
    try:
        image = work / "disk"
        _fill(store, generation_path, layout, image, work)
        image.rename(into)
        sync_folder(into.parent)
    finally:
        remove_tree(work)


def _fill(store: ChrootStore, path: StorePath, layout: Layout, image: Path, work: Path) -> None:
    generation = read_generation(store.store_dir, path)
    size = layout.disk_bytes or needed_bytes(layout.sizes)
    tables = plan(generation.host, size_bytes=size, sizes=layout.sizes)
    with image.open("wb") as file:
        file.truncate(size)
    with DiskFile(image) as disk:
        for write in tables.writes(FIRST_SLOT):
            disk.write(write.offset, write.content)
        disk.flush()
    with progress.stage("write the boot partition"):
        _write_slot(store, generation, tables.slot(FIRST_SLOT), image)
    with progress.stage("make the system partition"):
        _write_system(store, generation, tables.named(SYSTEM), image, work)
    _write_data(tables.named(DATA), layout.data, image, work)


def _write_slot(store: ChrootStore, generation: Generation, slot: Partition, image: Path) -> None:
    tree = BootTree.read(store.path(generation.boot))
    with image.open("r+b") as file:
        file.seek(slot.first * SECTOR)
        for chunk in fat.image(tree, generation.slot.slot_size_bytes):
            file.write(chunk)


def _write_system(
    store: ChrootStore, generation: Generation, place: Partition, image: Path, work: Path
) -> None:
    manifest = store.manifest(generation.path)
    content = work / SYSTEM
    registry = Registry(content)
    _copy_objects(store, manifest, registry.store_dir)
    registry.add(manifest)
    state = installed(str(generation.path), FIRST_SLOT)
    (content / "reconix/state.json").write_bytes(print_state(state))
    _plain_modes(content)
    make_ext4(
        work / "system.ext4",
        content,
        label=SYSTEM,
        size_bytes=place.size_bytes,
        block_bytes=SMALL_BLOCK_BYTES,
    )
    _copy_into(work / "system.ext4", image, place)


def _copy_objects(store: ChrootStore, manifest: Manifest, into: Path) -> None:
    """Link every object of a closure into another folder; equal files stay one file."""
    into.mkdir(parents=True)
    trees = [into / item.path.basename for item in manifest.objects]
    for tree in trees:
        _link_tree(store.store_dir / tree.name, tree)
    fill_pool(into, trees, LinkPool(store.store_dir).keys_by_inode())


def _link_tree(source: Path, target: Path) -> None:
    if source.is_symlink() or not source.is_dir():
        os.link(source, target, follow_symlinks=False)
        return
    target.mkdir()
    with os.scandir(source) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            _link_tree(Path(entry.path), target / entry.name)
    os.utime(target, (1, 1))
    target.chmod(0o555)


def _plain_modes(content: Path) -> None:
    """Folders and files that are not objects: the same whatever umask or clock we run with."""
    for folder, folders, names in os.walk(content):
        if folder.endswith("/nix/store"):
            folders[:] = [LINKS]
        elif not folder.endswith(f"/{LINKS}"):
            for name in names:
                Path(folder, name).chmod(0o644)
                os.utime(Path(folder, name), (1, 1))
        Path(folder).chmod(0o755)
    for folder, folders, _ in os.walk(content):
        if folder.endswith("/nix/store"):
            folders[:] = [LINKS]
        os.utime(folder, (1, 1))


def _write_data(place: Partition, files: Mapping[str, bytes], image: Path, work: Path) -> None:
    content = work / DATA
    content.mkdir()
    for name, text in files.items():
        (content / name).write_bytes(text)
    _plain_modes(content)
    source = content if files else None
    make_ext4(work / "data.ext4", source, label=DATA, size_bytes=place.size_bytes)
    _copy_into(work / "data.ext4", image, place)


def _copy_into(part: Path, image: Path, place: Partition) -> None:
    """Copy what a sparse file really holds to the place of a partition."""
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


def _next_data(descriptor: int, offset: int, size: int) -> int:
    """Where the next written byte lies, or the end."""
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError:  # ENXIO: only a hole up to the end
        return size
