"""Two generations in a build store and a device that has the first of them."""

import io
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconix.base.documents import print_json
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import (
    DeviceGeneration,
    DeviceTrees,
    read_device_generation,
    system_images,
)
from reconix.nix.install import install
from reconix.store.images.nodes import ImageFile, Metadata, find
from reconix.store.manifest import Manifest
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.store.sidecar import SUFFIX, Entries, Sidecar, print_sidecar
from reconix.store.tree import File, Node, Symlink, folder
from reconix.transfer.receiving.receive import receive
from reconix.transfer.sending import send

HOST, ARCHITECTURE = "gateway", "amd64"


@dataclass(frozen=True)
class Workshop:
    """A build store, and devices made from it."""

    store: ChrootStore
    place: Path

    def generation(
        self, sidecars: Mapping[str, Entries] | None = None, /, **objects: Node
    ) -> StorePath:
        """Add a generation with a system that refers to objects of these names.

        Args:
            sidecars: metadata of what is in objects, by their names.
            objects: by their names.
        """
        paths = {name: self.store.add_files(node, name) for name, node in objects.items()}
        described = {name: self._sidecar(paths[name], e) for name, e in (sidecars or {}).items()}
        return self.generation_over(paths, described)

    def generation_over(
        self, paths: Mapping[str, StorePath], sidecars: Mapping[str, StorePath] | None = None
    ) -> StorePath:
        """Add a generation with a system that refers to objects that are there."""
        links = {f"parts/{name}": Symlink(str(path)) for name, path in paths.items()}
        described = {} if sidecars is None else sidecars
        links |= {f"sidecars/{name}": Symlink(str(path)) for name, path in described.items()}
        top = folder({"init": Symlink("/bin/init"), **links})
        refers = [*paths.values(), *described.values()]
        toplevel = self.store.add_files(top, "system-default", refers)
        boot = self.store.add_files(folder({"kernel": File(b"boots\n" * 99)}), "boot")
        tree = folder({"generation.json": File(self._document(toplevel, boot))})
        return self.store.add_files(tree, f"generation-{HOST}", [toplevel, boot])

    def _sidecar(self, path: StorePath, entries: Entries) -> StorePath:
        content = print_sidecar(Sidecar(path, entries))
        return self.store.add_files(File(content), f"{path.name}{SUFFIX}", [path])

    def _document(self, toplevel: StorePath, boot: StorePath) -> bytes:
        images = system_images(DeviceTrees(self.store), toplevel)
        return print_json(
            {
                "version": 2,
                "host": HOST,
                "architecture": ARCHITECTURE,
                "default": "default",
                "systems": {
                    "default": {
                        "toplevel": str(toplevel),
                        "images": [image.entry.sha256.hex() for image in images],
                    }
                },
                "boot": str(boot),
                "slot": {"image_sha256": "0" * 64, "image_size_bytes": 512, "slot_size_bytes": 512},
            }
        )

    def on_device(self, generation: StorePath) -> DeviceGeneration:
        """A generation as a device has it."""
        return read_device_generation(self.store, generation)

    def manifest(self, generation: StorePath) -> Manifest:
        """The manifest of a generation on a device."""
        return self.on_device(generation).manifest

    def path(self, generation: StorePath, name: str) -> StorePath:
        """The object of that name in a generation."""
        found = [path for path in self.store.closure(generation) if path.name == name]
        assert len(found) == 1
        return found[0]

    def content(self, generation: StorePath, name: str, *path: str) -> bytes:
        """The digest of a file in an object of that name."""
        tree = self.on_device(generation).trees[self.path(generation, name)]
        found = find(tree, *map(str.encode, path))
        assert isinstance(found, ImageFile) and not found.is_inline
        return found.content

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
            install(self.on_device(generation), registry)
        return registry

    @staticmethod
    def receive(stream: bytes, registry: Registry) -> Manifest:
        """Receive a stream on a device."""
        return receive(io.BytesIO(stream).read, registry, host=HOST, architecture=ARCHITECTURE)

    @staticmethod
    def snapshot(registry: Registry) -> dict[str, tuple[int, ...]]:
        """Everything on a device: inode, mode; of a file its size and time of change."""
        return {str(path): _facts(path) for path in sorted(registry.system_root.rglob("*"))}

    @staticmethod
    def staged(registry: Registry) -> list[str]:
        """What is in staging."""
        folder = registry.staging_dir
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def expect_complete(self, registry: Registry, generation: StorePath) -> None:
        """The generation is registered; its images and contents are what their names say."""
        found = Registry(registry.system_root).get(generation)
        assert found == self.manifest(generation)
        expect_intact(registry, found)


