"""What the system partition of a new device holds: one generation, and what the agent knows.

    pool/ab/cdef…            contents of files, each once      only for root
    images/<sha256>          names and metadata                only for root
    packs/<sha256>           the contents, if they are compressed: then the pool is empty
    reconix/generations/     the manifest of the generation
    reconix/state.json       slot 1 has it, and it is confirmed
    reconix/layout           2

What is equal in two objects is one file, because it has one digest; nothing has to be linked. With
the integrity ``verity`` the kernel compares contents and images from the first start on.

Tested by ``tests/compat/test_disk.py``.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from reconix.boot.tables import Slot
from reconix.boot.trial import installed, print_state
from reconix.image.new_files import NewFile, NewFolder, NewNode, new_folder
from reconix.nix.images import DeviceGeneration, DeviceImage
from reconix.store.generation import Integrity
from reconix.store.images.nodes import contents
from reconix.store.layout import PLACE, print_layout
from reconix.store.manifest import Manifest, print_manifest
from reconix.store.pool import FILE_MODE, FOLDER_MODE
from reconix.store.registry import Registry

FIRST_SLOT = Slot(1)
"""Which slot has the generation."""

_DISK = Registry(Path("/"))
"""As a device sees its system partition: it knows where things are."""


def system_files(
    generation: DeviceGeneration, integrity: Integrity = Integrity.NONE, *, pack: Path | None = None
) -> NewFolder:
    """All files and folders of the partition.

    Args:
        generation: what it holds.
        integrity: who compares what is read.
        pack: has all contents, if they shall be compressed.
    """
    has_verity = integrity is Integrity.VERITY
    pooled = content_places(generation) if pack is None else {}
    packs = {} if pack is None else {_DISK.packs_dir.name: _packs(pack)}
    return new_folder(
        {
            _DISK.pool.folder.name: _pool(pooled, has_verity=has_verity),
            _DISK.images_dir.name: _images(generation, has_verity=has_verity),
            "reconix": _agent(generation.manifest),
            **packs,
        }
    )


def content_places(generation: DeviceGeneration) -> dict[bytes, Path]:
    """A file for each content, whatever it is called and however often."""
    digests = {digest for tree in generation.trees.values() for digest, _ in contents(tree)}
    return {digest: generation.places[digest] for digest in digests}


def _packs(pack: Path) -> NewFolder:
    with pack.open("rb") as file:
        name = hashlib.file_digest(file, "sha256").hexdigest()
    return new_folder({name: NewFile(pack, FILE_MODE)}, mode=FOLDER_MODE)


def _pool(places: Mapping[bytes, Path], *, has_verity: bool) -> NewFolder:
    folders: dict[str, dict[str, NewNode]] = {}
    for digest, place in places.items():
        path = _DISK.pool.place(digest)
        content = NewFile(place, FILE_MODE, has_verity)
        folders.setdefault(path.parent.name, {})[path.name] = content
    inner = {name: new_folder(files, mode=FOLDER_MODE) for name, files in folders.items()}
    return new_folder(inner, mode=FOLDER_MODE)


def _images(generation: DeviceGeneration, *, has_verity: bool) -> NewFolder:
    files = {
        _DISK.image_path(image.entry.sha256).name: NewFile(_bytes(image), FILE_MODE, has_verity)
        for image in generation.images
    }
    return new_folder(files, mode=FOLDER_MODE)


def _bytes(image: DeviceImage) -> bytes:
    written = bytearray()
    image.write(written.extend)
    return bytes(written)


def _agent(manifest: Manifest) -> NewFolder:
    path = _DISK.manifest_path(manifest.root)
    state = installed(str(manifest.root), FIRST_SLOT)
    return new_folder(
        {
            path.parent.name: new_folder({path.name: NewFile(print_manifest(manifest))}),
            Path(PLACE).name: NewFile(print_layout()),
            "state.json": NewFile(print_state(state)),
        }
    )
