"""The smallest device that the prover can work with: two generations and a disk of 110 MiB."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.device_model import HOST, MIB, SLOT_BYTES, Machine

from reconix.image.disk import Layout, make_disk
from reconix.image.layout import Sizes, plan
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceGeneration, read_device_generation
from reconix.prove.oracle import Known
from reconix.prove.subject import known
from reconix.prove.workload import Update
from reconix.store.tree import File, Node

SIZES = Sizes(2, SLOT_BYTES, 32 * MIB, MIB)
FILES = 60
"""In each system of generation two: many small files, as systems have them."""
LINES = 40
"""Of each: it has a content in the pool."""

PROGRAMS = (
    "qemu-storage-daemon",
    "losetup",
    "e2fsck",
    "e2image",
    "mkfs.ext4",
    "debugfs",
    "fsck.fat",
)


def need_recording(need: Callable[..., None]) -> None:
    """Recording needs loop devices and mounts; like a program, root is not asked for at home."""
    need(*PROGRAMS)
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("only root can record a disk")


@dataclass(frozen=True)
class SmallDevice:
    """A disk image of generation one, and an update to generation two.

    Attributes:
        image: the disk.
        update: both generations, and the stream.
        known: what each consists of.
        target: generation two, as a device has it.
    """

    image: Path
    update: Update
    known: tuple[Known, Known]
    target: DeviceGeneration


@contextmanager
def small_device(
    folder: Path,
    *,
    one: bytes = b"1",
    two: bytes = b"2",
    extra: Mapping[str, Node] | None = None,
    only: Collection[str] | None = None,
) -> Iterator[SmallDevice]:
    """Make it; ``one`` and ``two`` stand in place of the boot loaders.

    The systems of generation two have the files ``extra`` as well. Where ``only`` some change, both
    generations have the same loader, and the files as well.
    """
    with ChrootStore(folder / "build") as store:
        tables = plan(HOST, size_bytes=(2 * 34 + 8) * MIB, sizes=Sizes(2, SLOT_BYTES, MIB, MIB))
        maker = Machine(folder / "none", store, tables)
        files: dict[str, Node] = {
            f"file-{number}": File(b"%d\n" % number * LINES) for number in range(FILES)
        }
        files.update(extra or {})
        old = maker.generation("one", program=one, extra=None if only is None else files)
        loader = two if only is None else one
        new = maker.generation("two", program=loader, extra=files, only=only)
        image, stream = folder / "image", folder / "stream"
        make_disk(store, old, Layout(SIZES), image)
        stream.write_bytes(maker.stream("one", "two").getvalue())
        both = known(store, old), known(store, new)
        update = Update(both[0].generation, both[1].generation, stream)
        yield SmallDevice(image, update, both, read_device_generation(store, new))
