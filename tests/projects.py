"""What tests of whole projects share: running the real command, and booting what it made."""

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from reconix.base.documents import Fields
from reconix.base.process import run
from reconix.vm import accelerator, firmware
from reconix.vm.disks import overlay
from reconix.vm.hardware import PC, Hardware
from reconix.vm.machine import Machine, running
from reconix.vm.qemu import Disk, DiskFormat, Forward, Guest

PROGRAMS = ("mmdebstrap", "depmod", "qemu-system-x86_64", "qemu-img", "ssh", "ssh-keygen")
_SOURCE = Path(__file__).parents[1] / "src"
_CODE = "import sys; from reconix.cli.main import entry; sys.exit(entry())"


def reconix(
    project: Path,
    *words: str,
    store: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Fields:
    """Run the command as a user would, by default with a store beside the project; its answer."""
    options = ("--project", str(project), "--store", str(store or store_of(project)))
    variables = {"PYTHONPATH": str(_SOURCE), **(environment or {})}
    said = run(sys.executable, "-c", _CODE, *options, *words, "--json", environment=variables)
    return Fields.parse(said, source="reconix")


def in_other_circumstances(*words: str, seed: str) -> bytes:
    """What the command prints with this order of hashes, and a time zone and locale to match."""
    zone, locale = ("UTC", "C") if seed == "1" else ("Pacific/Chatham", "tr_TR.UTF-8")
    variables = {"PYTHONPATH": str(_SOURCE), "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale}
    return run(sys.executable, "-c", _CODE, *words, environment=variables)


def store_of(project: Path) -> Path:
    """The store that ``reconix`` uses here."""
    return project.parent / f"{project.name}-store"


@contextlib.contextmanager
def booted(
    image: Path,
    folder: Path,
    ports: Iterable[int],
    *,
    memory_mib: int = 512,
    hardware: Hardware = PC,
    more_bytes: int = 0,
) -> Iterator[Machine]:
    """A device with this disk, while it runs.

    Args:
        image: of the disk; it is not changed.
        folder: new, for what belongs to the device.
        ports: of the device that can be reached from here.
        memory_mib: of the device.
        hardware: of the device.
        more_bytes: by which its disk is larger than the image.
    """
    folder.mkdir()
    overlay(image, folder / "disk.qcow2", more_bytes=more_bytes)
    guest = Guest(
        firmware.prepare(folder / "variables", hardware),
        disks=(Disk(folder / "disk.qcow2", DiskFormat.QCOW2),),
        forwards=tuple(Forward(port, 0) for port in ports),
        memory_mib=memory_mib,
        hardware=hardware,
    )
    how = accelerator.choose(folder / "accelerator", hardware)
    with running(guest, folder, how) as machine:
        yield machine
