"""A repair is cut before each step that changes the disk: there is the old file, or the right one.

``tests/cuts.py`` gives the device as each cut leaves it; then the same stream is received again.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cuts import states
from tests.unit.transfer.conftest import ARCHITECTURE, HOST, Workshop, expect_intact
from tests.unit.transfer.receiving.test_repair import flip, remove, trust

from reconix.base.files import remove_tree
from reconix.nix.chroot import ChrootStore
from reconix.store.images import verity
from reconix.store.manifest import Manifest
from reconix.store.registry import Registry
from reconix.store.tree import File, folder
from reconix.transfer.receiving.repair import repair
from reconix.transfer.sending.repair import create_repair

LARGE = bytes(range(256)) * 9000
PAGES = [b"page %d\n" % number * 99 for number in range(3)]


@dataclass(frozen=True)
class Damaged:
    """A device on which something is damaged, and the stream that repairs it."""

    registry: Registry
    manifest: Manifest
    harmed: tuple[Path, ...]
    stream: bytes

    def repair(self, registry: Registry) -> int:
        """How many things it writes."""
        read = io.BytesIO(self.stream).read
        done = repair(read, registry, host=HOST, architecture=ARCHITECTURE, verifier=trust)
        return len(done.written)


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[Damaged]:
    pages = {f"page/{number}": File(page) for number, page in enumerate(PAGES)}
    with ChrootStore(tmp_path / "build") as store:
        workshop = Workshop(store, tmp_path)
        root = workshop.generation(root=folder({"large": File(LARGE), **pages}))
        device, manifest = workshop.device(root), workshop.manifest(root)
        image = manifest.images[0].sha256
        contents = [verity.digest(content) for content in (LARGE, *PAGES[:2])]
        written = io.BytesIO()
        create_repair(store, {root: 1}, root, [image.value, *contents], written.write)
    harmed = (device.image_path(image), *map(device.pool.path, contents))
    for path in harmed[:-1]:
        flip(path)
    remove(harmed[-1])
    yield Damaged(device, manifest, harmed, written.getvalue())


def test_w6_a_cut_repair_leaves_the_old_file_or_the_right_one(damaged: Damaged) -> None:
    place = damaged.registry.system_root
    old = {path: content_of(path) for path in damaged.harmed}
    seen = set[tuple[bool, ...]]()
    for cut in states(place, lambda: damaged.repair(Registry(place)), at_least=20):
        here = [cut / path.relative_to(place) for path in damaged.harmed]
        changed = [content_of(path) != old[it] for path, it in zip(here, old, strict=True)]
        seen.add(tuple(changed))
        registry = Registry(cut)
        assert damaged.repair(registry) == changed.count(False)
        expect_intact(registry, damaged.manifest)
        assert not list(registry.staging_dir.iterdir())
        remove_tree(cut)
    assert len(seen) >= 3


def content_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
