"""Run a device in QEMU, with its console in this terminal.

Starts the image that `reconix image` made last, or the one that is named. The image itself is never
changed: what the device writes goes into a disk of its own beside it, together with the firmware's
variables, so a device that is started again goes on where it was. --fresh forgets all that.

The ports that `[run] forward` of machine.toml names can be reached on 127.0.0.1; the command prints
where. The console is also written to console.log. Ctrl-A X switches the device off at once, like
pulling its plug.

KVM is used if a test shows that it works on this machine, otherwise every instruction is emulated.

Exit status: 0 the device switched itself off or was switched off, 41 QEMU did not start it.
"""

import argparse
import time
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded, remove_tree, write_durably
from reconix.cli import places
from reconix.cli.answers import say
from reconix.config.load import load
from reconix.config.schema.hosts import Host
from reconix.config.schema.values import Architecture
from reconix.nix import roots
from reconix.project.workplace import NotBuilt, Workplace, pick_host
from reconix.store.paths import StorePath
from reconix.vm import accelerator, firmware
from reconix.vm.disks import overlay
from reconix.vm.machine import Machine, running
from reconix.vm.qemu import Accelerator, Disk, DiskFormat, Forward, Guest

_PAUSE_SECONDS = 0.2
_STAMP_BYTES = 1024


class ImageChanged(ReconixError):
    """The disk of a virtual device was made over an image that is another one now."""

    exit_code = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument(
        "host", nargs="?", metavar="HOST", help="which host (default: the only one of the project)"
    )
    parser.add_argument("--image", type=Path, metavar="FILE", help="run this image")
    parser.add_argument(
        "--fresh", action="store_true", help="forget what the device has written before"
    )
    parser.add_argument(
        "--accelerator",
        choices=("auto", *(each.value for each in Accelerator)),
        default="auto",
        help="how to execute the guest (default: KVM if it works)",
    )
    parser.add_argument(
        "--watchdog", action="store_true", help="add a hardware watchdog (i6300esb)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Start the device and stay until it is off."""
    project = places.project(arguments)
    host = pick_host(load(project), arguments.host)
    if host.architecture is not Architecture.AMD64:
        raise ReconixError(f"cannot run {host.name}: only amd64 devices can be run so far")
    workplace = Workplace(project, host.name)
    image = _image(arguments.image, workplace)
    workplace.make()
    if arguments.fresh:
        remove_tree(workplace.vm)
    workplace.vm.mkdir(exist_ok=True)
    if not (workplace.vm / "disk.qcow2").exists() and image == workplace.image:
        keep_generation(workplace, places.store(arguments))
    guest = _guest(host, workplace, _disk(image, workplace), watchdog=arguments.watchdog)
    with running(guest, workplace.vm, _accelerator(arguments.accelerator), terminal=True) as device:
        say(_where(host, device, workplace))
        while device.is_running():
            time.sleep(_PAUSE_SECONDS)
    return 0


def keep_generation(workplace: Workplace, store: Path) -> None:
    """Keep what a new device is started with: updates start from it, whatever is built later."""
    if workplace.generation.is_symlink() and store.is_dir():
        path = StorePath.parse(str(workplace.generation.readlink()))
        roots.link(store / "nix/var/nix", workplace.vm / "generation", path)


def _image(named: Path | None, workplace: Workplace) -> Path:
    image = workplace.image if named is None else named
    if not image.is_file():
        raise NotBuilt(f"there is no image {image}", hint=f"reconix image {workplace.host}")
    return image


def _guest(host: Host, workplace: Workplace, disk: Disk, *, watchdog: bool) -> Guest:
    settings = host.machine.run
    return Guest(
        firmware.prepare(workplace.vm / "variables"),
        disks=(disk,),
        forwards=tuple(Forward(each.port, each.host_port or 0) for each in settings.forward),
        memory_mib=settings.memory >> 20,
        cores=settings.cores,
        watchdog=watchdog,
    )


def _disk(image: Path, workplace: Workplace) -> Disk:
    """The disk over an image: the one of last time, or a new one.

    Raises:
        ImageChanged: there is one, over another image.
    """
    disk, stamp = workplace.vm / "disk.qcow2", workplace.vm / "image"
    if not disk.exists():
        overlay(image, disk)
        write_durably(stamp, _stamp(image))
    elif not stamp.exists() or read_bounded(stamp, _STAMP_BYTES) != _stamp(image):
        raise ImageChanged(
            f"{image} is not the image that the device {workplace.host} was started from",
            hint=f"start a new device: reconix run {workplace.host} --fresh",
        )
    return Disk(disk, DiskFormat.QCOW2)


def _stamp(image: Path) -> bytes:
    """What tells an image from another one, without reading it."""
    status = image.stat()
    return f"{image.resolve()} {status.st_size} {status.st_mtime_ns}\n".encode()


def _accelerator(choice: str) -> Accelerator:
    if choice == "auto":
        return accelerator.choose(places.cache_home() / "accelerator")
    return Accelerator(choice)


def _where(host: Host, device: Machine, workplace: Workplace) -> str:
    lines = [f"{host.name} is starting; Ctrl-A X switches it off"]
    for forward in host.machine.run.forward:
        port = device.port(forward.port)
        way = f"ssh -p {port} root@127.0.0.1" if forward.name == "ssh" else f"127.0.0.1:{port}"
        lines.append(f"  {forward.name}: {way}")
    lines.append(f"  console: {workplace.vm / 'console.log'}")
    return "\n".join(lines)
