"""What a session is about: the disk of one generation, and the update that leads to another one.

Both come from the build store, as they would be flashed and sent. The scripts that start the device
are those with which its initrd is built.

Tested by ``tests/crash/test_prove_command.py``.
"""

from dataclasses import dataclass
from pathlib import Path

from reconix.build.boot.initrd import ROOT_SCRIPT, SCRIPT
from reconix.build.pins import Pin
from reconix.image.disk import Layout, make_disk
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import read_device_generation
from reconix.prove.data_workload import Persisting
from reconix.prove.oracle import Known
from reconix.prove.proved import shape_of
from reconix.prove.workload import Update, Workload
from reconix.store.generation import Generation, read_generation
from reconix.store.images.nodes import contents
from reconix.store.paths import StorePath
from reconix.transfer.sending import send
from reconix.transfer.sending.signing import Signer


@dataclass(frozen=True, slots=True)
class Subject:
    """A disk and its update.

    Attributes:
        image: of the disk, as it is flashed.
        update: what is done with it.
        known: the generations that may be on it: the old and the new one.
        persisting: what its systems keep.
        more: what is done besides everything that every update is.
    """

    image: Path
    update: Update
    known: tuple[Known, Known]
    persisting: Persisting
    more: tuple[Workload, ...] = ()


def known(store: ChrootStore, path: StorePath) -> Known:
    """A generation of the build store."""
    found = read_device_generation(store, path)
    named = (
        frozenset(each for _, tree in image.trees for each in contents(tree))
        for image in found.images
    )
    generation = read_generation(store.store_dir, path)
    shapes = (shape_of(store, system.toplevel) for system in generation.systems)
    return Known(generation, found.manifest, tuple(named), tuple(shapes))


def prepare(
    store: ChrootStore, ends: tuple[Pin, Pin], layout: Layout, signer: Signer | None, folder: Path
) -> Subject:
    """Make the disk and the stream.

    Args:
        store: has both generations.
        ends: the one that is flashed, and the one that it is updated to.
        layout: of the disk.
        signer: of the stream.
        folder: where disk and stream go.
    """
    base, target = ends
    image, stream = folder / "image", folder / "stream"
    make_disk(store, base.path, layout, image)
    with stream.open("wb") as file:
        bases, sequence = [base.path], target.number
        send.create(store, bases, target.path, file.write, sequence=sequence, signer=signer)
    both = known(store, base.path), known(store, target.path)
    update = Update(both[0].generation, both[1].generation, stream)
    scripts = SCRIPT.read_text() + ROOT_SCRIPT.read_text()
    return Subject(image, update, both, Persisting(scripts, _kept_paths(store, update.target)))


def _kept_paths(store: ChrootStore, generation: Generation) -> tuple[tuple[str, str], ...]:
    """What the systems of a generation keep: folder and path, sorted."""
    found: set[tuple[str, str]] = set()
    for system in generation.systems:
        path = store.path(system.toplevel) / "persist"
        lines = path.read_text().splitlines() if path.exists() else []
        words = (line.split(maxsplit=1) for line in lines)
        found.update((folder, kept) for folder, kept in words)
    return tuple(sorted(found))
