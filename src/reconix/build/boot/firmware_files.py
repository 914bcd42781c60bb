"""Files that a board starts from: loaders at places of the disk, files of its firmware in slots.

A boot ROM reads a loader from a fixed place of the disk; other firmware reads files of the boot
partition. Both come from a package that is locked, or from the project, pinned by hash. What is in
slots is part of a generation, and updates bring it. What lies outside is written with the image
and never again: no place of it is written twice, so it could not be changed safely.

Tested by ``tests/compat/test_firmware_files.py``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded
from reconix.boot.loaders.loader import BootLoader, BootSystem, Content
from reconix.boot.tree import BootTree
from reconix.build.boot.package_files import first_file
from reconix.config.schema.firmware import (
    DiskFile,
    OfPackage,
    OfProject,
    SlotDeviceTree,
    SlotFile,
    SlotText,
)

MAX_BYTES = 64 << 20


class BadFirmwareFile(ReconixError):
    """A file that a board starts from is not there, or is not what it was said to be."""

    exit_code = 61


@dataclass(frozen=True, slots=True)
class PlacedFile:
    """A file at a place of the disk.

    Attributes:
        name: for messages.
        offset: in bytes.
        content: all of it.
    """

    name: str
    offset: int
    content: bytes


@dataclass(frozen=True, slots=True)
class WithSlotFiles:
    """A boot loader, and what the firmware of the board wants beside it in each slot.

    Attributes:
        loader: says which files systems have there.
        files: of the board, by path.
        device_trees: paths under which that of the default system stands once more.
    """

    loader: BootLoader
    files: Mapping[str, bytes]
    device_trees: tuple[str, ...] = ()

    def boot_tree(
        self, systems: Sequence[BootSystem], *, default: str, content: Content
    ) -> BootTree:
        """The files of a slot, see ``BootLoader``.

        Raises:
            BadBootTree: a file of the board has the name of another one.
        """
        tree = self.loader.boot_tree(systems, default=default, content=content)
        trees = [each.spec.device_tree for each in systems if each.name == default]
        copies = {path: content(tree) for tree in trees if tree for path in self.device_trees}
        others = BootTree.of({**self.files, **copies})
        files = sorted((*tree.files, *others.files), key=lambda file: file.path.split("/"))
        return BootTree(tuple(files))


def on_disk(files: Iterable[DiskFile], packages: Mapping[str, Path]) -> tuple[PlacedFile, ...]:
    """The files outside of partitions, by place.

    Args:
        files: as configured.
        packages: their package files, by name.

    Raises:
        BadFirmwareFile: one is not there, or has another hash.
    """
    made = (PlacedFile(_name(each), each.offset, _content(each, packages)) for each in files)
    return tuple(sorted(made, key=lambda each: each.offset))


def in_slots(files: Iterable[SlotFile], packages: Mapping[str, Path]) -> dict[str, bytes]:
    """The files of each slot but copies of the device tree, by path; of one path the last counts.

    Raises:
        BadFirmwareFile: one is not there, or has another hash.
    """
    return {
        each.path: each.text.encode() if isinstance(each, SlotText) else _content(each, packages)
        for each in files
        if not isinstance(each, SlotDeviceTree)
    }


def device_trees(files: Iterable[SlotFile]) -> tuple[str, ...]:
    """Where in a slot the device tree of the default system stands once more."""
    return tuple(each.device_tree for each in files if isinstance(each, SlotDeviceTree))


def member(package: Path, name: str) -> bytes:
    """One file of a package.

    Raises:
        BadFirmwareFile: it has none of that name, or a larger one.
    """
    content = first_file(package, lambda each: each == f"./{name}", MAX_BYTES)
    if content is not None:
        return content
    raise BadFirmwareFile(
        f"{package.name} has no file {name}",
        hint="correct `member` in machine.toml; `dpkg-deb --contents` lists what there is",
    )


def _name(file: OfProject | OfPackage) -> str:
    return file.member if isinstance(file, OfPackage) else file.file.name


def _content(file: OfProject | OfPackage, packages: Mapping[str, Path]) -> bytes:
    if isinstance(file, OfPackage):
        content = member(packages[file.package], file.member)
    else:
        content = read_bounded(file.file, MAX_BYTES)
    found = Digest.of(content).hex()
    if file.sha256 not in (None, found):
        raise BadFirmwareFile(
            f"{_name(file)} is another file than was pinned: expected sha256:{file.sha256}, "
            f"found sha256:{found}",
            hint="if the new one is meant, write its hash into machine.toml",
        )
    return content
