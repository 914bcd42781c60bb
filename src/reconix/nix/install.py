"""Putting a generation of the build store below a folder, as a device has it.

A disk image is filled without a folder in between (``image/disk.py``), and a device makes its files
from what it receives (``transfer/receiving/``). This is for who wants the files of a device without
either: model devices, benchmarks, the prover.

The order is that of a receiver: contents, then images, each durable before it gets its name, and
the manifest last. What is there already is not written again.

Tested by ``tests/unit/nix/test_install.py``.
"""

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from reconix.base.files import chunks, remove_tree, sync_file_system, write_durably
from reconix.nix.images import DeviceGeneration, DeviceImage
from reconix.store.images.nodes import contents
from reconix.store.layout import PLACE, print_layout
from reconix.store.pool import FILE_MODE, FOLDER_MODE
from reconix.store.registry import Registry

_Fill = Callable[[BinaryIO], object]


def install(generation: DeviceGeneration, into: Registry) -> None:
    """Write what a generation consists of, and register it; a cut is continued by the next call."""
    layout = into.system_root / PLACE
    if not layout.exists():
        layout.parent.mkdir(parents=True, exist_ok=True)
        write_durably(layout, print_layout())
    _place(into, _missing_contents(generation, into))
    _place(into, _missing_images(generation, into))
    into.add(generation.manifest)


def _missing_contents(generation: DeviceGeneration, into: Registry) -> Iterator[tuple[Path, _Fill]]:
    """The contents that are not there, each once: where they go, and who writes them."""
    seen: set[bytes] = set()
    for tree in generation.trees.values():
        for digest, size_bytes in contents(tree):
            if digest not in seen and not into.pool.has(digest, size_bytes):
                seen.add(digest)
                yield into.pool.place(digest), functools.partial(_copy, generation.places[digest])


def _missing_images(generation: DeviceGeneration, into: Registry) -> Iterator[tuple[Path, _Fill]]:
    for image in generation.images:
        path = into.image_path(image.entry.sha256)
        if not path.exists():
            yield path, functools.partial(_write_image, image)


def _write_image(image: DeviceImage, file: BinaryIO) -> None:
    image.write(file.write)


def _copy(source: Path, file: BinaryIO) -> None:
    with source.open("rb", buffering=0) as read:
        for data in chunks(read):
            file.write(data)


def _place(into: Registry, wanted: Iterator[tuple[Path, _Fill]]) -> None:
    """Write files, make them durable, and only then give them their names."""
    staging = into.staging_dir
    remove_tree(staging)
    staging.mkdir(parents=True)
    written: list[tuple[Path, Path]] = []
    for path, fill in wanted:
        temporary = staging / str(len(written))
        with temporary.open("xb") as file:
            fill(file)
            os.fchmod(file.fileno(), FILE_MODE)
        written.append((temporary, path))
    _sync(staging)
    inner = {path.parent for _, path in written}
    for folder in sorted({into.pool.folder, into.images_dir, *inner}):
        folder.mkdir(exist_ok=True)
        folder.chmod(FOLDER_MODE)
    for temporary, path in written:
        temporary.rename(path)
    _sync(staging)
    staging.rmdir()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync_file_system(descriptor)
    finally:
        os.close(descriptor)
