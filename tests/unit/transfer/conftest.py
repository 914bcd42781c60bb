"""Two generations in a build store and a device that has the first of them."""

import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconix.nix.chroot import ChrootStore
from reconix.store.manifest import Manifest
from reconix.store.nar import NarInfo, digest
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.store.tree import File, Node, Symlink, folder
from reconix.transfer.format.stream import BadStream
from reconix.transfer.receiving.receive import receive
from reconix.transfer.sending import send

HOST, ARCHITECTURE = "gateway", "amd64"


class Verified:
    """Packed bytes that nobody has to verify."""

    def __init__(self, content: bytes, at_once: int = 1000) -> None:
        self.content, self.used, self.at_once = content, 0, at_once

    def some(self) -> bytes:
        taken = self.content[self.used : self.used + self.at_once]
        self.used += len(taken)
        return taken

    def wrong(self, message: str) -> BadStream:
        return BadStream(message, offset=self.used)


@dataclass(frozen=True)
class Workshop:
    """A build store, and devices made from it."""

    store: ChrootStore
    place: Path

    def generation(self, **objects: Node) -> StorePath:
        """Add a generation that refers to objects of these names."""
        paths = {name: self.store.add_files(node, name) for name, node in objects.items()}
        document = f'{{"host": "{HOST}", "architecture": "{ARCHITECTURE}", "version": 1}}\n'
        links = {f"systems/{name}": Symlink(str(path)) for name, path in paths.items()}
        tree = folder({"generation.json": File(document.encode()), **links})
        return self.store.add_files(tree, f"generation-{HOST}", paths.values())

    def path(self, generation: StorePath, name: str) -> StorePath:
        """The object of that name in a generation."""
        found = [path for path in self.store.closure(generation) if path.name == name]
        assert len(found) == 1
        return found[0]

    def stream(self, base: StorePath | None, target: StorePath, *others: StorePath) -> bytes:
        """The stream from one generation, or one of several, to another."""
        written = io.BytesIO()
        send.create(self.store, [*([base] if base else []), *others], target, written.write)
        return written.getvalue()

    def device(self, *installed: StorePath, at: Path | None = None) -> Registry:
        """A new device on which these generations are installed."""
        place = self.place / "device" if at is None else at
        shutil.rmtree(place, ignore_errors=True)
        registry = empty_device(place)
        for generation in installed:
            _install(self.store, registry, generation)
        return registry

    @staticmethod
    def receive(stream: bytes, registry: Registry) -> Manifest:
        """Receive a stream on a device."""
        return receive(io.BytesIO(stream).read, registry, host=HOST, architecture=ARCHITECTURE)

    @staticmethod
    def snapshot(registry: Registry) -> dict[str, tuple[int, ...]]:
        """Everything on a device: inode, mode, size, time of change (not of a new link)."""
        return {str(path): _facts(path) for path in sorted(registry.system_root.rglob("*"))}

    @staticmethod
    def staged(registry: Registry) -> list[str]:
        """What is in staging."""
        folder = registry.staging_dir
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    @staticmethod
    def expect_complete(registry: Registry, generation: StorePath) -> None:
        """The generation is registered and each of its objects has its digest."""
        manifest = registry.get(generation)
        assert manifest is not None
        for item in manifest.objects:
            found = digest(registry.path(item.path))
            assert found == NarInfo(item.nar, item.nar_size_bytes), item.path


def _facts(path: Path) -> tuple[int, ...]:
    status = path.lstat()
    return status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns


def empty_device(place: Path) -> Registry:
    for part in ("nix/store", "reconix/generations"):
        (place / part).mkdir(parents=True)
    return Registry(place)


def _install(store: ChrootStore, registry: Registry, generation: StorePath) -> None:
    manifest = store.manifest(generation)
    for item in manifest.objects:
        place = registry.path(item.path)
        if not os.path.lexists(place):
            _copy(store.path(item.path), place)
    registry.add(manifest)


def _copy(old: Path, new: Path) -> None:
    if old.is_symlink() or old.is_file():
        shutil.copy2(old, new, follow_symlinks=False)
    else:
        shutil.copytree(old, new, symlinks=True)


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    with ChrootStore(tmp_path / "build") as store:
        yield Workshop(store, tmp_path)


@pytest.fixture
def pair(workshop: Workshop) -> "Pair":
    """Two generations: files stay, move, change, come and go."""
    library = bytes(range(256)) * 40
    old: dict[str, Node] = {
        "usr/bin/tool": File(b"#!/bin/sh\nexit 0\n", executable=True),
        "usr/lib/old-1.0/library": File(library),
        "usr/lib/old-1.0/data": File(b"data of the library\n" * 9),
        "usr/lib/changed": File(bytes(range(256)) * 4),
        "usr/lib/gone": File(b"not needed any more\n"),
        "usr/share/page": File(b"generation one\n"),
        "usr/share/same/a": File(b"kept a\n"),
        "usr/share/same/b": File(b"kept b\n"),
        "bin": Symlink("usr/bin"),
    }
    new: dict[str, Node] = {
        "usr/bin/tool": File(b"#!/bin/sh\nexit 0\n", executable=True),
        "usr/bin/added": File(b"#!/bin/sh\nexit 1\n", executable=True),
        "usr/lib/changed": File(b"new" + bytes(range(256)) * 3 + b"\1" + bytes(range(1, 256))),
        "usr/lib/new-1.1/library": File(library),
        "usr/lib/new-1.1/data": File(b"data of the library\n" * 9),
        "usr/lib/new-1.1/more": File(b""),
        "usr/share/page": File(b"generation two\n"),
        "usr/share/same/a": File(b"kept a\n"),
        "usr/share/same/b": File(b"kept b\n"),
        "bin": Symlink("usr/bin"),
        "sbin": Symlink("usr/bin"),
    }
    kept = folder({"vmlinuz": File(b"a kernel\n" * 100)})
    return Pair(
        workshop.generation(root=folder(old), linux=kept),
        workshop.generation(root=folder(new), linux=kept, page=File(b"generation two\n")),
    )


@dataclass(frozen=True)
class Pair:
    """The paths of two generations."""

    old: StorePath
    new: StorePath
