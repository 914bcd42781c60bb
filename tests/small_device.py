"""The smallest device that the prover can work with: two generations and a disk of 110 MiB."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.device_model import HOST, MIB, SLOT_BYTES, Machine
from tests.live_containers import made

from reconix.base.documents import JsonInput
from reconix.base.firmware import FirmwareKind
from reconix.image.disk import Layout, make_disk
from reconix.image.layout import Sizes, plan
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceGeneration, read_device_generation
from reconix.prove.oracle import Known
from reconix.prove.subject import known
from reconix.prove.workload import Update
from reconix.store.paths import StorePath
from reconix.store.tree import File, Node

SIZES = Sizes(2, SLOT_BYTES, 32 * MIB, MIB)
FILES = 60
"""In each system of generation two: many small files, as systems have them."""
LINES = 40
"""Of each: it has a content in the pool."""

CONTAINERS = {
    "one": ("broker 1", "logger 1", "web 1"),
    "two": ("broker 2", "logger 1", "cache 1"),
    "three": ("broker 3", "logger 1", "cache 1"),
}
"""Of the default system of each generation, and what makes each what it is."""

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
        on_top: an update from generation two to a third one, if there is one.
    """

    image: Path
    update: Update
    known: tuple[Known, ...]
    target: DeviceGeneration
    on_top: Update | None = None


@contextmanager
def small_device(
    folder: Path,
    *,
    one: bytes = b"1",
    two: bytes = b"2",
    extra: Mapping[str, Node] | None = None,
    only: Collection[str] | None = None,
    firmware: FirmwareKind = FirmwareKind.UEFI,
) -> Iterator[SmallDevice]:
    """Make it; ``one`` and ``two`` stand in place of the boot loaders.

    The systems of generation two have the files ``extra`` as well. Where ``only`` some change, both
    generations have the same loader, and the files as well.
    """
    with _maker(folder) as maker:
        files: dict[str, Node] = {
            f"file-{number}": File(b"%d\n" % number * LINES) for number in range(FILES)
        }
        files.update(extra or {})
        maker.generation("one", program=one, extra=None if only is None else files)
        loader = two if only is None else one
        maker.generation("two", program=loader, extra=files, only=only)
        yield _flashed(maker, folder, firmware)


@contextmanager
def device_with_containers(folder: Path, *, kernels: bool = False) -> Iterator[SmallDevice]:
    """Make one whose generations two and three change a container of the default system each.

    With ``kernels`` they change its kernel as well.
    """
    with _maker(folder) as maker:
        for name in CONTAINERS:
            make_with_containers(maker, name, only=["default"] if kernels else [])
        both = _flashed(maker, folder)
        third = known(maker.store, maker.generations["three"])
        stream = folder / "stream-on-top"
        stream.write_bytes(maker.stream("two", "three").getvalue())
        on_top = Update(both.update.target, third.generation, stream)
        yield replace(both, known=(*both.known, third), on_top=on_top)


def make_with_containers(maker: Machine, name: str, *, only: Collection[str] = ()) -> StorePath:
    """A generation that has its containers, and in all that is not of ``only`` the first one."""
    containers = CONTAINERS[name]
    return maker.generation(
        name,
        only=None if name == "one" else only,
        containers={"default": made(maker.store, containers)},
        stricter=_well(containers),
    )


def _well(containers: Collection[str]) -> JsonInput:
    """Checks that they work."""
    names = [each.split()[0] for each in containers]
    checks: JsonInput = [{"kind": "container", "container": name} for name in names]
    return {"timeout_seconds": 60, "checks": checks}


@contextmanager
def _maker(folder: Path) -> Iterator[Machine]:
    with ChrootStore(folder / "build") as store:
        tables = plan(HOST, size_bytes=(2 * 34 + 8) * MIB, sizes=Sizes(2, SLOT_BYTES, MIB, MIB))
        yield Machine(folder / "none", store, tables)


def _flashed(
    maker: Machine, folder: Path, firmware: FirmwareKind = FirmwareKind.UEFI
) -> SmallDevice:
    """A disk with the generation ``one``, and the stream to ``two``."""
    store, old, new = maker.store, maker.generations["one"], maker.generations["two"]
    image, stream = folder / "image", folder / "stream"
    make_disk(store, old, Layout(replace(SIZES, firmware=firmware)), image)
    stream.write_bytes(maker.stream("one", "two").getvalue())
    both = known(store, old), known(store, new)
    update = Update(both[0].generation, both[1].generation, stream)
    return SmallDevice(image, update, both, read_device_generation(store, new))