def expect_intact(registry: Registry, manifest: Manifest) -> None:
    """All images and contents of a generation are what their names say, for root alone."""
    fresh = Registry(registry.system_root)
    for entry in manifest.images:
        fresh.verify_image(entry)
        assert fresh.image_path(entry.sha256).stat().st_mode & 0o7777 == 0o400
        for digest, size_bytes in fresh.contents_of(entry):
            fresh.pool.verify(digest, size_bytes)
            assert fresh.pool.path(digest).stat().st_mode & 0o7777 == 0o400


def _facts(path: Path) -> tuple[int, ...]:
    status = path.lstat()
    if path.is_dir():
        return status.st_ino, status.st_mode
    return status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns


def empty_device(place: Path) -> Registry:
    (place / "reconix").mkdir(parents=True)
    return Registry(place)


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    with ChrootStore(tmp_path / "build") as store:
        yield Workshop(store, tmp_path)


TEXT = b"data of the library\n" * 9


@pytest.fixture
def pair(workshop: Workshop) -> "Pair":
    """Two generations: files stay, move, change, come and go, and metadata do."""
    library = bytes(range(256)) * 40
    old: dict[str, Node] = {
        "usr/bin/tool": File(b"#!/bin/sh\nexit 0\n", executable=True),
        "usr/bin/sudo": File(b"become somebody else\n" * 5, executable=True),
        "usr/lib/old-1.0/library": File(library),
        "usr/lib/old-1.0/data": File(TEXT),
        "usr/lib/changed": File(bytes(range(256)) * 4),
        "usr/lib/gone": File(b"not needed any more\n" * 9),
        "usr/share/page": File(b"generation one\n"),
        "usr/share/same/a": File(b"kept a\n" * 20),
        "usr/share/same/b": File(b"kept b\n" * 20),
        "bin": Symlink("usr/bin"),
    }
    new: dict[str, Node] = {
        "usr/bin/tool": File(b"#!/bin/sh\nexit 0\n", executable=True),
        "usr/bin/sudo": File(b"become somebody else\n" * 5, executable=True),
        "usr/bin/added": File(b"#!/bin/sh\nexit 1\n" * 5, executable=True),
        "usr/lib/changed": File(b"new" + bytes(range(256)) * 3 + b"\1" + bytes(range(1, 256))),
        "usr/lib/new-1.1/library": File(library),
        "usr/lib/new-1.1/data": File(TEXT),
        "usr/lib/new-1.1/more": File(b""),
        "usr/share/page": File(b"generation two\n" * 9),
        "usr/share/same/a": File(b"kept a\n" * 20),
        "usr/share/same/b": File(b"kept b\n" * 20),
        "bin": Symlink("usr/bin"),
        "sbin": Symlink("usr/bin"),
    }
    kept = folder({"vmlinuz": File(b"a kernel\n" * 100)})
    page = File(b"generation two\n" * 9)
    early: Entries = (
        (b"usr/bin/sudo", Metadata(0o4755, mtime=7)),
        (b"usr/share/same", Metadata(0o750, 0, 5)),
    )
    late: Entries = (
        (b"usr/bin/sudo", Metadata(0o755, 0, 27, 7, ((b"security.capability", b"\1\2"),))),
        (b"usr/share/same", Metadata(0o750, 0, 5)),
    )
    return Pair(
        workshop.generation({"root": early}, root=folder(old), linux=kept),
        workshop.generation({"root": late}, root=folder(new), linux=kept, page=page),
    )


@dataclass(frozen=True)
class Pair:
    """The paths of two generations."""

    old: StorePath
    new: StorePath
